/* Who a process was, while it runs and when it has gone. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

#include "../../tools/cgroup_path.h"
#include "../../tools/identity.h"
#include "../../tools/identity_cache.h"
#include "../../tools/identity_store.h"
#include "../../tools/tasks.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char root[] = "/tmp/test_identity_cache.XXXXXX";
static struct mw_identity_cache *cache;
static struct mw_identity_counts counts;

/* Which asks nobody on this machine. */
static int new_cache(void)
{
	json_t *sockets = json_array();
	int error = mw_identity_cache_new(root, sockets, &cache);

	json_decref(sockets);
	return error;
}

static int start(void **unused)
{
	(void)unused;
	strcpy(root, "/tmp/test_identity_cache.XXXXXX");
	return mkdtemp(root) ? new_cache() : -1;
}

static int end(void **unused)
{
	char command[100];

	(void)unused;
	mw_identity_cache_free(cache);
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static uint64_t start_of(pid_t pid)
{
	struct mw_task task;

	assert_int_equal(mw_task_read(pid, &task), 0);
	return task.start * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK)) + 1;
}

/* What `argv` starts, once it is there. */
static pid_t start_program(char *const argv[])
{
	char link[64], exe[256];
	pid_t pid = fork();
	ssize_t n = 0;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(argv[0], argv);
		_exit(127);
	}
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	for (int i = 0; i < 1000; i++) {
		n = readlink(link, exe, sizeof(exe) - 1);
		exe[n > 0 ? n : 0] = '\0';
		/* Its arguments come a moment after its name. */
		if (n > 0 && !strstr(exe, "test_identity") &&
		    mw_proc_read(pid, "cmdline", exe, sizeof(exe)))
			return pid;
		usleep(1000);
	}
	fail_msg("no program");
	return -1;
}

static pid_t start_sleep(void)
{
	char *argv[] = {"/bin/sleep", "1000", NULL};

	return start_program(argv);
}

static void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct mw_identity_hint hint_of(pid_t pid)
{
	return (struct mw_identity_hint){
	        .pid = pid, .tid = pid, .start_ns = start_of(pid), .uid = MW_IDENTITY_NO_UID};
}

/* "process.exe" of `who`. */
static json_t *get(const json_t *who, const char *path)
{
	char text[64], *rest = text;
	json_t *at = (json_t *)who;

	snprintf(text, sizeof(text), "%s", path);
	for (char *key; at && (key = strsep(&rest, "."));)
		at = json_object_get(at, key);
	return at;
}

static const char *string_of(const json_t *who, const char *path)
{
	const char *s = json_string_value(get(who, path));

	return s ? s : "";
}

static void nothing_is_known(const json_t *who)
{
	assert_true(json_is_null(get(who, "process.exe")));
	assert_true(json_is_null(get(who, "process.argv")));
	assert_true(json_is_null(get(who, "process.cwd")));
	assert_true(json_is_null(get(who, "user.uid")));
	assert_true(json_is_null(get(who, "user.name")));
	assert_true(json_is_null(get(who, "job")));
	assert_int_equal(json_array_size(get(who, "process.ancestors")), 0);
}

static void running_process_is_told_by_proc(void **unused)
{
	pid_t pid = start_sleep();
	struct mw_identity_hint hint = hint_of(pid);
	json_t *who = mw_identity_gather(cache, &hint), *also;

	(void)unused;
	assert_non_null(strstr(string_of(who, "process.exe"), "/"));
	assert_int_equal(json_integer_value(get(who, "process.pid")), pid);
	assert_int_equal(json_integer_value(get(who, "process.tid")), pid);
	assert_true(json_is_null(get(who, "process.ns_pid")));
	assert_string_equal(string_of(who, "process.comm"), "sleep");
	assert_int_equal(json_integer_value(get(who, "user.uid")), geteuid());
	hint.start_ns = 0;
	also = mw_identity_gather(NULL, &hint);
	assert_true(json_equal(who, also));
	json_decref(also);
	json_decref(who);
	finish(pid);
	mw_identity_counts(cache, &counts);
	assert_int_equal(counts.live, 1);
}

