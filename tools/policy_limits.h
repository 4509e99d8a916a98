/* The `limits:` of policy texts: what a load may take. Of several texts the last that names a limit
 * counts. */
#ifndef MW_TOOLS_POLICY_LIMITS_H
#define MW_TOOLS_POLICY_LIMITS_H

#include <stdio.h>

#include "policy_yaml.h"

/* Takes the mapping in the current event. Returns 0 or a negative errno, said. */
int mw_policy_limits(struct mw_source *s);

/* Writes them as they would stand in a policy; nothing when there are none. */
void mw_policy_limits_show(const struct mw_limits *limits, FILE *out);

#endif
