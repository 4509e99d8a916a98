/* The courier's process and the socket to it. */
#ifndef MW_TOOLS_COURIER_PROCESS_H
#define MW_TOOLS_COURIER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct mw_courier_process {
	pid_t pid; /* 0: there is none */
	int pidfd; /* its number may be another's by the time that somebody else has reaped it */
	int fd;    /* -1: none */
};

/* Starts the program in a session of its own, with no more of the environment than this process,
 * less what would preload something, and with a stream socket that does not wait, closed on exec,
 * in `fd`. It gets `memory`, a descriptor of courier/shared.h; -1: none. Returns 0, -ENOENT when
 * the program is not installed, or another negative errno. */
int mw_courier_start(struct mw_courier_process *ret, int memory);

/* Whether it has ended; it is reaped then. */
bool mw_courier_ended(struct mw_courier_process *process);

/* Closes the socket, and with `kill` ends it at once. What has not ended goes on, and is reaped by
 * mw_courier_ended(). */
void mw_courier_leave(struct mw_courier_process *process, bool kill);

/* Kills it and waits for that. */
void mw_courier_end(struct mw_courier_process *process);

#endif