static void remembered_process_outlives_itself(void **unused)
{
	pid_t pid = start_sleep();
	struct mw_identity_hint hint = hint_of(pid);
	json_t *before, *after;

	(void)unused;
	mw_identity_note(cache, pid);
	before = mw_identity_gather(cache, &hint);
	kill(pid, SIGKILL);
	while (mw_identity_is_there(&hint))
		usleep(1000);
	/* A zombie still has a name and a user, but no program. */
	after = mw_identity_gather(cache, &hint);
	assert_true(json_equal(before, after));
	json_decref(after);
	waitpid(pid, NULL, 0);
	hint.tid = pid + 1;
	after = mw_identity_gather(cache, &hint);
	assert_int_equal(json_integer_value(get(after, "process.tid")), pid + 1);
	json_object_set_new(get(after, "process"), "tid", json_integer(pid));
	assert_true(json_equal(before, after));
	json_decref(after);

	/* The next one that has the pid is somebody else. */
	hint.start_ns += 1000000000;
	after = mw_identity_gather(cache, &hint);
	nothing_is_known(after);
	json_decref(after);
	hint.start_ns -= 1000000000;
	mw_identity_forget(cache, pid);
	after = mw_identity_gather(cache, &hint);
	nothing_is_known(after);
	json_decref(after);
	json_decref(before);
	mw_identity_counts(cache, &counts);
	assert_int_equal(counts.processes, 0);
	assert_int_equal(counts.bytes, 0);
	assert_int_equal(counts.noted, 1);
	assert_int_equal(counts.remembered, 2);
	assert_int_equal(counts.unknown, 2);
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* Its memory is out of the kernel's sight, as in a process that is about to end; it is not dead. */
static pid_t start_without_main_thread(int go)
{
	pid_t pid = fork();
	pthread_t other;
	char byte;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) != 1 || pthread_create(&other, NULL, wait_for_ever, NULL))
		_exit(1);
	syscall(SYS_exit, 0);
	_exit(1);
}

static void process_that_is_ending_is_who_it_was(void **unused)
{
	struct mw_identity_hint hint, by_pid;
	json_t *before, *after, *seen;
	char link[64], exe[8];
	int go[2];
	pid_t pid;

	(void)unused;
	assert_int_equal(pipe(go), 0);
	pid = start_without_main_thread(go[0]);
	hint = by_pid = hint_of(pid);
	by_pid.start_ns = 0;
	mw_identity_note(cache, pid);
	before = mw_identity_gather(cache, &hint);
	assert_int_equal(write(go[1], "", 1), 1);
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	while (readlink(link, exe, sizeof(exe)) >= 0)
		usleep(1000);
	assert_true(mw_identity_is_there(&hint));
	mw_identity_note(cache, pid); /* too late */
	after = mw_identity_gather(cache, &hint);
	assert_true(json_equal(before, after));
	seen = mw_identity_gather(cache, &by_pid);
	assert_true(json_equal(before, seen));
	json_decref(seen);
	finish(pid);
	seen = mw_identity_gather(cache, &by_pid);
	assert_true(json_equal(get(before, "process.argv"), get(seen, "process.argv")));
	assert_true(json_equal(get(before, "user"), get(seen, "user")));
	json_decref(seen);
	json_decref(after);
	json_decref(before);
	close(go[0]);
	close(go[1]);
}

static void event_tells_what_it_knows(void **unused)
{
	pid_t pid = start_sleep();
	struct mw_identity_hint hint = hint_of(pid);
	json_t *who;

	(void)unused;
	finish(pid);
	hint.uid = 0;
	hint.comm = "curl";
	hint.exe = "/usr/bin/curl";
	who = mw_identity_gather(cache, &hint);
	assert_string_equal(string_of(who, "process.comm"), "curl");
	assert_string_equal(string_of(who, "process.exe"), "/usr/bin/curl");
	assert_string_equal(string_of(who, "user.name"), "root");
	assert_non_null(get(who, "process.start_time"));
	assert_true(json_is_string(get(who, "process.start_time")));
	assert_true(json_is_null(get(who, "process.argv")));
	json_decref(who);
}

static void child_is_known_by_its_parent(void **unused)
{
	pid_t pid = start_sleep();
	struct mw_identity_hint hint = hint_of(pid);
	json_t *who, *first;

	(void)unused;
	finish(pid);
	hint.parent = getpid();
	hint.parent_start_ns = start_of(getpid());
	who = mw_identity_gather(cache, &hint);
	first = json_array_get(get(who, "process.ancestors"), 0);
	assert_int_equal(json_integer_value(get(first, "pid")), getpid());
	assert_non_null(strstr(string_of(first, "exe"), "test_identity"));
	assert_true(json_array_size(get(who, "process.ancestors")) > 1);
	assert_int_equal(json_integer_value(get(who, "user.uid")), geteuid());
	assert_int_equal(json_integer_value(get(who, "process.pid")), pid);
	assert_true(json_is_null(get(who, "process.exe")));
	assert_true(json_is_null(get(who, "process.argv")));
	json_decref(who);

	hint.uid = 65534; /* it has become another user's */
	who = mw_identity_gather(cache, &hint);
	assert_int_equal(json_integer_value(get(who, "user.uid")), 65534);
	assert_string_equal(string_of(who, "user.name"), "nobody");
	assert_int_equal(json_array_size(get(who, "user.groups")), 0);
	json_decref(who);

	hint.uid = MW_IDENTITY_NO_UID;
	hint.parent_start_ns += 1000000000; /* not this one */
	who = mw_identity_gather(cache, &hint);
	nothing_is_known(who);
	json_decref(who);
	mw_identity_counts(cache, &counts);
	assert_int_equal(counts.inherited, 2);
	assert_int_equal(counts.unknown, 1);
}

