/* The text of a policy, YAML, into rules: docs/policy.md says what can stand in it. A field that is
 * missing asks nothing; of several values one must match, of several facts all. */
#ifndef MW_TOOLS_POLICY_SOURCE_H
#define MW_TOOLS_POLICY_SOURCE_H

#include <stddef.h>

#include "policy_build.h"

/* Adds one policy text to `build`: its rules, and what it says beside them, which counts for more
 * than what earlier texts said. `name` is what `error` calls it. Returns 0, or a negative errno
 * with a line "name:line:column: what is wrong" in `error`. Memory is bounded by a small multiple
 * of `len`: aliases are refused, and nesting ends where a rule does. */
int mw_policy_source(struct mw_policy_build *build, const char *name, enum mw_layer layer,
                     const char *text, size_t len, char *error, size_t error_size);

#endif
