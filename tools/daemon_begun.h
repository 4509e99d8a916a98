/* What the kernel tells the inventory of a load that begins (ebpf/event.h), as a record. */
#ifndef MW_TOOLS_DAEMON_BEGUN_H
#define MW_TOOLS_DAEMON_BEGUN_H

#include <stddef.h>

#include "../ebpf/event.h"
#include "daemon_matter.h"

/* Whether the `size` bytes are one, with strings within bounds. Returns 0 or -EBADMSG. What is
 * below takes only what passed. */
int mw_k_check_begun(const void *event, size_t size);

struct mw_daemon_begun {
	struct mw_daemon_matter matter;
	struct mw_daemon_event event;
	struct mw_k_effect effect; /* nothing has happened: it has the load, and what is open */
	struct mw_record record;
	char comm[MW_K_TEXT];
};

/* Fills `ret->record` and `ret->comm`. Files of the process are looked into where the kernel does
 * not know which one it reads. False: there is none that may be it. */
bool mw_daemon_begun(struct mw_daemon_begun *ret, const struct mw_k_begun *begun);

#endif
