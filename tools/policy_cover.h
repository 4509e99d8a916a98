/* Whether one rule leaves nothing for another, and whether a rule can match at all. */
#ifndef MW_TOOLS_POLICY_COVER_H
#define MW_TOOLS_POLICY_COVER_H

#include "policy_build.h"

/* True when every effect that `inner` matches is one that `outer` matches too; false also when that
 * cannot be told. */
bool mw_policy_covers(const struct mw_policy_build *build, const struct mw_policy_item *outer,
                      const struct mw_policy_item *inner);

/* Why `item` can never match, or NULL. */
const char *mw_policy_futile(const struct mw_policy_build *build,
                             const struct mw_policy_item *item);

#endif
