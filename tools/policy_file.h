/* From a policy's source text to the image that every sensor maps. */
#ifndef MW_TOOLS_POLICY_FILE_H
#define MW_TOOLS_POLICY_FILE_H

#include <stddef.h>

#include "../core/policy.h"

/* Reads and compiles the policy in `file` (NULL: the built-in one) for `mode`. On success
 * `*ret_image` is the image, to be freed with free(), and `*ret_size` its size in bytes. Returns 0,
 * or a negative errno with one line in `error` that says what is wrong and where. */
int mw_policy_load(const char *file, enum mw_verdict mode, struct mw_policy **ret_image,
                   size_t *ret_size, char *error, size_t error_size);

#endif
