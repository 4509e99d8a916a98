/* The courier's process and the socket to it. */
#ifndef MW_TOOLS_COURIER_PROCESS_H
#define MW_TOOLS_COURIER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
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

/* Closes what there is of it here. It goes on until it has done what it was sent, and is nobody's
 * business any more. */
void mw_courier_left_alone(struct mw_courier_process *process);

/* Those that are on their way out. Nobody waits for them: a file of a server that is gone holds a
 * process even when it is killed. */
#define MW_COURIER_LEFT 8
struct mw_courier_left {
	struct mw_courier_process processes[MW_COURIER_LEFT];
	size_t count;
};

/* Closes the socket of `process`, with `kill` ends it at once, and puts it with the others, which
 * are killed. */
void mw_courier_left_add(struct mw_courier_left *left, struct mw_courier_process *process,
                         bool kill);

/* Takes note of those that have ended. Returns whether all have. */
bool mw_courier_left_reap(struct mw_courier_left *left);

/* Kills all of them. */
void mw_courier_left_close(struct mw_courier_left *left);

#endif
