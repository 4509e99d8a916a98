/* What of a policy the daemon has refused in the kernel, for who writes policies. */
#ifndef MW_TOOLS_POLICY_FOR_DAEMON_H
#define MW_TOOLS_POLICY_FOR_DAEMON_H

#include "policy_build.h"

/* Prints it of the built-in policy with `file` before it. Returns 0, or an exit status after saying
 * what is wrong. */
int mw_policy_for_daemon(const char *file, enum mw_layer layer);

#endif
