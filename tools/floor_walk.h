/* The walk along a path, part by part, that floor_path.h describes; a piece of it. */
#ifndef MW_TOOLS_FLOOR_WALK_H
#define MW_TOOLS_FLOOR_WALK_H

#include "floor_path.h"

/* The descriptors and the text are owned by who began the walk, which replaces them. */
struct mw_walk {
	const struct mw_tracee *tracee; /* borrowed, as is `ret` */
	int flags;
	int root, at;   /* the task's root, and the directory that the walk has come to */
	char *text;     /* what is left to walk begins somewhere in it, */
	char *rest;     /* here */
	unsigned links; /* followed so far */
	struct mw_floor_path *ret;
};

/* Walks what is left. Returns 0, and in w->ret how the path ends and its entry; w->at is then the
 * directory that holds it. Else a negative errno of the task's, or MW_FLOOR_CANNOT. */
int mw_walk(struct mw_walk *w);

/* Ends the walk at the entry `fd` (taken over), or at none (-1). Returns as mw_walk(). */
int mw_walk_finish(struct mw_walk *w, int fd, enum mw_floor_last last);

/* What errno means after a call made for the task: what we lack is none of its errors. */
int mw_walk_failure(void);

/* A copy of a descriptor, closed on exec; -1 and errno when there can be none. */
int mw_walk_duplicate(int fd);

#endif
