/* A process of ours that does what the monitor must not do itself, and the socket to it. */
#ifndef MW_TOOLS_HELPER_H
#define MW_TOOLS_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MW_HELPER_FDS 2

struct mw_helper {
	pid_t pid; /* 0: there is none */
	int pidfd; /* its number may be another's by the time that somebody else has reaped it */
	int fd;    /* -1: none */
};

/* Runs the program at `path` under the name `name`, in a session of its own, with no more of the
 * environment than this process, less what would preload something. Its standard input is a stream
 * socket, of which our end, which does not wait and is closed on exec, is in `fd`; its
 * standard output is `out`, -1: ours; the `count` descriptors of `fds` are its numbers 3 and up.
 * Returns 0 or a negative errno. */
int mw_helper_start(struct mw_helper *ret, const char *path, const char *name, int out,
                    const int *fds, size_t count);

/* Whether it has ended; it is reaped then. */
bool mw_helper_ended(struct mw_helper *helper);

/* Closes what there is of it here. It goes on until it has done what it was sent, and is nobody's
 * business any more. */
void mw_helper_forget(struct mw_helper *helper);

/* Those that are on their way out. Nobody waits for them: a file of a server that is gone holds a
 * process even when it is killed. */
#define MW_HELPERS_LEFT 8
struct mw_helpers_left {
	struct mw_helper helpers[MW_HELPERS_LEFT];
	size_t count;
};

/* Closes the socket of `helper`, with `kill` ends it at once, and puts it with the others, which
 * are killed. */
void mw_helpers_left_add(struct mw_helpers_left *left, struct mw_helper *helper, bool kill);

/* Takes note of those that have ended. Returns whether all have. */
bool mw_helpers_left_reap(struct mw_helpers_left *left);

/* Kills all of them. */
void mw_helpers_left_close(struct mw_helpers_left *left);

#endif
