#include "tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINEAGE_MAX 65536
#define LINEAGE_TRIES 3
#define CHILDREN_MAX 4096
#define KILL_ROUNDS 200
#define KILL_PAUSE_NS 10000000

/* Field `n` of the line, counted as proc(5) does, where `text` begins with the third. */
static unsigned long long field(const char *text, int n)
{
	for (int i = 3; i < n && text; i++) {
		text = strchr(text, ' ');
		text += text != NULL;
	}
	return text ? strtoull(text, NULL, 10) : 0;
}

int mw_task_read(pid_t pid, struct mw_task *ret)
{
	char path[40], text[1024], *end;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return -ESRCH;
	text[len] = '\0';
	end = strrchr(text, ')'); /* the name before it is the process's to choose */
	if (!end || end[1] != ' ')
		return -EBADMSG;
	end += 2;
	ret->pid = pid;
	ret->parent = (pid_t)field(end, 4);
	ret->group = (pid_t)field(end, 5);
	ret->start = field(end, 22);
	ret->dead = (*end == 'Z' || *end == 'X') && field(end, 20) <= 1;
	return 0;
}

bool mw_task_runs(pid_t pid, uint64_t start)
{
	struct mw_task task;
	int error = mw_task_read(pid, &task);

	return error ? error != -ESRCH : task.start == start && !task.dead;
}

/* Who has a parent that is younger has another one by now. */
static ssize_t try_lineage(pid_t pid, struct mw_task *ret, size_t cap, bool *ret_whole)
{
	ssize_t count = 0;

	*ret_whole = true;
	while (pid > 0 && (size_t)count < cap) {
		int error = mw_task_read(pid, &ret[count]);

		if (error && !count)
			return error;
		if (error || (count && ret[count].start > ret[count - 1].start)) {
			*ret_whole = false;
			break;
		}
		pid = ret[count++].parent;
	}
	return count;
}

ssize_t mw_task_lineage(pid_t pid, struct mw_task *ret, size_t cap)
{
	bool whole = false;
	ssize_t count = 0;

	for (int i = 0; i < LINEAGE_TRIES && !whole && count >= 0; i++)
		count = try_lineage(pid, ret, cap, &whole);
	return count;
}

uint64_t mw_task_now(void)
{
	uint64_t hertz = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * hertz + (uint64_t)now.tv_nsec * hertz / 1000000000;
}

/* The children that thread `tid` of `pid` started, at most `cap`. Returns how many, or -ENOENT when
 * the kernel does not tell. */
static ssize_t read_children(pid_t pid, pid_t tid, pid_t *ret, size_t cap)
{
	char path[64], *text = NULL;
	size_t count = 0, size = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)tid);
	in = fopen(path, "re");
	if (!in)
		return -ENOENT;
	while (count < cap && getdelim(&text, &size, ' ', in) > 0)
		ret[count++] = (pid_t)strtol(text, NULL, 10);
	free(text);
	fclose(in);
	return (ssize_t)count;
}

size_t mw_task_children(pid_t *ret, size_t cap)
{
	ssize_t count = read_children(getpid(), gettid(), ret, cap);

	return count < 0 ? 0 : (size_t)count;
}

static bool contains(const pid_t *pids, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

bool mw_task_started(pid_t pid, pid_t tid, pid_t child)
{
	struct mw_task task;
	pid_t children[CHILDREN_MAX];
	ssize_t count;

	if (mw_task_read(child, &task) < 0 || task.parent != pid)
		return false;
	count = read_children(pid, tid, children, CHILDREN_MAX);
	return count < 0 || count == CHILDREN_MAX || contains(children, (size_t)count, child);
}

static int compare(const void *a, const void *b)
{
	const struct mw_task *x = a, *y = b;

	return (x->parent > y->parent) - (x->parent < y->parent);
}

/* Every process, ordered by parent. */
static ssize_t read_all(struct mw_task **ret)
{
	struct mw_task *all = NULL, *more, one;
	size_t count = 0, cap = 0;
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || mw_task_read(pid, &one) < 0)
			continue;
		if (count == cap) {
			cap = cap ? 2 * cap : 256;
			more = realloc(all, cap * sizeof(*all));
			if (!more) {
				free(all);
				closedir(proc);
				return -ENOMEM;
			}
			all = more;
		}
		all[count++] = one;
	}
	closedir(proc);
	if (count)
		qsort(all, count, sizeof(*all), compare);
	*ret = all;
	return (ssize_t)count;
}

ssize_t mw_task_in_group(pid_t group)
{
	struct mw_task *all = NULL;
	ssize_t total = read_all(&all), count = 0;

	if (total < 0)
		return total;
	for (ssize_t i = 0; i < total; i++)
		count += all[i].group == group;
	free(all);
	return count;
}

static size_t first_child(const struct mw_task *all, size_t count, pid_t parent)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

ssize_t mw_task_descendants(pid_t root, const pid_t *skip, size_t skip_count, pid_t *ret,
                            size_t cap)
{
	struct mw_task *all = NULL;
	ssize_t total = read_all(&all);
	size_t count = 0, next = 0;

	if (total < 0 || !all)
		return total;
	for (pid_t parent = root;; parent = ret[next++]) {
		for (size_t i = first_child(all, (size_t)total, parent);
		     i < (size_t)total && all[i].parent == parent && count < cap; i++)
			if (!all[i].dead && !contains(skip, skip_count, all[i].pid))
				ret[count++] = all[i].pid;
		if (next == count)
			break;
	}
	free(all);
	return (ssize_t)count;
}

static int signal_all(const pid_t *pids, size_t count, int number)
{
	int result = 0;

	for (size_t i = 0; i < count; i++)
		if (kill(pids[i], number) < 0 && errno == EPERM)
			result = -EPERM;
	return result;
}

int mw_task_kill_lineage(const pid_t *skip, size_t skip_count)
{
	const struct timespec pause = {.tv_nsec = KILL_PAUSE_NS};
	pid_t *pids = calloc(LINEAGE_MAX, sizeof(*pids));
	ssize_t count, stopped;
	int result = -ENOMEM;

	for (int round = 0; pids && round < KILL_ROUNDS; round++) {
		count = mw_task_descendants(getpid(), skip, skip_count, pids, LINEAGE_MAX);
		result = count < 0 ? (int)count : 0;
		if (count <= 0)
			break;
		do {
			stopped = count;
			signal_all(pids, (size_t)count, SIGSTOP);
			count = mw_task_descendants(getpid(), skip, skip_count, pids, LINEAGE_MAX);
		} while (count > stopped);
		if (count > 0)
			result = signal_all(pids, (size_t)count, SIGKILL);
		nanosleep(&pause, NULL);
	}
	free(pids);
	return result;
}
