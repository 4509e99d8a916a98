/* What a child may do between the judgement of its call and the call. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../tools/floor_files.h"
#include "floor_child.h"

#define RACES 10000
#define STRANGER 12345

static char base[] = "/tmp/floor-race-XXXXXX";

/* The child's: the path of its calls, whose first part another thread changes all the time. */
static volatile char path[64];
static atomic_int over;

static void begin_with(const char *word)
{
	for (int i = 0; i < 3; i++)
		path[i] = word[i];
}

static void *flip_bytes(void *unused)
{
	while (!over) {
		begin_with("one");
		begin_with("two");
	}
	return unused;
}

static void *flip_link(void *unused)
{
	while (!over) {
		(void)!symlink("one", "fresh");
		rename("fresh", "flip");
		(void)!symlink("two", "fresh");
		rename("fresh", "flip");
	}
	return unused;
}

/* Turns the file itself, below a name that stays. */
static void *flip_file(void *unused)
{
	while (!over)
		syscall(SYS_renameat2, AT_FDCWD, "one/0", AT_FDCWD, "two/0", 2);
	return unused;
}

static _Noreturn void race(int out, void *(*flip)(void *), const char *dir, int names)
{
	pthread_t thread;
	int listener, fd;

	if (chdir(base) < 0 || pthread_create(&thread, NULL, flip, NULL))
		_exit(1);
	listener = floor_listen(SYS_openat);
	(void)!write(out, &listener, sizeof(listener));
	for (int i = 0; i < RACES; i++) {
		snprintf((char *)path, sizeof(path), "%s/%d", dir, i % names);
		fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_APPEND | O_WRONLY, 0600);
		(void)!write(fd, "", 1);
		close(fd);
	}
	over = 1;
	pthread_join(thread, NULL);
	_exit(0);
}

struct child {
	pid_t pid;
	int listener, end;
};

static struct child start(void *(*flip)(void *), const char *dir, int names)
{
	struct child child;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	child.pid = fork();
	if (!child.pid) {
		close(ends[0]);
		race(ends[1], flip, dir, names);
	}
	close(ends[1]);
	child.end = ends[0];
	assert_int_equal(read(ends[0], &child.listener, sizeof(int)), sizeof(int));
	child.listener = floor_fetch(child.pid, child.listener);
	assert_true(child.listener >= 0);
	return child;
}

static int end(struct child *child)
{
	int status;

	waitpid(child->pid, &status, 0);
	close(child->listener);
	close(child->end);
	return status;
}

