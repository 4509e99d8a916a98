/* A proposed policy from runs that are taken for honest. */
#ifndef MW_TOOLS_LEARN_H
#define MW_TOOLS_LEARN_H

#include <limits.h>
#include <stddef.h>

/* Makes `directory` if it is not there, for this user alone, and writes to `ret` where the alerts
 * of the runs that are learnt from are kept in it. Returns 0 or a negative errno. */
int mw_learn_open(const char *directory, char ret[static PATH_MAX]);

/* Writes DIRECTORY/policy.yaml anew from all alerts that are kept there: a rule for each effect
 * that a rule asks to deny or to alert about. Rules that differ in one part of a path only become
 * one, with '*' in that part. What no narrow rule can be made of stays as a comment. `*ret_count`
 * is the number of rules, `*ret_left` of what has none. Returns 0 or a negative errno. */
int mw_learn_write(const char *directory, size_t *ret_count, size_t *ret_left);

#endif
