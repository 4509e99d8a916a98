/* modelwatch policy: its subcommands, one file each, one line each in the table of policy.c.
 * argv[0] is the subcommand's name; each returns the program's exit status. */
#ifndef MW_TOOLS_POLICY_H
#define MW_TOOLS_POLICY_H

#include "../core/decide.h"
#include "policy_file.h"

int mw_policy_show(int argc, char **argv);
int mw_policy_check_files(int argc, char **argv);
int mw_policy_test(int argc, char **argv);
int mw_policy_explain(int argc, char **argv);
int mw_policy_allow(int argc, char **argv);

/* What the subcommands have in common: a policy, and the image of it for a subject. */
struct mw_effective {
	struct mw_policy_build rules;
	struct mw_policy *image;
	size_t size;
	uint32_t *order; /* of the rules, as they are tried */
};

/* Reads the policy that a run with --policy=`file` (or NULL) would have. Returns 0; or MW_EXIT_OWN
 * after it has said what is wrong. Free it in any case. */
int mw_effective_read(struct mw_effective *effective, const char *file);
void mw_effective_free(struct mw_effective *effective);

/* Compiles it for `subject` in `mode` (0: the policy's own) in the place of the image before. The
 * same. */
int mw_effective_for(struct mw_effective *effective, const json_t *subject, int mode);

/* Where a rule that decided comes from, "FILE:LINE"; empty for none. */
void mw_effective_place(const struct mw_effective *effective, const char *rule, char *out,
                        size_t size);

/* One line on stderr, "modelwatch policy: ...". Returns MW_EXIT_OWN. */
__attribute__((format(printf, 1, 2))) int mw_policy_say(const char *format, ...);

#endif
