#include "floor_started.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tasks.h"

static bool stat_program(const struct mw_tracee *tracee, struct stat *ret)
{
	int fd = mw_tracee_open(tracee, "exe", O_PATH), result;

	if (fd < 0)
		return false;
	result = fstat(fd, ret);
	close(fd);
	return !result;
}

/* As the kernel will show them: "sh", "-c", "id". */
static size_t join(const struct mw_floor_look *look, char out[static MW_LOOK_ARGS_TEXT])
{
	const struct mw_effect *effect = &look->effect;
	size_t used = 0;

	if (effect->argv_cut || (look->kind == MW_PROGRAM_SCRIPT && look->by_descriptor))
		return 0;
	for (size_t i = 0; i < effect->argc; i++) {
		/* A script stands where its own name was, by the path that it was found by. */
		const char *word =
		        i || look->kind != MW_PROGRAM_SCRIPT ? effect->argv[i] : look->name;
		size_t len = strlen(word) + 1;

		if (used + len > MW_LOOK_ARGS_TEXT)
			return 0;
		memcpy(out + used, word, len);
		used += len;
	}
	return used;
}

/* What was awaited of the same process has failed: it asks again. Else one that nobody waits in,
 * and only then the oldest. */
static struct mw_floor_start *make_room(struct mw_floor_started *started, pid_t pid)
{
	for (unsigned int i = 0; i < MW_FLOOR_STARTED; i++)
		if (started->all[i].pid == pid)
			return &started->all[i];
	for (unsigned int i = 0; i < MW_FLOOR_STARTED; i++)
		if (!started->all[i].pid ||
		    !mw_task_runs(started->all[i].pid, started->all[i].start))
			return &started->all[i];
	return &started->all[started->turn++ % MW_FLOOR_STARTED];
}

void mw_floor_started_add(struct mw_floor_started *started, const struct mw_tracee *tracee,
                          const struct mw_floor_look *look, uint64_t load, bool free)
{
	struct mw_floor_start *start = make_room(started, tracee->pid);
	struct mw_task task;
	struct stat old;

	*start = (struct mw_floor_start){0};
	if (mw_task_read(tracee->pid, &task) < 0 || !stat_program(tracee, &old))
		return;
	start->pid = tracee->pid;
	start->tid = tracee->tid;
	start->start = task.start;
	start->load = load;
	start->old_dev = old.st_dev;
	start->old_ino = old.st_ino;
	start->dev = look->dev;
	start->ino = look->ino;
	start->kind = look->kind;
	start->free = free;
	start->len = join(look, start->words);
}

/* The arguments of a script come behind those that its first line adds. */
static bool has_words(const struct mw_tracee *tracee, const struct mw_floor_start *start)
{
	char words[2 * MW_LOOK_ARGS_TEXT];
	int fd = mw_tracee_open(tracee, "cmdline", O_RDONLY);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, words, sizeof(words));
	close(fd);
	if (!start->len)
		return true;
	if (len < (ssize_t)start->len ||
	    (start->kind == MW_PROGRAM_ELF && len != (ssize_t)start->len))
		return false;
	return !memcmp(words + len - start->len, start->words, start->len);
}

static bool is_old(const struct mw_floor_start *start, const struct stat *now)
{
	return now->st_dev == start->old_dev && now->st_ino == start->old_ino;
}

static bool is_program(const struct mw_floor_start *start, const struct stat *now)
{
	if (start->kind == MW_PROGRAM_OTHER)
		return !is_old(start, now);
	return now->st_dev == start->dev && now->st_ino == start->ino;
}

static struct mw_floor_start *find(struct mw_floor_started *started, pid_t pid)
{
	struct mw_task task;

	for (unsigned int i = 0; i < MW_FLOOR_STARTED; i++)
		if (started->all[i].pid == pid && !mw_task_read(pid, &task) &&
		    task.start == started->all[i].start)
			return &started->all[i];
	return NULL;
}

bool mw_floor_started_awaits(const struct mw_floor_started *started, pid_t pid)
{
	for (unsigned int i = 0; i < MW_FLOOR_STARTED; i++)
		if (pid ? started->all[i].pid == pid : started->all[i].pid != 0)
			return true;
	return false;
}

void mw_floor_started_prune(struct mw_floor_started *started)
{
	for (unsigned int i = 0; i < MW_FLOOR_STARTED; i++)
		if (started->all[i].pid &&
		    !mw_task_runs(started->all[i].pid, started->all[i].start))
			started->all[i].pid = 0;
}

enum mw_floor_arrival mw_floor_started_look(struct mw_floor_started *started,
                                            const struct mw_tracee *tracee, uint64_t *ret_load)
{
	struct mw_floor_start *start = find(started, tracee->pid);
	enum mw_floor_arrival arrival = MW_ARRIVED_OTHER;
	struct stat now;

	*ret_load = 0;
	if (!start || !stat_program(tracee, &now))
		return MW_ARRIVED_NOT;
	if (is_program(start, &now) && has_words(tracee, start)) {
		arrival = start->free ? MW_ARRIVED_FREE : MW_ARRIVED;
	} else if (is_old(start, &now)) {
		if (start->tid == tracee->tid)
			start->pid = 0; /* it has come back: execve(2) has failed */
		return MW_ARRIVED_NOT;
	}
	*ret_load = start->load;
	start->pid = 0;
	return arrival;
}
