/* What is known of the names that a load fetches, for the programs in the kernel. */
#ifndef MW_TOOLS_DAEMON_NAMES_H
#define MW_TOOLS_DAEMON_NAMES_H

#include <stdint.h>

#include "../ebpf/config.h"

/* `key` is "module name", or a module; `facts` MW_K_FETCHED_CALL and MW_K_FETCHED_MAKER. */
typedef void mw_daemon_name(void *context, const char *key, uint32_t facts);

/* Calls `tell` with each; of a key that comes again the first counts. */
void mw_daemon_names(mw_daemon_name *tell, void *context);

#endif
