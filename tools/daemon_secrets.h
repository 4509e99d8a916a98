/* Which names make the kernel tell of a file that is opened for reading: those that the policy's
 * patterns of secrets cannot do without. Whether it is a secret is decided by the whole path. */
#ifndef MW_TOOLS_DAEMON_SECRETS_H
#define MW_TOOLS_DAEMON_SECRETS_H

#include <stddef.h>

#include "../core/policy.h"
#include "../ebpf/config.h"
#include "daemon_programs.h"

#define MW_SECRET_NAMES 512

/* Writes the names of the policy's patterns, each once, at most MW_SECRET_NAMES; one that begins
 * with MW_K_TAIL is what names end in, MW_K_TAIL_BYTES long. Returns how many; `ret_without`
 * receives how many patterns have no such name, and so are not seen. */
size_t mw_daemon_secret_names(const struct mw_policy *policy,
                              char ret[static MW_SECRET_NAMES][MW_K_NAME], size_t *ret_without);

/* Tells the programs. Returns 0 or a negative errno. */
int mw_daemon_secrets(struct mw_programs *programs, const struct mw_policy *policy);

#endif