static size_t entries(const char *name)
{
	char at[PATH_MAX];
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	snprintf(at, sizeof(at), "%s/%s", base, name);
	dir = opendir(at);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* Allows files in "one". Returns 1 when the call was made, else 0. */
static size_t judge(const struct mw_tracee *tracee, const struct seccomp_notif *note,
                    struct mw_floor_file_call *call)
{
	char allowed[64];
	uint64_t args[6];
	int error;

	snprintf(allowed, sizeof(allowed), "%s/one/", base);
	memcpy(args, note->data.args, sizeof(args));
	error = mw_floor_file_take(tracee, note->data.nr, args, call);
	assert_int_not_equal(error, MW_FLOOR_CANNOT);
	if (error < 0) {
		assert_int_equal(mw_tracee_fail(tracee, -error), 0);
		return 0;
	}
	if (strncmp(call->file, allowed, strlen(allowed)) != 0) {
		assert_int_equal(mw_tracee_fail(tracee, EPERM), 0);
		return 0;
	}
	sched_yield(); /* time for the other thread */
	assert_int_equal(mw_floor_file_perform(tracee, call), 0);
	return 1;
}

/* Files appear where they were judged to appear, and only there. */
static void check_race(void *(*flip)(void *), const char *dir)
{
	struct child child = start(flip, dir, RACES);
	size_t made = 0, seen = 0;
	struct seccomp_notif note;
	struct mw_tracee tracee;

	while (floor_next(child.listener, child.end, child.pid, &note, &tracee)) {
		struct mw_floor_file_call call;

		seen++;
		if (judge(&tracee, &note, &call)) {
			made++;
			assert_int_equal(access(call.file, F_OK), 0);
		}
		mw_floor_file_drop(&call);
	}
	assert_int_equal(end(&child), 0);
	assert_int_equal(seen, RACES);
	assert_true(made > 0 && made < RACES);
	assert_int_equal(entries("one"), made);
	assert_int_equal(entries("two"), 0);
}

static void test_bytes_flip(void **state)
{
	(void)state;
	check_race(flip_bytes, "one");
}

static void test_link_flips(void **state)
{
	(void)state;
	check_race(flip_link, "flip");
}

static void put(const char *name, const char *text)
{
	char at[PATH_MAX];
	FILE *file;

	snprintf(at, sizeof(at), "%s/%s", base, name);
	file = fopen(at, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* How many bytes the file with this inode has; it has one of the two names. */
static size_t size_of(ino_t inode)
{
	struct stat st;

	if (stat("one/0", &st) < 0 || st.st_ino != inode)
		assert_int_equal(stat("two/0", &st), 0);
	assert_int_equal(st.st_ino, inode);
	return (size_t)st.st_size;
}

/* The file that the child gets, and writes a byte to, is the one that was looked at, though another
 * has its name by then. */
static void test_file_flips(void **state)
{
	ino_t inodes[2] = {0, 0};
	size_t judged[2] = {0, 0};
	struct seccomp_notif note;
	struct mw_tracee tracee;
	struct child child;

	(void)state;
	put("one/0", "");
	put("two/0", "");
	child = start(flip_file, "one", 1);
	while (floor_next(child.listener, child.end, child.pid, &note, &tracee)) {
		struct mw_floor_file_call call;
		size_t which = 0;

		judge(&tracee, &note, &call);
		assert_false(call.is_new);
		while (which < 1 && inodes[which] && inodes[which] != call.at.st.st_ino)
			which++;
		inodes[which] = call.at.st.st_ino;
		judged[which]++;
		mw_floor_file_drop(&call);
	}
	assert_int_equal(end(&child), 0);
	assert_int_equal(judged[0] + judged[1], RACES);
	assert_true(judged[0] && judged[1]);
	assert_int_equal(size_of(inodes[0]), judged[0]);
	assert_int_equal(size_of(inodes[1]), judged[1]);
}

static int make_base(void **state)
{
	(void)state;
	return !mkdtemp(base) || chdir(base) < 0;
}

static int remove_base(void **state)
{
	char command[80];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return chdir("/") < 0 || system(command) != 0;
}

static int make_scene(void **state)
{
	(void)state;
	return mkdir("one", 0755) < 0 || mkdir("two", 0755) < 0 || symlink("two", "flip") < 0;
}

static int clear_scene(void **state)
{
	(void)state;
	return system("rm -rf one two flip fresh") != 0;
}

/* A child that makes one call, after `before`, and ends by `after`. */
struct single {
	void (*before)(void);
	long number, args[6];
	void (*after)(void);
};

static struct child start_single(const struct single *single)
{
	struct child child;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	child.pid = fork();
	if (!child.pid) {
		const long *a = single->args;
		int listener;
		long value;

		if (single->before)
			single->before();
		listener = floor_listen(single->number);
		(void)!write(ends[1], &listener, sizeof(listener));
		close(ends[0]);
		value = syscall(single->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (single->after)
			single->after();
		_exit(value < 0 ? errno : 0);
	}
	close(ends[1]);
	child.end = ends[0];
	assert_int_equal(read(ends[0], &child.listener, sizeof(int)), sizeof(int));
	child.listener = floor_fetch(child.pid, child.listener);
	assert_true(child.listener >= 0);
	return child;
}

static int take_next(struct child *child, struct mw_tracee *tracee, struct mw_floor_file_call *call)
{
	struct seccomp_notif note = {0};
	uint64_t args[6];

	assert_true(floor_next(child->listener, child->end, child->pid, &note, tracee));
	memcpy(args, note.data.args, sizeof(args));
	return mw_floor_file_take(tracee, note.data.nr, args, call);
}

#define OPEN_FILE                                                                                  \
	SYS_openat,                                                                                \
	{                                                                                          \
		AT_FDCWD, (long)"one/file", O_WRONLY | O_TRUNC                                     \
	}

/* Another file has come before the call: nothing is done, nothing answered. */
static void test_new_file_comes_first(void **state)
{
	const struct single single = {
	        NULL, SYS_openat, {AT_FDCWD, (long)"one/file", O_CREAT | O_WRONLY, 0600}, NULL};
	struct child child = start_single(&single);
	struct mw_floor_file_call call;
	struct mw_tracee tracee;

	(void)state;
	assert_int_equal(take_next(&child, &tracee, &call), 0);
	assert_true(call.is_new);
	assert_int_equal(symlink("../two/elsewhere", "one/file"), 0);
	assert_int_equal(mw_floor_file_perform(&tracee, &call), -EAGAIN);
	mw_floor_file_drop(&call);
	assert_int_equal(entries("two"), 0);
	assert_true(mw_tracee_valid(&tracee));
	assert_int_equal(mw_tracee_fail(&tracee, EPERM), 0);
	assert_int_equal(WEXITSTATUS(end(&child)), EPERM);
}

/* The holder of a lease is told, and nobody waits for it. */
static void test_lease(void **state)
{
	const struct single single = {NULL, OPEN_FILE, NULL};
	struct mw_floor_file_call call;
	struct mw_tracee tracee;
	struct child child;
	int fd;

	(void)state;
	put("one/file", "content");
	fd = open("one/file", O_RDONLY);
	signal(SIGIO, SIG_IGN);
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
		close(fd);
		skip();
	}
	child = start_single(&single);
	assert_int_equal(take_next(&child, &tracee, &call), 0);
	assert_int_equal(mw_floor_file_perform(&tracee, &call), -EAGAIN);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	assert_int_equal(mw_floor_file_perform(&tracee, &call), 0);
	mw_floor_file_drop(&call);
	assert_int_equal(end(&child), 0);
	close(fd);
}

static void limit_size(void)
{
	const struct rlimit limit = {10, 10};

	setrlimit(RLIMIT_FSIZE, &limit);
}

static void wait_for_signal(void)
{
	alarm(20);
	pause();
}

static void test_size_signal(void **state)
{
	const struct single single = {
	        limit_size, SYS_truncate, {(long)"one/file", 11}, wait_for_signal};
	struct mw_floor_file_call call;
	struct mw_tracee tracee;
	struct child child;
	int status;

	(void)state;
	put("one/file", "content");
	child = start_single(&single);
	assert_int_equal(take_next(&child, &tracee, &call), 0);
	assert_int_equal(mw_floor_file_perform(&tracee, &call), 0);
	mw_floor_file_drop(&call);
	status = end(&child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGXFSZ);
}

/* What a task with other rights asks for is named, and left alone. */
static void check_unlike(void (*before)(void))
{
	const struct single single = {before, OPEN_FILE, NULL};
	struct mw_floor_file_call call;
	struct mw_tracee tracee;
	struct child child;

	put("one/file", "content");
	child = start_single(&single);
	assert_int_equal(take_next(&child, &tracee, &call), MW_FLOOR_CANNOT);
	assert_non_null(call.file);
	assert_non_null(strstr(call.file, "/one/file"));
	mw_floor_file_drop(&call);
	mw_tracee_continue(&tracee);
	end(&child);
}

static void other_group(void)
{
	if (setregid(STRANGER, STRANGER) < 0)
		_exit(77);
}

static void other_fsuid(void)
{
	syscall(SYS_setfsuid, STRANGER);
}

static void other_users(void)
{
	unshare(CLONE_NEWUSER);
}

static bool can_have_own_users(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(unshare(CLONE_NEWUSER) < 0);
	return waitpid(pid, &status, 0) == pid && !status;
}

static void test_other_rights(void **state)
{
	(void)state;
	if (!geteuid()) {
		check_unlike(other_group);
		check_unlike(other_fsuid);
	}
	if (can_have_own_users())
		check_unlike(other_users);
	else if (geteuid())
		skip();
}

/* A child that is killed while it waits. */
static void test_death(void **state)
{
	const struct single single = {NULL, OPEN_FILE, NULL};
	struct mw_floor_file_call call;
	struct mw_tracee tracee;
	struct child child;
	struct stat st;

	(void)state;
	put("one/file", "content");
	child = start_single(&single);
	assert_int_equal(take_next(&child, &tracee, &call), 0);
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
	assert_false(mw_tracee_valid(&tracee));
	assert_int_equal(mw_floor_file_perform(&tracee, &call), -ENOENT);
	mw_floor_file_drop(&call);
	assert_int_equal(mw_tracee_fail(&tracee, EPERM), -ENOENT);
	assert_int_equal(stat("one/file", &st), 0);
	assert_int_equal(st.st_size, 7);
	close(child.listener);
	close(child.end);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_scene, clear_scene)
	const struct CMUnitTest tests[] = {
	        TEST(test_bytes_flip),           TEST(test_link_flips), TEST(test_file_flips),
	        TEST(test_new_file_comes_first), TEST(test_lease),      TEST(test_size_signal),
	        TEST(test_other_rights),         TEST(test_death),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
