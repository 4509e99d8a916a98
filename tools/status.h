/* What `modelwatch status` shows of the daemon's answer. */
#ifndef MW_TOOLS_STATUS_H
#define MW_TOOLS_STATUS_H

#include <stdio.h>

#include <jansson.h>

/* The status as text for people. */
void mw_status_text(FILE *out, const json_t *status);

/* What each hook cost between two answers, `seconds` apart, as text for people; and as an array of
 * objects: a new reference, or NULL when there is no memory. */
json_t *mw_status_overhead(const json_t *before, const json_t *after, double seconds);
void mw_status_overhead_text(FILE *out, const json_t *overhead, double seconds);

#endif
