/* The narrowest rule that would have let one alert's effect through. */
#ifndef MW_TOOLS_POLICY_NARROW_H
#define MW_TOOLS_POLICY_NARROW_H

#include <jansson.h>

/* What a rule says beside what it matches. */
struct mw_exception {
	const char *name; /* NULL: made from what it matches */
	const char *reason, *owner;
	const char *expires; /* NULL: never */
};

/* The lines of one rule, as an item of `rules:` indented by two, with a comment before it that says
 * in plain words what it lets through. It pins the artifact by its digests, the call, and what the
 * effect was on; what cannot be pinned because the alert does not hold it is an error. Returns a
 * string that the caller frees, or NULL with one line in `error`. */
char *mw_narrow_rule(const json_t *alert, const struct mw_exception *exception, char *error,
                     size_t error_size);

#endif
