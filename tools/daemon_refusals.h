/* What of a policy a program in the kernel can decide: of each class, by who is to blame, whether
 * it is denied whatever else is so, but for exceptions. What other rules may allow is not refused
 * in the kernel; the daemon sees it, and says what they say. */
#ifndef MW_TOOLS_DAEMON_REFUSALS_H
#define MW_TOOLS_DAEMON_REFUSALS_H

#include <stdbool.h>

#include "../core/policy.h"
#include "../ebpf/config.h"

#define MW_REFUSALS (MW_CLASS_COUNT * MW_K_BLAMES)

/* Fills `ret`, by mw_k_refusal_key(). Pure. */
void mw_daemon_refusals(const struct mw_policy *policy, struct mw_k_refusal ret[MW_REFUSALS]);

/* The name of the rule by which the kernel does not refuse effects of that class and blame; NULL:
 * it does. `*ret_says`: that is what the rule says of all of them; else it may say so of some, and
 * the kernel cannot tell of which. Pure. */
const char *mw_daemon_unrefused(const struct mw_policy *policy, enum mw_class class,
                                enum mw_k_blame blame, bool *ret_says);

#endif
