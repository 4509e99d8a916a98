/* The policy that applies when no --policy is given: core/default-policy.yaml, built into the
 * program as it stands. Not terminated by a NUL. */
#ifndef MW_TOOLS_DEFAULT_POLICY_H
#define MW_TOOLS_DEFAULT_POLICY_H

extern const char mw_default_policy[];
extern const char mw_default_policy_end[];

#endif
