/* What processes were started with, as far as it says which code is the user's own: kept from when
 * they are found, because they may have gone when something that they did is judged. In memory
 * only.
 */
#ifndef MW_TOOLS_DAEMON_GIVEN_H
#define MW_TOOLS_DAEMON_GIVEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MW_GIVEN 2048 /* processes that are remembered; the oldest leave */

/* Empty texts: not known, or not there. */
struct mw_given {
	pid_t pid;      /* 0: none */
	uint64_t start; /* clock ticks since boot, as struct mw_task has it */
	const char *exe, *cwd, *python_path, *pycache_prefix;
	char *text;    /* that they point into; owned */
	bool is_whole; /* there was an environment */
};

struct mw_givens {
	struct mw_given at[MW_GIVEN];
	uint32_t next;
};

/* Remembers what /proc says of process `pid` now. Returns it, or NULL when it has gone or there is
 * no memory. */
const struct mw_given *mw_given_note(struct mw_givens *givens, pid_t pid);

/* What was remembered of the process that had started `start_ns` after boot (0: whoever has the
 * pid), or is to be had now; or NULL. Good until the next call. */
const struct mw_given *mw_given_of(struct mw_givens *givens, pid_t pid, uint64_t start_ns);

void mw_given_clear(struct mw_givens *givens);

#endif