static void long_command_lines_are_shortened(void **unused)
{
	static char text[3000];
	char *argv[70] = {"/bin/sh", "-c", "kill -STOP $$", text};
	struct mw_identity_hint hint;
	json_t *who;
	pid_t pid;

	(void)unused;
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 4; i < 69; i++)
		argv[i] = "0123456789012345678901234567890123456789";
	pid = start_program(argv);
	hint = hint_of(pid);
	mw_identity_note(cache, pid);
	mw_identity_counts(cache, &counts);
	assert_int_equal(counts.processes, 1);
	assert_true(counts.bytes <= MW_IDENTITY_BYTES);
	assert_true(counts.bytes > 500);
	finish(pid);
	who = mw_identity_gather(cache, &hint);
	assert_in_range(json_array_size(get(who, "process.argv")), 1, 64);
	assert_true(json_array_size(get(who, "process.ancestors")) > 0);
	json_decref(who);
}

static void least_used_leaves_first(void **unused)
{
	struct mw_identity_store *store = mw_identity_store_new(3);
	size_t count, bytes;

	(void)unused;
	assert_int_equal(mw_identity_store_put(store, 1, 10, "one", 3), 0);
	assert_int_equal(mw_identity_store_put(store, 1025, 10, "two", 3), 0);
	assert_int_equal(mw_identity_store_put(store, 3, 10, "three", 5), 0);
	assert_string_equal(mw_identity_store_get(store, 1, 10), "one");
	assert_int_equal(mw_identity_store_put(store, 3, 10, "3", 1), 0);
	assert_int_equal(mw_identity_store_put(store, 4, 10, "four", 4), 1);
	assert_null(mw_identity_store_get(store, 1025, 10));
	assert_string_equal(mw_identity_store_get(store, 1, 0), "one");
	assert_string_equal(mw_identity_store_get(store, 3, 10), "3");
	assert_null(mw_identity_store_get(store, 3, 11));
	mw_identity_store_size(store, &count, &bytes);
	assert_int_equal(count, 3);
	mw_identity_store_drop(store, 1);
	mw_identity_store_drop(store, 1);
	assert_null(mw_identity_store_get(store, 1, 10));
	mw_identity_store_free(store);
}

/* A process in a PID namespace of its own, in a user namespace too where that is needed. Its pid
 * here; a byte comes through `ready` when it is there. */
static pid_t start_contained(int ready)
{
	int flags = CLONE_NEWPID | CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0);
	pid_t pid = -1;

	if (unshare(flags) < 0)
		_exit(77);
	pid = fork();
	if (!pid) {
		/* The number that it has here is read by its parent's caller from /proc. */
		dprintf(ready, "!");
		pause();
	}
	return pid;
}

