/* The text of a policy: YAML, as docs/policy.md describes it, into rules. */
#ifndef MW_TOOLS_POLICY_SOURCE_H
#define MW_TOOLS_POLICY_SOURCE_H

#include <stddef.h>

#include "policy_build.h"

/* Adds the rules of one policy text to `build`. `name` is what `error` calls it. Returns 0, or a
 * negative errno with a line "name:line:column: what is wrong" in `error`. Memory is bounded by a
 * small multiple of `len`: aliases are refused, and nesting ends where a rule does. */
int mw_policy_source(struct mw_policy_build *build, const char *name, const char *text, size_t len,
                     char *error, size_t error_size);

#endif
