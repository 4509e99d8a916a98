/* What a program in the kernel is for, and whether this kernel has it. */
#ifndef MW_TOOLS_DAEMON_OFFERS_H
#define MW_TOOLS_DAEMON_OFFERS_H

#include <stdbool.h>

struct btf;

/* Whether the kernel that `types` describes has what a program of the section `name` (such as
 * "tp_btf/sched_prepare_exec") is put on. True of what types do not tell of. */
bool mw_kernel_offers(const struct btf *types, const char *name);

#endif
