/* Probes on the kernel's own functions that are the system calls: where the kernel allows them,
 * only who makes one of these calls pays. */
#ifndef MW_TOOLS_DAEMON_CALL_PROBES_H
#define MW_TOOLS_DAEMON_CALL_PROBES_H

#include <stddef.h>

#include "daemon_calls.h"

struct bpf_program;
struct bpf_link;

/* Attaches `entered` to the entries and `left` to the returns of the functions of `calls`. Returns
 * 0 with the two links, which the caller destroys, or a negative errno: -EPERM under lockdown. */
int mw_call_probes(const struct mw_daemon_call *calls, size_t count,
                   const struct bpf_program *entered, const struct bpf_program *left,
                   struct bpf_link **ret_entered, struct bpf_link **ret_left);

#endif
