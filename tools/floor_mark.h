/* A mark that processes in scope hand on to their children, in the one thing that is inherited,
 * that nobody uses, and that an unprivileged process cannot take back: the hard limit of the memory
 * for POSIX message queues (RLIMIT_MSGQUEUE, getrlimit(2)), lowered by a few bytes. Setting that
 * limit is a call that the floor is asked about. It tells whose an orphan is when its parents have
 * gone. */
#ifndef MW_TOOLS_FLOOR_MARK_H
#define MW_TOOLS_FLOOR_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct mw_floor_mark {
	struct rlimit own; /* as the job has inherited it */
	bool used;         /* a process has been marked, so there may be orphans nobody knows of */
};

/* Remembers the limit that unmarked processes have: that of the caller. */
void mw_floor_mark_open(struct mw_floor_mark *mark);

/* Marks a process that answers for the load in `slot` (1 to MW_PAGE_SLOTS - 1; 0: nothing is done).
 * Where it cannot be done, orphans are not told. */
void mw_floor_mark_set(struct mw_floor_mark *mark, pid_t pid, uint32_t slot);

/* The slot that the process is marked with, or 0. */
uint32_t mw_floor_mark_read(const struct mw_floor_mark *mark, pid_t pid);

#endif
