/* The system calls that the kernel's programs look at, and where in their arguments things are. */
#ifndef MW_TOOLS_DAEMON_CALLS_H
#define MW_TOOLS_DAEMON_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "../ebpf/config.h"

struct mw_daemon_call {
	const char *name; /* of the call, as the kernel's functions have it */
	int number;
	bool compat; /* the number is that of 32-bit programs */
	struct mw_k_call look;
};

/* Fills `ret` with at most `cap` calls, those of the floor's table (floor_calls.h) that no hook of
 * their own sees. Returns how many. */
size_t mw_daemon_calls(struct mw_daemon_call *ret, size_t cap);

#endif
