#include "identity.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "jsontext.h"
#include "tasks.h"

#define ARGV_BYTES 16384
#define ARGV_MAX 64
#define ENVIRON_BYTES (256 << 10)
#define MOUNTS_BYTES (64 << 10)
#define ANCESTORS 16
#define NOBODY_LOGGED_IN 4294967295u

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

/* When the process started, by the clock of today: its ticks count from boot. */
static json_t *start_time(uint64_t ticks)
{
	const int64_t hertz = sysconf(_SC_CLK_TCK), second = 1000000000;
	struct timespec real, boot;
	char text[40];
	struct tm tm;
	int64_t ns;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	ns = (real.tv_sec - boot.tv_sec) * second + real.tv_nsec - boot.tv_nsec;
	ns += (int64_t)ticks * (second / hertz);
	seconds = ns / second;
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ".%02dZ",
	         (int)(ns % second / (second / 100)));
	return json_string(text);
}

static json_t *ancestor(pid_t pid)
{
	char comm[64];
	size_t len = mw_proc_read(pid, "comm", comm, sizeof(comm));
	json_t *argv = argv_of(pid, 1), *name = json_array_get(argv, 0);
	json_t *result;

	if (len && comm[len - 1] == '\n')
		comm[len - 1] = '\0';
	result = json_pack("{s:i, s:o, s:o, s:O?}", "pid", (int)pid, "comm", mw_json_text(comm),
	                   "exe", link_text(pid, "exe"), "argv0", name);
	json_decref(argv);
	return result;
}

static json_t *ancestors(pid_t pid)
{
	json_t *list = json_array();
	struct mw_task task;

	for (int i = 0; i < ANCESTORS && !mw_task_read(pid, &task) && task.parent > 0; i++) {
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

json_t *mw_identity_process(pid_t pid, pid_t tid)
{
	struct mw_task task;
	bool known = !mw_task_read(pid, &task);

	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "pid", (int)pid, "tid",
	                 thread_of(pid, tid), "start_time",
	                 known ? start_time(task.start) : json_null(), "exe", link_text(pid, "exe"),
	                 "argv", argv_of(pid, ARGV_MAX), "cwd", link_text(pid, "cwd"), "ancestors",
	                 ancestors(pid));
}

/* Asking for a name may go over the network: once for each user of the run is enough. */
static const char *name_of(uid_t uid)
{
	static struct {
		bool known;
		uid_t uid;
		char name[64];
	} last;
	char buffer[4096];
	struct passwd entry, *found = NULL;

	if (!last.known || last.uid != uid) {
		getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);
		snprintf(last.name, sizeof(last.name), "%s", found ? found->pw_name : "");
		last.known = true;
		last.uid = uid;
	}
	return last.name;
}

/* Of the line of /proc/<pid>/status with the supplementary groups. */
static json_t *groups_of(const char *status)
{
	const char *line = strstr(status, "\nGroups:\t");
	json_t *list = json_array();
	char *end;

	for (line = line ? line + 9 : ""; *line && *line != '\n'; line = end) {
		unsigned long gid = strtoul(line, &end, 10);

		if (end == line)
			break;
		json_array_append_new(list, json_integer((json_int_t)gid));
		end += strspn(end, " ");
	}
	return list;
}

json_t *mw_identity_user(pid_t pid)
{
	char text[4096];
	unsigned long uid, login;
	const char *line;
	json_t *groups;

	mw_proc_read(pid, "status", text, sizeof(text));
	groups = groups_of(text);
	line = strstr(text, "\nUid:\t");
	line = line ? strchr(line + 5, '\t') : NULL; /* the real one */
	line = line ? strchr(line + 1, '\t') : NULL; /* the effective one */
	uid = line ? strtoul(line, NULL, 10) : 0;
	mw_proc_read(pid, "loginuid", text, sizeof(text));
	login = *text ? strtoul(text, NULL, 10) : NOBODY_LOGGED_IN;
	return json_pack("{s:o, s:o, s:o, s:o}", "uid",
	                 line ? json_integer((json_int_t)uid) : json_null(), "name",
	                 line ? mw_json_text(name_of((uid_t)uid)) : json_null(), "groups", groups,
	                 "loginuid",
	                 login == NOBODY_LOGGED_IN ? json_null() : json_integer((json_int_t)login));
}

