/* Programs that tasks in scope were let start. Path and arguments lie in memory that another thread
 * may change before the kernel reads them, so what has started is held against what was let start,
 * before it does anything that the floor is asked about: the loader maps its first library. */
#ifndef MW_TOOLS_FLOOR_STARTED_H
#define MW_TOOLS_FLOOR_STARTED_H

#include <stdbool.h>

#include "floor_look.h"

#define MW_FLOOR_STARTED 64

struct mw_floor_start {
	pid_t pid; /* 0: free */
	pid_t tid; /* the thread that starts it */
	uint64_t start;
	uint64_t load;      /* that let it start it */
	dev_t old_dev, dev; /* the program it was, and the one that was let start */
	ino_t old_ino, ino;
	enum mw_program_kind kind;
	bool free; /* the program is in no scope: an import started it */
	size_t len;
	char words[MW_LOOK_ARGS_TEXT]; /* its arguments, each with a NUL */
};

struct mw_floor_started {
	struct mw_floor_start all[MW_FLOOR_STARTED];
	unsigned int turn;
};

/* The task, which answers for `load`, is let start the program of `look`. */
void mw_floor_started_add(struct mw_floor_started *started, const struct mw_tracee *tracee,
                          const struct mw_floor_look *look, uint64_t load, bool free);

/* Whether a program is awaited in process `pid`; in any, for 0. */
bool mw_floor_started_awaits(const struct mw_floor_started *started, pid_t pid);

/* Awaits nothing any more of processes that have ended. */
void mw_floor_started_prune(struct mw_floor_started *started);

enum mw_floor_arrival {
	MW_ARRIVED_NOT,   /* nothing is awaited of the process, or it is not there yet */
	MW_ARRIVED,       /* it is the program that was let start, */
	MW_ARRIVED_FREE,  /* and that one is in no scope */
	MW_ARRIVED_OTHER, /* it is another one */
};

/* What has become of the program that the task's process was let start, and the load that let it: 0
 * with MW_ARRIVED_NOT. */
enum mw_floor_arrival mw_floor_started_look(struct mw_floor_started *started,
                                            const struct mw_tracee *tracee, uint64_t *ret_load);

#endif
