/* The threads that the floor looks at: those with an open load, and those that answer for one by
 * birth. Kept by the monitor's main loop. */
#ifndef MW_TOOLS_FLOOR_TASKS_H
#define MW_TOOLS_FLOOR_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/floor.h"
#include "floor_permit.h"

#define MW_FLOOR_PERMITS 8
#define MW_FLOOR_BUCKETS 256

/* An open load. What is said of it in words is in the registry. */
struct mw_floor_load {
	struct mw_floor_load *outer;
	uint64_t id;
	uint64_t sp;   /* of the frame that opened it, as was said before the stream ran anything */
	int64_t since; /* seconds since the epoch */
	/* As in struct mw_record_load: good in its process, while it is open. */
	int32_t fd;
	uint64_t data, data_len;
	/* The Python stack outside it, with its texts behind it in one piece; NULL: not known. */
	struct mw_pyframe *frames;
	uint32_t frame_count;
};

struct mw_floor_thread {
	struct mw_floor_thread *next;
	pid_t tid, pid;
	uint64_t start; /* of the thread, as in struct mw_task: numbers are used again */
	uint64_t scope; /* the load that it answers for by birth, or 0 */
	int birth;      /* enum mw_floor_birth of the next task that it starts, or -1 */
	struct mw_floor_load *loads; /* innermost first */
	struct mw_permit *permits[MW_FLOOR_PERMITS];
	unsigned int turn; /* the next permit's place */
};

struct mw_floor_tasks {
	struct mw_floor_thread *buckets[MW_FLOOR_BUCKETS];
	size_t count;
	/* Told of each thread that comes and goes; NULL: nobody is. */
	void (*look_at)(void *context, pid_t tid, bool at);
	void *context;
};

/* The thread called `tid`, or NULL. */
struct mw_floor_thread *mw_floor_thread(const struct mw_floor_tasks *tasks, pid_t tid);

/* The same, entered when it is not there; what a thread with the same number that has ended left
 * behind is dropped. NULL when there is no memory, or no such thread of that
 * process. */
struct mw_floor_thread *mw_floor_thread_enter(struct mw_floor_tasks *tasks, pid_t pid, pid_t tid);

/* The thread has opened a load, or has more to say of an open one. */
void mw_floor_thread_open(struct mw_floor_thread *thread, const struct mw_record *record);

/* The thread says that it has closed a load, with its stack pointer at `sp`. Only the frame that
 * has opened the load is believed: whatever the load runs lies further down. Returns 0 or -EPERM.
 */
int mw_floor_thread_close(struct mw_floor_thread *thread, uint64_t load, uint64_t sp);

/* Adds a permit, which becomes the thread's; the oldest gives way. NULL is passed over. */
void mw_floor_thread_permit(struct mw_floor_thread *thread, struct mw_permit *permit);

void mw_floor_thread_forget(struct mw_floor_tasks *tasks, struct mw_floor_thread *thread);

/* Forgets the thread when there is nothing left to know about it. */
void mw_floor_thread_tidy(struct mw_floor_tasks *tasks, struct mw_floor_thread *thread);

/* Forgets the threads that have ended. */
void mw_floor_tasks_prune(struct mw_floor_tasks *tasks);
void mw_floor_tasks_clear(struct mw_floor_tasks *tasks);

#endif
