/* The gate of the floor: a thread that takes every notification of the job's filter
 * (seccomp_unotify(2)) and lets on at once who is in no scope. Whoever may be in one waits for the
 * monitor's main loop. Nothing is allocated and nothing is waited for on the way. */
#ifndef MW_TOOLS_FLOOR_GATE_H
#define MW_TOOLS_FLOOR_GATE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/types.h>

#include "floor_keeper.h"

struct mw_gate;

/* Starts the thread. `listener` and `page`, where the keeper finds what was taken and not answered
 * yet, are borrowed; `listener` is left to the gate alone from now on, but for answers. Returns 0
 * or a negative errno. */
int mw_gate_start(int listener, struct mw_keeper_page *page, struct mw_gate **ret);

/* Ends the thread. NULL is allowed. */
void mw_gate_stop(struct mw_gate *gate);

/* Readable when mw_gate_take() has something. */
int mw_gate_fd(const struct mw_gate *gate);

/* The next notification that waits for the main loop, which answers it and then says so with
 * mw_gate_done(). Returns its slot in the keeper's page, or -1 when there is none. */
int mw_gate_take(struct mw_gate *gate, struct seccomp_notif *ret);
void mw_gate_done(struct mw_gate *gate, int slot);

/* Whether some task has put itself under Landlock since the run began: what it may not do, nobody
 * may do on its behalf, and from outside it does not show who it was. */
bool mw_gate_saw_landlock(const struct mw_gate *gate);

/* Whether there is any scope at all. While there is none everybody goes on. Who was there before
 * the first began goes on, too, without the main loop, which may be waiting for it: a FUSE server
 * of the job, say. But not who is looked at, and nobody once mw_gate_trust_none() was called: until
 * there is no scope any more. */
void mw_gate_watch(struct mw_gate *gate, bool any);
void mw_gate_trust_none(struct mw_gate *gate);

/* The task is looked at, or no longer so. */
void mw_gate_look_at(struct mw_gate *gate, pid_t tid, bool at);

/* The task is in no scope: it goes on without being asked about, until mw_gate_doubt(). */
void mw_gate_pass(struct mw_gate *gate, pid_t tid);

/* What is known of `tid` is no longer so; of all tasks, for 0: one that is in a scope starts
 * another, which may get any task's number. */
void mw_gate_doubt(struct mw_gate *gate, pid_t tid);

#endif
