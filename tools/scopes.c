#include "scopes.h"

#include <stdlib.h>
#include <unistd.h>

#include "tasks.h"

#define SCOPES_MAX 65536
#define ANCESTORS_MAX 64
/* How long a thread may take from asking for a program to having forked. Without an end, the next
 * program that the thread starts, long after the load, would be taken for this one when this one
 * never said hello: it is statically linked, or could not be started. */
#define SPAWN_SECONDS 10

/* A load with processes in scope keeps its place in the registry as long as there is another. */
static void count_task(struct mw_scopes *scopes, uint64_t load, int by)
{
	uint32_t slot = mw_registry_find(scopes->registry, load);
	struct mw_registry_entry *entry = &scopes->registry->entry[slot];

	scopes->registry->page->scopes += (uint32_t)by;
	if (slot && (by > 0 || entry->tasks))
		entry->tasks += (uint32_t)by;
}

static void drop(struct mw_scopes *scopes, size_t i)
{
	if (!scopes->all[i].spawning)
		count_task(scopes, scopes->all[i].load, -1);
	scopes->all[i] = scopes->all[--scopes->count];
}

static uint64_t patience(void)
{
	return SPAWN_SECONDS * (uint64_t)sysconf(_SC_CLK_TCK);
}

void mw_scopes_prune(struct mw_scopes *scopes)
{
	uint64_t now = mw_task_now();

	for (size_t i = scopes->count; i-- > 0;) {
		const struct mw_scope *scope = &scopes->all[i];

		if (!mw_task_runs(scope->pid, scope->start) ||
		    (scope->spawning && now > scope->since + patience()))
			drop(scopes, i);
	}
}

/* When there is no room the oldest entry goes. */
static struct mw_scope *make_room(struct mw_scopes *scopes)
{
	struct mw_scope *more;
	size_t cap = scopes->cap ? 2 * scopes->cap : 64;

	if (scopes->count == scopes->cap)
		mw_scopes_prune(scopes);
	if (scopes->count == scopes->cap && cap <= SCOPES_MAX) {
		more = realloc(scopes->all, cap * sizeof(*more));
		if (more) {
			scopes->all = more;
			scopes->cap = cap;
		}
	}
	if (scopes->count == scopes->cap && scopes->count)
		drop(scopes, 0);
	return scopes->count < scopes->cap ? &scopes->all[scopes->count++] : NULL;
}

static struct mw_scope *find(struct mw_scopes *scopes, const struct mw_task *task, pid_t spawning)
{
	for (size_t i = 0; i < scopes->count; i++) {
		struct mw_scope *scope = &scopes->all[i];

		if (scope->pid == task->pid && scope->start == task->start &&
		    scope->spawning == spawning)
			return scope;
	}
	return NULL;
}

static void enter(struct mw_scopes *scopes, const struct mw_task *task, pid_t spawning,
                  uint64_t load)
{
	struct mw_scope *scope = find(scopes, task, spawning);

	if (scope)
		drop(scopes, (size_t)(scope - scopes->all));
	scope = make_room(scopes);
	if (!scope)
		return;
	*scope = (struct mw_scope){task->pid, spawning, task->start, mw_task_now(), load};
	if (!spawning)
		count_task(scopes, load, 1);
}

void mw_scopes_add(struct mw_scopes *scopes, pid_t pid, uint64_t load)
{
	struct mw_task task;

	if (load && !mw_task_read(pid, &task))
		enter(scopes, &task, 0, load);
}

void mw_scopes_remove(struct mw_scopes *scopes, pid_t pid)
{
	for (size_t i = scopes->count; i-- > 0;)
		if (scopes->all[i].pid == pid && !scopes->all[i].spawning)
			drop(scopes, i);
}

void mw_scopes_spawning(struct mw_scopes *scopes, pid_t pid, pid_t tid, uint64_t load)
{
	struct mw_task task;

	if (load && tid && !mw_task_read(pid, &task))
		enter(scopes, &task, tid, load);
}

/* The load for the first child that a thread forks after it was seen to start a program. */
static uint64_t take_spawned(struct mw_scopes *scopes, const struct mw_task *child)
{
	for (size_t i = 0; i < scopes->count; i++) {
		struct mw_scope scope = scopes->all[i];

		if (scope.pid != child->parent || !scope.spawning || child->start < scope.since ||
		    child->start > scope.since + patience() ||
		    !mw_task_runs(scope.pid, scope.start) ||
		    !mw_task_started(scope.pid, scope.spawning, child->pid))
			continue;
		drop(scopes, i);
		enter(scopes, child, 0, scope.load);
		return scope.load;
	}
	return 0;
}

uint64_t mw_scopes_of(struct mw_scopes *scopes, pid_t pid, pid_t top)
{
	const struct mw_scope *scope;
	struct mw_task task;
	uint64_t load = 0;

	for (int i = 0; scopes->count && !load && i < ANCESTORS_MAX && pid > 0 && pid != top; i++) {
		if (mw_task_read(i ? task.parent : pid, &task) < 0 || task.pid == top)
			break;
		scope = find(scopes, &task, 0);
		load = scope ? scope->load : take_spawned(scopes, &task);
		if (load && i)
			mw_scopes_add(scopes, pid, load);
	}
	return load;
}

void mw_scopes_clear(struct mw_scopes *scopes)
{
	free(scopes->all);
	scopes->all = NULL;
	scopes->count = scopes->cap = 0;
}
