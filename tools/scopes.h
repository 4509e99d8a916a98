/* Which processes answer for a load. A process enters when a load forks it, or when it is about to
 * become, or to start, a program that a call of a load asked for; it leaves when it ends. Whoever
 * descends from one that is in is in, too. */
#ifndef MW_TOOLS_SCOPES_H
#define MW_TOOLS_SCOPES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "registry.h"

/* A process, or a thread of one that is starting a program right now. */
struct mw_scope {
	pid_t pid;
	pid_t spawning; /* the thread, or 0 for a process that is in scope itself */
	uint64_t start; /* of the process, as in struct mw_task */
	uint64_t since; /* when the thread began to start the program, in the same ticks */
	uint64_t load;
};

struct mw_scopes {
	struct mw_registry *registry; /* borrowed */
	struct mw_scope *all;
	size_t count, cap;
};

/* Puts process `pid` in the scope of the load called `load`. Nothing happens when there is no such
 * process. */
void mw_scopes_add(struct mw_scopes *scopes, pid_t pid, uint64_t load);

/* Takes process `pid` out of any scope: it is in by descent and does not belong. */
void mw_scopes_remove(struct mw_scopes *scopes, pid_t pid);

/* Remembers that thread `tid` of `pid` is about to start one program for the load called `load`. */
void mw_scopes_spawning(struct mw_scopes *scopes, pid_t pid, pid_t tid, uint64_t load);

/* The id of the load that `pid` answers for, or 0: because it is in scope, or a process that it
 * descends from is (then it is entered), up to but not including `top`. */
uint64_t mw_scopes_of(struct mw_scopes *scopes, pid_t pid, pid_t top);

/* Drops what has ended. */
void mw_scopes_prune(struct mw_scopes *scopes);

void mw_scopes_clear(struct mw_scopes *scopes);

#endif