json_t *mw_identity_host(void)
{
	char boot[64] = "";
	struct utsname host = {0};
	FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!in || !fgets(boot, sizeof(boot), in))
		boot[0] = '\0';
	if (in)
		fclose(in);
	boot[strcspn(boot, "\n")] = '\0';
	uname(&host);
	return json_pack("{s:o, s:o, s:o}", "name", mw_json_text(host.nodename), "boot_id",
	                 mw_json_text(boot), "kernel", mw_json_text(host.release));
}

void mw_identity_cgroup(pid_t pid, struct mw_cgroup *ret)
{
	char *text = malloc(MOUNTS_BYTES);

	*ret = (struct mw_cgroup){0};
	if (!text)
		return;
	mw_proc_read(pid, "cgroup", text, 4096);
	mw_cgroup_parse(text, ret);
	if (!ret->container[0] || !ret->pod[0]) {
		mw_proc_read(pid, "mountinfo", text, MOUNTS_BYTES);
		mw_cgroup_mounts(text, ret);
	}
	free(text);
}

/* The values of a few variables that batch systems and launchers set. */
static const char *const variables[] = {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID",
                                        "PBS_JOBID",    "LSB_JOBID",     "TORCHELASTIC_RUN_ID",
                                        "RANK"};
enum { SLURM_JOB, SLURM_STEP, SLURM_RANK, PBS_JOB, LSF_JOB, TORCH_RUN, RANK, VARIABLES };

static void read_variables(pid_t pid, char values[static VARIABLES][MW_CGROUP_ID])
{
	char *text = malloc(ENVIRON_BYTES);
	size_t len = text ? mw_proc_read(pid, "environ", text, ENVIRON_BYTES) : 0;

	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		for (size_t i = 0; i < VARIABLES; i++) {
			size_t n = strlen(variables[i]);

			if (!strncmp(text + at, variables[i], n) && text[at + n] == '=')
				snprintf(values[i], MW_CGROUP_ID, "%s", text + at + n + 1);
		}
	}
	free(text);
}

static json_t *rank_of(const char *text)
{
	char *end;
	long rank = strtol(text, &end, 10);

	return *text && !*end && rank >= 0 ? json_integer(rank) : json_null();
}

json_t *mw_identity_job(pid_t pid, const struct mw_cgroup *cgroup)
{
	char values[VARIABLES][MW_CGROUP_ID] = {{0}};
	const char *kind = "slurm", *trust = "env", *step = "", *id = values[SLURM_JOB];

	read_variables(pid, values);
	if (cgroup->job[0]) {
		trust = "cgroup";
		id = cgroup->job;
		step = cgroup->step;
	} else if (id[0]) {
		step = values[SLURM_STEP];
	} else if (values[PBS_JOB][0]) {
		kind = "pbs";
		id = values[PBS_JOB];
	} else if (values[LSF_JOB][0]) {
		kind = "lsf";
		id = values[LSF_JOB];
	} else if (values[TORCH_RUN][0]) {
		kind = "torchelastic";
		id = values[TORCH_RUN];
	} else {
		return json_null();
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:s}", "kind", kind, "id", mw_json_text(id), "step",
	                 mw_json_text(step), "rank",
	                 rank_of(values[SLURM_RANK][0] ? values[SLURM_RANK] : values[RANK]),
	                 "trust", trust);
}

json_t *mw_identity_container(const struct mw_cgroup *cgroup)
{
	json_t *pod = json_null();

	if (!cgroup->container[0] && !cgroup->pod[0])
		return json_null();
	if (cgroup->pod[0])
		pod = json_pack("{s:n, s:n, s:s}", "namespace", "name", "uid", cgroup->pod);
	return json_pack("{s:o, s:n, s:o}", "id", mw_json_text(cgroup->container), "image", "pod",
	                 pod);
}
