/* The flat image of a policy (core/policy.h), for one subject. */
#ifndef MW_TOOLS_POLICY_IMAGE_H
#define MW_TOOLS_POLICY_IMAGE_H

#include "policy_build.h"

/* Makes the image of the rules that are for `subject`, in their order. Returns 0; -EFBIG when it
 * would be too large; -ENOMEM. The caller frees `*ret`. */
int mw_policy_image(const struct mw_policy_build *build, const json_t *subject,
                    enum mw_verdict mode, const uint8_t digest[static 32], struct mw_policy **ret,
                    size_t *ret_size);

#endif
