#include "identity.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "jsontext.h"
#include "tasks.h"

#define ARGV_BYTES 16384
#define ARGV_MAX 64

size_t mw_proc_read(pid_t pid, const char *name, char *out, size_t size)
{
	char path[64];
	size_t got = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && got < size - 1 && (n = read(fd, out + got, size - 1 - got)) > 0)
		got += (size_t)n;
	if (fd >= 0)
		close(fd);
	out[got] = '\0';
	return got;
}

static json_t *link_text(pid_t pid, const char *name)
{
	char path[64], text[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, text, sizeof(text));
	return mw_json_bytes(n > 0 ? text : NULL, n > 0 ? (size_t)n : 0);
}

/* The strings of /proc/<pid>/cmdline, at most `max`; null when there are none (a kernel thread, or
 * a process that has ended). */
static json_t *argv_of(pid_t pid, size_t max)
{
	char text[ARGV_BYTES];
	size_t len = mw_proc_read(pid, "cmdline", text, sizeof(text));
	json_t *list = len ? json_array() : json_null();
	struct mw_redact_argv argv = {0};

	for (size_t at = 0; at < len && json_array_size(list) < max; at += strlen(text + at) + 1)
		json_array_append_new(list, mw_json_arg(&argv, text + at, strlen(text + at)));
	return list;
}

json_t *mw_identity_start_time(uint64_t ticks)
{
	const int64_t hertz = sysconf(_SC_CLK_TCK), second = 1000000000;
	struct timespec real, boot;
	char text[40];
	struct tm tm;
	int64_t ns;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	/* Nothing has started after now. */
	if (ticks > ((uint64_t)boot.tv_sec + 1) * (uint64_t)hertz)
		return json_null();
	ns = (real.tv_sec - boot.tv_sec) * second + real.tv_nsec - boot.tv_nsec;
	ns += (int64_t)ticks * (second / hertz);
	seconds = ns / second;
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ".%02dZ",
	         (int)(ns % second / (second / 100)));
	return json_string(text);
}

static json_t *comm_of(pid_t pid)
{
	char comm[64];
	size_t len = mw_proc_read(pid, "comm", comm, sizeof(comm));

	if (len && comm[len - 1] == '\n')
		comm[len - 1] = '\0';
	return mw_json_text(comm);
}

static json_t *ancestor(pid_t pid)
{
	json_t *argv = argv_of(pid, 1), *name = json_array_get(argv, 0);
	json_t *result = json_pack("{s:i, s:o, s:o, s:O?}", "pid", (int)pid, "comm", comm_of(pid),
	                           "exe", link_text(pid, "exe"), "argv0", name);

	json_decref(argv);
	return result;
}

static json_t *ancestors(pid_t pid)
{
	json_t *list = json_array();
	struct mw_task task;

	for (int i = 0; i < MW_IDENTITY_ANCESTORS && !mw_task_read(pid, &task) && task.parent > 0;
	     i++) {
		pid = task.parent;
		json_array_append_new(list, ancestor(pid));
	}
	return list;
}

/* A thread number of another PID namespace means nothing here. */
static json_t *thread_of(pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	return tid > 0 && !access(path, F_OK) ? json_integer(tid) : json_null();
}

/* The last number of the line NSpid is the one that the process itself sees; with a single one, it
 * sees what we see. The line comes after that of the groups, which can be long. */
static json_t *pid_inside(pid_t pid)
{
	char path[64], *line = NULL, *at, *end;
	size_t size = 0, count = 0;
	json_int_t number = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	in = fopen(path, "re");
	while (in && !count && getline(&line, &size, in) > 0) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		for (at = line + 6; *at && *at != '\n'; at = end, count++)
			number = strtol(at, &end, 10);
	}
	if (in)
		fclose(in);
	free(line);
	return count > 1 ? json_integer(number) : json_null();
}

json_t *mw_identity_process(pid_t pid, pid_t tid, const struct mw_cgroup *cgroup)
{
	struct mw_task task;
	bool known = !mw_task_read(pid, &task);

	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pid", (int)pid,
	                 "ns_pid", pid_inside(pid), "tid", thread_of(pid, tid), "start_time",
	                 known ? mw_identity_start_time(task.start) : json_null(), "comm",
	                 comm_of(pid), "exe", link_text(pid, "exe"), "argv", argv_of(pid, ARGV_MAX),
	                 "cwd", link_text(pid, "cwd"), "unit", mw_json_text(cgroup->unit),
	                 "user_unit", mw_json_text(cgroup->user_unit), "ancestors", ancestors(pid));
}
