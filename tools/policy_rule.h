/* One rule of a policy's text. */
#ifndef MW_TOOLS_POLICY_RULE_H
#define MW_TOOLS_POLICY_RULE_H

#include "policy_yaml.h"

/* Reads the rule that starts with the current event and adds it to s->build; ends on its last
 * event. Returns 0 or a negative errno, said. */
int mw_policy_rule(struct mw_source *s);

#endif
