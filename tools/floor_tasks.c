#include "floor_tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tasks.h"

/* Stack that closing a load takes, from the frame that does it to the system call. What the load
 * runs is called by the unpickler, whose frames alone are larger. */
#define CLOSING 512

static struct mw_floor_thread **bucket(struct mw_floor_tasks *tasks, pid_t tid)
{
	return &tasks->buckets[(uint32_t)tid % MW_FLOOR_BUCKETS];
}

struct mw_floor_thread *mw_floor_thread(const struct mw_floor_tasks *tasks, pid_t tid)
{
	struct mw_floor_thread *thread = tasks->buckets[(uint32_t)tid % MW_FLOOR_BUCKETS];

	while (thread && thread->tid != tid)
		thread = thread->next;
	return thread;
}

static void free_loads(struct mw_floor_thread *thread)
{
	while (thread->loads) {
		struct mw_floor_load *load = thread->loads;

		thread->loads = load->outer;
		free(load->frames);
		free(load);
	}
}

static void free_permits(struct mw_floor_thread *thread)
{
	for (size_t i = 0; i < MW_FLOOR_PERMITS; i++) {
		free(thread->permits[i]);
		thread->permits[i] = NULL;
	}
}

static void forget_at(struct mw_floor_tasks *tasks, struct mw_floor_thread **at)
{
	struct mw_floor_thread *thread = *at;

	*at = thread->next;
	if (tasks->look_at)
		tasks->look_at(tasks->context, thread->tid, false);
	free_loads(thread);
	free_permits(thread);
	free(thread);
	tasks->count--;
}

void mw_floor_thread_forget(struct mw_floor_tasks *tasks, struct mw_floor_thread *thread)
{
	struct mw_floor_thread **at = bucket(tasks, thread->tid);

	while (*at != thread)
		at = &(*at)->next;
	forget_at(tasks, at);
}

struct mw_floor_thread *mw_floor_thread_enter(struct mw_floor_tasks *tasks, pid_t pid, pid_t tid)
{
	struct mw_floor_thread *thread = mw_floor_thread(tasks, tid);
	struct mw_task task;
	char path[48];

	/* A record names a thread of its sender's, and of nobody else's. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	if (access(path, F_OK) < 0 || mw_task_read(tid, &task) < 0)
		return NULL;
	if (thread && thread->start == task.start && thread->pid == pid)
		return thread;
	if (thread)
		mw_floor_thread_forget(tasks, thread);
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->tid = tid;
	thread->pid = pid;
	thread->start = task.start;
	thread->birth = -1;
	thread->next = *bucket(tasks, tid);
	*bucket(tasks, tid) = thread;
	tasks->count++;
	if (tasks->look_at)
		tasks->look_at(tasks->context, tid, true);
	return thread;
}

static size_t text_of(const struct mw_record *record)
{
	size_t size = 0;

	for (uint32_t i = 0; i < record->frame_count; i++)
		size += record->frames[i].function.len + record->frames[i].file.len;
	return size;
}

static struct mw_str keep(char **at, struct mw_str s)
{
	struct mw_str kept = {s.s ? *at : NULL, s.len};

	if (s.s)
		memcpy(*at, s.s, s.len);
	*at += s.s ? s.len : 0;
	return kept;
}

static void keep_frames(struct mw_floor_load *load, const struct mw_record *record)
{
	size_t frames = record->frame_count * sizeof(*load->frames);
	char *at;

	load->frames = frames ? malloc(frames + text_of(record)) : NULL;
	if (!load->frames)
		return;
	at = (char *)(load->frames + record->frame_count);
	for (uint32_t i = 0; i < record->frame_count; i++) {
		load->frames[i].function = keep(&at, record->frames[i].function);
		load->frames[i].file = keep(&at, record->frames[i].file);
		load->frames[i].line = record->frames[i].line;
	}
	load->frame_count = record->frame_count;
}

void mw_floor_thread_open(struct mw_floor_thread *thread, const struct mw_record *record)
{
	const struct mw_record_load *from = &record->load;
	struct mw_floor_load *load = thread->loads;

	while (load && load->id != from->id)
		load = load->outer;
	if (!load) {
		load = calloc(1, sizeof(*load));
		if (!load)
			return;
		load->id = from->id;
		load->sp = from->sp;
		load->since = time(NULL);
		load->outer = thread->loads;
		thread->loads = load;
		keep_frames(load, record);
	}
	/* The stream has gone on: what it was let do before is over. */
	free_permits(thread);
	load->fd = from->fd;
	load->data = from->data;
	load->data_len = from->data_len;
}

int mw_floor_thread_close(struct mw_floor_thread *thread, uint64_t id, uint64_t sp)
{
	struct mw_floor_load **at = &thread->loads, *load;

	while (*at && (*at)->id != id)
		at = &(*at)->outer;
	load = *at;
	if (!load)
		return 0;
	if (sp > load->sp || load->sp - sp > CLOSING)
		return -EPERM;
	*at = load->outer;
	free(load->frames);
	free(load);
	if (!thread->loads)
		free_permits(thread);
	return 0;
}

void mw_floor_thread_permit(struct mw_floor_thread *thread, struct mw_permit *permit)
{
	if (!permit)
		return;
	free(thread->permits[thread->turn]);
	thread->permits[thread->turn] = permit;
	thread->turn = (thread->turn + 1) % MW_FLOOR_PERMITS;
}

void mw_floor_thread_tidy(struct mw_floor_tasks *tasks, struct mw_floor_thread *thread)
{
	if (!thread->loads && !thread->scope)
		mw_floor_thread_forget(tasks, thread);
}

void mw_floor_tasks_prune(struct mw_floor_tasks *tasks)
{
	for (size_t i = 0; i < MW_FLOOR_BUCKETS; i++) {
		struct mw_floor_thread *thread = tasks->buckets[i], *next;

		for (; thread; thread = next) {
			next = thread->next;
			if (!mw_task_runs(thread->tid, thread->start))
				mw_floor_thread_forget(tasks, thread);
		}
	}
}

void mw_floor_tasks_clear(struct mw_floor_tasks *tasks)
{
	for (size_t i = 0; i < MW_FLOOR_BUCKETS; i++)
		while (tasks->buckets[i])
			forget_at(tasks, &tasks->buckets[i]);
}
