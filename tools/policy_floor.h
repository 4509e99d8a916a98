/* The `floor:` of policy texts: what the floor below libc lets be, and what becomes of the job when
 * the monitor has died. Of several texts the last that names a field counts. */
#ifndef MW_TOOLS_POLICY_FLOOR_H
#define MW_TOOLS_POLICY_FLOOR_H

#include <stdio.h>

#include "policy_yaml.h"

/* Takes the mapping in the current event. Returns 0 or a negative errno, said. */
int mw_policy_floor(struct mw_source *s);

/* Writes it as it would stand in a policy; nothing of what is the default. */
void mw_policy_floor_show(const struct mw_floor_policy *floor, FILE *out);

#endif
