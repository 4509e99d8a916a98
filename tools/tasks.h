/* Processes as /proc shows them: who is whose child, and the end of a whole lineage. */
#ifndef MW_TOOLS_TASKS_H
#define MW_TOOLS_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mw_task {
	pid_t pid, parent, group;
	bool dead;      /* a zombie with no thread left */
	uint64_t start; /* clock ticks since boot; with the pid it names a process for good */
};

/* Reads /proc/PID/stat. Returns 0, -ESRCH when there is no such process, or another negative errno.
 */
int mw_task_read(pid_t pid, struct mw_task *ret);

/* Whether the process that had this pid and start still runs. Where it cannot be told, for want of
 * a descriptor, say, it does. */
bool mw_task_runs(pid_t pid, uint64_t start);

/* Reads process `pid` and its ancestors, the nearest first, at most `cap`; a parent that ends
 * meanwhile is looked for again. Returns how many, or as mw_task_read() for `pid`. */
ssize_t mw_task_lineage(pid_t pid, struct mw_task *ret, size_t cap);

/* Clock ticks since boot, as mw_task.start counts them. */
uint64_t mw_task_now(void);

/* Whether `child` is a child that thread `tid` of process `pid` started. True for any child of the
 * process when the kernel does not tell by thread: it was built without that, the thread is gone,
 * or the process counts threads in another PID namespace. */
bool mw_task_started(pid_t pid, pid_t tid, pid_t child);

/* How many processes are in process group `group`, or a negative errno. */
ssize_t mw_task_in_group(pid_t group);

/* Writes the children of the calling thread to `ret`, at most `cap`. Returns how many: 0, too,
 * where the kernel does not tell. */
size_t mw_task_children(pid_t *ret, size_t cap);

/* Writes the processes that descend from `root` (which is not one of them) to `ret`, parents before
 * children, the dead left out. `skip` (may be NULL) names `skip_count` processes that are left out
 * with all that descends from them. Returns how many, at most `cap`, or a negative errno. */
ssize_t mw_task_descendants(pid_t root, const pid_t *skip, size_t skip_count, pid_t *ret,
                            size_t cap);

/* Kills everything that descends from the caller, other than `skip` and its descendants: stops all
 * first, so that nothing forks away meanwhile. Returns 0 when none is left, -EPERM when some cannot
 * be killed, or another negative errno. */
int mw_task_kill_lineage(const pid_t *skip, size_t skip_count);

#endif