static void pid_in_its_own_namespace(void **unused)
{
	int ready[2], numbers[2];
	struct mw_identity_hint hint;
	pid_t outer, pid = 0;
	json_t *who;
	char byte;

	(void)unused;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(numbers), 0);
	outer = fork();
	if (!outer) {
		close(ready[0]);
		pid = start_contained(ready[1]);
		close(ready[1]);
		if (write(numbers[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	close(ready[1]);
	close(numbers[1]);
	if (read(ready[0], &byte, 1) != 1) {
		finish(outer);
		skip(); /* namespaces are not for us */
	}
	assert_int_equal(read(numbers[0], &pid, sizeof(pid)), sizeof(pid));
	hint = hint_of(pid);
	mw_identity_note(cache, pid);
	who = mw_identity_gather(cache, &hint);
	assert_int_equal(json_integer_value(get(who, "process.ns_pid")), 1);
	assert_int_equal(json_integer_value(get(who, "process.pid")), pid);
	json_decref(who);
	kill(pid, SIGKILL);
	waitpid(outer, NULL, 0);
	who = mw_identity_gather(cache, &hint);
	assert_int_equal(json_integer_value(get(who, "process.ns_pid")), 1);
	json_decref(who);
	close(ready[0]);
	close(numbers[0]);
}

/* Where version 2 is mounted, or NULL when no group can be made there. */
static const char *make_groups(char *path, size_t size)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

	for (size_t i = 0; i < 2; i++) {
		char file[64];

		snprintf(file, sizeof(file), "%s/cgroup.procs", mounts[i]);
		if (access(file, W_OK))
			continue;
		snprintf(path, size, "%s/modelwatch_test_%d", mounts[i], (int)getpid());
		if (mkdir(path, 0755))
			continue;
		strcat(path, "/docker-" HEX ".scope");
		assert_int_equal(mkdir(path, 0755), 0);
		return mounts[i];
	}
	return NULL;
}

static void remove_groups(char *path)
{
	assert_int_equal(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
}

static void write_state(void)
{
	char path[400];
	FILE *out;

	snprintf(path, sizeof(path), "mkdir -p -m 755 %s/var/lib/docker/containers/" HEX, root);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/var/lib/docker/containers/" HEX "/config.v2.json", root);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs("{\"Name\":\"/ada\",\"Config\":{\"Image\":\"train:1\"}}", out);
	fclose(out);
	assert_int_equal(chmod(path, 0644), 0);
}

static void group_is_known_by_its_number(void **unused)
{
	struct mw_identity_hint hint = hint_of(getpid());
	char path[256], text[256];
	const char *mount = make_groups(path, sizeof(path));
	struct mw_cgroup_paths *paths;
	struct stat st;
	json_t *who;

	(void)unused;
	if (!mount)
		skip(); /* not root, or no version 2 */
	write_state();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(mw_cgroup_paths_open(&paths), 0);
	assert_int_equal(mw_cgroup_path(paths, st.st_ino, text, sizeof(text)), 0);
	assert_string_equal(text, path + strlen(mount));
	assert_int_equal(mw_cgroup_path(paths, st.st_ino, text, 4), -ENAMETOOLONG);
	assert_int_equal(mw_cgroup_path(paths, 1, text, sizeof(text)), 0);
	assert_string_equal(text, "/");
	assert_int_equal(mw_cgroup_path(paths, 0, text, sizeof(text)), -ESTALE);

	hint.start_ns += 1000000000; /* it has gone */
	hint.cgroup = st.st_ino;
	who = mw_identity_gather(cache, &hint);
	assert_string_equal(string_of(who, "container.id"), HEX);
	assert_string_equal(string_of(who, "container.runtime"), "docker");
	assert_string_equal(string_of(who, "container.image"), "train:1");
	assert_string_equal(string_of(who, "container.trust"), "cgroup");
	json_decref(who);
	remove_groups(path);

	/* What has been asked for is kept; what was not is gone. */
	assert_int_equal(mw_cgroup_path(paths, st.st_ino, text, sizeof(text)), 0);
	mw_cgroup_paths_close(paths);
	assert_int_equal(mw_cgroup_paths_open(&paths), 0);
	assert_int_equal(mw_cgroup_path(paths, st.st_ino, text, sizeof(text)), -ESTALE);
	mw_cgroup_paths_close(paths);
	who = mw_identity_gather(cache, &hint);
	assert_string_equal(string_of(who, "container.image"), "train:1");
	json_decref(who);
	mw_identity_counts(cache, &counts);
	assert_int_equal(counts.containers.found, 1);
	assert_int_equal(counts.containers.missing, 0);
}

/* A child that is in the group, noted, gone with its group; then another of its group is asked for.
 */
static void noted_group_outlives_itself(void **unused)
{
	pid_t pid = start_sleep();
	struct mw_identity_hint hint = hint_of(pid);
	char path[256], file[300];
	struct stat st;
	json_t *who;
	FILE *out;

	(void)unused;
	if (!make_groups(path, sizeof(path))) {
		finish(pid);
		skip();
	}
	assert_int_equal(stat(path, &st), 0);
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	out = fopen(file, "w");
	assert_non_null(out);
	fprintf(out, "%d\n", (int)pid);
	assert_int_equal(fclose(out), 0);
	mw_identity_note(cache, pid);
	finish(pid);
	while (rmdir(path) < 0 && errno == EBUSY)
		usleep(1000);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);

	who = mw_identity_gather(cache, &hint);
	assert_string_equal(string_of(who, "container.id"), HEX);
	assert_true(json_is_null(get(who, "container.image")));
	json_decref(who);
	mw_identity_counts(cache, &counts);
	assert_int_equal(counts.containers.missing, 1);
	hint.start_ns += 1000000000;
	hint.cgroup = st.st_ino;
	who = mw_identity_gather(cache, &hint);
	assert_string_equal(string_of(who, "container.id"), HEX);
	json_decref(who);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
	        TEST(running_process_is_told_by_proc),
	        TEST(remembered_process_outlives_itself),
	        TEST(process_that_is_ending_is_who_it_was),
	        TEST(event_tells_what_it_knows),
	        TEST(child_is_known_by_its_parent),
	        TEST(long_command_lines_are_shortened),
	        TEST(least_used_leaves_first),
	        TEST(pid_in_its_own_namespace),
	        TEST(group_is_known_by_its_number),
	        TEST(noted_group_outlives_itself),
	};

	return cmocka_run_group_tests_name("identity_cache", tests, NULL, NULL);
}
