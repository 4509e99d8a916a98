/* The values of one condition of a rule. */
#ifndef MW_TOOLS_POLICY_VALUES_H
#define MW_TOOLS_POLICY_VALUES_H

#include "policy_yaml.h"

/* Reads the value, or the list of values, in the current event for `field` and fills `ret`. `what`
 * is its name in complaints. Returns 0 or a negative errno, said. */
int mw_policy_condition(struct mw_source *s, const char *what, enum mw_field field,
                        struct mw_condition *ret);

/* The same for plain patterns; `*ret` is their list in the texts. */
int mw_policy_patterns(struct mw_source *s, const char *what, uint32_t *ret);

#endif
