#include "daemon_given.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "identity.h"
#include "tasks.h"

#define ENVIRONMENT 32768
#define NS INT64_C(1000000000)

static void read_link(pid_t pid, const char *name, char ret[static PATH_MAX])
{
	char path[40];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	len = readlink(path, ret, PATH_MAX - 1);
	ret[len > 0 ? len : 0] = '\0';
}

static const char *variable(const char *all, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (size_t at = 0; at < len; at += strlen(all + at) + 1)
		if (!strncmp(all + at, name, n) && all[at + n] == '=')
			return all + at + n + 1;
	return "";
}

static char *put(char *to, const char *text, const char **ret)
{
	size_t len = strlen(text) + 1;

	*ret = to;
	memcpy(to, text, len);
	return to + len;
}

static int fill(struct mw_given *ret, pid_t pid)
{
	static char all[ENVIRONMENT];
	char exe[PATH_MAX], cwd[PATH_MAX], *to;
	size_t len = mw_proc_read(pid, "environ", all, sizeof(all));
	const char *path = variable(all, len, "PYTHONPATH");
	const char *prefix = variable(all, len, "PYTHONPYCACHEPREFIX");

	read_link(pid, "exe", exe);
	read_link(pid, "cwd", cwd);
	to = malloc(strlen(exe) + strlen(cwd) + strlen(path) + strlen(prefix) + 4);
	if (!to)
		return -1;
	free(ret->text);
	ret->text = to;
	to = put(to, exe, &ret->exe);
	to = put(to, cwd, &ret->cwd);
	to = put(to, path, &ret->python_path);
	put(to, prefix, &ret->pycache_prefix);
	ret->is_whole = len > 0;
	return 0;
}

static struct mw_given *find(struct mw_givens *givens, pid_t pid)
{
	for (uint32_t i = 0; i < MW_GIVEN; i++)
		if (givens->at[i].pid == pid)
			return &givens->at[i];
	return NULL;
}

const struct mw_given *mw_given_note(struct mw_givens *givens, pid_t pid)
{
	struct mw_given *place = find(givens, pid);
	struct mw_task task;

	if (mw_task_read(pid, &task) || task.dead)
		return NULL;
	if (!place)
		place = &givens->at[givens->next++ % MW_GIVEN];
	place->pid = 0;
	if (fill(place, pid))
		return NULL;
	place->pid = pid;
	place->start = task.start;
	return place;
}

/* While a program is put into the place of another one it has none yet. */
static bool has_environment(pid_t pid)
{
	char first[2];

	return mw_proc_read(pid, "environ", first, sizeof(first)) > 0;
}

const struct mw_given *mw_given_of(struct mw_givens *givens, pid_t pid, uint64_t start_ns)
{
	const struct mw_given *known = find(givens, pid);
	uint64_t start = start_ns / (uint64_t)(NS / sysconf(_SC_CLK_TCK));

	if (!known || (start && known->start != start) ||
	    (!known->is_whole && has_environment(pid)))
		known = mw_given_note(givens, pid);
	return known && (known->start == start || !start) ? known : NULL;
}

void mw_given_clear(struct mw_givens *givens)
{
	for (uint32_t i = 0; i < MW_GIVEN; i++)
		free(givens->at[i].text);
	*givens = (struct mw_givens){.next = 0};
}
