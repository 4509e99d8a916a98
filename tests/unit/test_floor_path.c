/* Paths as another task sees them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/floor_path.h"

#define DIR_FD 60
#define PIPE_FD 61
#define FILE_FD 62
#define FOLLOW MW_FLOOR_FOLLOW
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char base[] = "/tmp/floor-path-XXXXXX";
static pid_t *thread_id; /* shared with the child */

struct case_ {
	const char *path;
	const char *file; /* below base; what begins with "//" is below /proc/PID */
	int flags, dir;   /* 0: AT_FDCWD */
	int error;
	enum mw_floor_last last;
	mode_t type; /* 0: there is no such file */
	bool slash;
};

static void put(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int make_scene(void **state)
{
	char chain[2][16];

	(void)state;
	if (!mkdtemp(base) || chdir(base) < 0)
		return -1;
	thread_id = mmap(NULL, sizeof(*thread_id), PROT_READ | PROT_WRITE,
	                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mkdir("dir", 0755);
	mkdir("dir/sub", 0755);
	mkdir("gone", 0755);
	put("file", "file");
	put("dir/inner", "inner");
	mkfifo("fifo", 0600);
	put("chain0", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(chain[0], sizeof(chain[0]), "chain%d", i - 1);
		snprintf(chain[1], sizeof(chain[1]), "chain%d", i);
		assert_int_equal(symlink(chain[0], chain[1]), 0);
	}
	return symlink("file", "link") || symlink("nowhere", "dangling") ||
	       symlink("dir/", "dirlink") || symlink("loop", "loop") ||
	       symlink("/inner", "dir/absolute") || symlink("../..//./", "dir/up") ||
	       symlink("/proc/self/fd", "descriptors");
}

static int clear_scene(void **state)
{
	char command[80];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return chdir("/") < 0 || system(command) != 0;
}

/* A thread with a working directory of its own. */
static void *elsewhere(void *dir)
{
	if (unshare(CLONE_FS) < 0 || chdir(dir) < 0)
		_exit(1);
	*thread_id = gettid();
	for (;;)
		pause();
}

static _Noreturn void be_child(void (*before)(void), int out)
{
	static char sub[] = "sub";
	pthread_t thread;
	int ends[2];

	if (chdir("dir") < 0 || pipe(ends) < 0)
		_exit(1);
	dup2(open("..", O_RDONLY), DIR_FD);
	dup2(ends[1], PIPE_FD);
	dup2(open("inner", O_RDONLY), FILE_FD);
	if (before)
		before();
	*thread_id = 0;
	pthread_create(&thread, NULL, elsewhere, sub);
	while (!*(volatile pid_t *)thread_id)
		sched_yield();
	(void)!write(out, "", 1);
	for (;;)
		pause();
}

static struct mw_tracee start(void (*before)(void))
{
	struct mw_tracee tracee = {.listener = -1};
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	tracee.pid = tracee.tid = fork();
	if (!tracee.pid)
		be_child(before, ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return tracee;
}

static void end(const struct mw_tracee *tracee)
{
	kill(tracee->pid, SIGKILL);
	waitpid(tracee->pid, NULL, 0);
}

static void check_held(const struct case_ *c, const struct mw_floor_path *path)
{
	struct stat st;

	assert_int_equal(path->exists, c->type != 0);
	assert_int_equal(path->entry >= 0, path->exists);
	if (path->exists) {
		assert_int_equal(path->st.st_mode & S_IFMT, c->type);
		assert_int_equal(fcntl(path->entry, F_GETFL) & O_PATH, O_PATH);
	}
	if (c->last == MW_LAST_FILE) {
		assert_int_equal(path->parent, -1);
		return;
	}
	assert_int_equal(fcntl(path->parent, F_GETFL) & O_PATH, O_PATH);
	assert_int_equal(
	        fstatat(path->parent, path->name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH),
	        path->exists ? 0 : -1);
	if (path->exists)
		assert_int_equal(st.st_ino, path->st.st_ino);
}

static void check(const struct mw_tracee *tracee, const struct case_ *c)
{
	struct mw_floor_path path;
	char expected[PATH_MAX];
	int error = mw_floor_path(tracee, c->dir ? c->dir : AT_FDCWD, c->path, c->flags, &path);

	if (error != c->error)
		print_error("%s: %d\n", c->path, error);
	assert_int_equal(error, c->error);
	if (!error) {
		if (!strncmp(c->file, "//", 2))
			snprintf(expected, sizeof(expected), "/proc/%d%s", tracee->pid,
			         c->file + 1);
		else
			snprintf(expected, sizeof(expected), "%s%s", base, c->file);
		assert_string_equal(path.file, expected);
		assert_int_equal(path.last, c->last);
		assert_int_equal(path.slash, c->slash);
		check_held(c, &path);
	}
	mw_floor_path_close(&path);
	mw_floor_path_close(&path);
}

static void check_all(const struct mw_tracee *tracee, const struct case_ *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(tracee, &cases[i]);
}

static void test_names(void **state)
{
	const struct case_ cases[] = {
	        {"new", "/dir/new", 0, 0, 0, MW_LAST_NAME, 0, false},
	        {"inner", "/dir/inner", 0, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"./sub/.././/inner", "/dir/inner", 0, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"../fifo", "/fifo", FOLLOW, 0, 0, MW_LAST_NAME, S_IFIFO, false},
	        {"sub//", "/dir/sub", 0, 0, 0, MW_LAST_NAME, S_IFDIR, true},
	        {"sub/.", "/dir/sub", 0, 0, 0, MW_LAST_DOT, S_IFDIR, false},
	        {"sub/..", "/dir", 0, 0, 0, MW_LAST_DOTDOT, S_IFDIR, false},
	        {".", "/dir", 0, 0, 0, MW_LAST_DOT, S_IFDIR, false},
	        {"file", "/file", 0, DIR_FD, 0, MW_LAST_NAME, S_IFREG, false},
	        {"inner/.", NULL, 0, 0, -ENOTDIR, 0, 0, false},
	        {"inner/x", NULL, 0, 0, -ENOTDIR, 0, 0, false},
	        {"../fifo/x", NULL, 0, 0, -ENOTDIR, 0, 0, false},
	        {"new/x", NULL, 0, 0, -ENOENT, 0, 0, false},
	        {"", NULL, 0, 0, -ENOENT, 0, 0, false},
	        {"x", NULL, 0, FILE_FD, -ENOTDIR, 0, 0, false},
	        {"x", NULL, 0, 99, -EBADF, 0, 0, false},
	        {"x", NULL, 0, -7, -EBADF, 0, 0, false},
	        {"", "/dir/inner", MW_FLOOR_EMPTY, FILE_FD, 0, MW_LAST_FILE, S_IFREG, false},
	        {"", "/dir", MW_FLOOR_EMPTY, 0, 0, MW_LAST_FILE, S_IFDIR, false},
	};
	struct mw_tracee tracee = start(NULL);

	(void)state;
	check_all(&tracee, cases, COUNT(cases));
	end(&tracee);
}

static void test_links(void **state)
{
	const int name = MW_FLOOR_NAME;
	const struct case_ cases[] = {
	        {"../link", "/file", FOLLOW, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"../link", "/link", 0, 0, 0, MW_LAST_NAME, S_IFLNK, false},
	        {"../link/", "/file", 0, 0, 0, MW_LAST_NAME, S_IFREG, true},
	        {"../link/", "/link", name, 0, 0, MW_LAST_NAME, S_IFLNK, true},
	        {"../dangling", "/nowhere", FOLLOW, 0, 0, MW_LAST_NAME, 0, false},
	        {"../dangling/", "/nowhere", FOLLOW, 0, 0, MW_LAST_NAME, 0, true},
	        {"../dirlink", "/dir", FOLLOW, 0, 0, MW_LAST_NAME, S_IFDIR, true},
	        {"../dirlink/inner", "/dir/inner", 0, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"../loop", NULL, FOLLOW, 0, -ELOOP, 0, 0, false},
	        {"../loop/x", NULL, 0, 0, -ELOOP, 0, 0, false},
	        {"../chain40", "/chain0", FOLLOW, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"../chain41", NULL, FOLLOW, 0, -ELOOP, 0, 0, false},
	};
	struct mw_tracee tracee = start(NULL);
	struct mw_floor_path path;

	(void)state;
	check_all(&tracee, cases, COUNT(cases));
	assert_int_equal(mw_floor_path(&tracee, AT_FDCWD, "up", FOLLOW, &path), 0);
	assert_string_equal(path.file, "/tmp");
	assert_string_equal(path.name, "");
	mw_floor_path_close(&path);
	end(&tracee);
}

static void test_target(void **state)
{
	struct mw_tracee tracee = start(NULL);
	struct mw_floor_path path;
	char expected[80];

	(void)state;
	assert_int_equal(mw_floor_path(&tracee, AT_FDCWD, "./../link", FOLLOW, &path), 0);
	snprintf(expected, sizeof(expected), "%s/dir/./../link", base);
	assert_string_equal(path.target, expected);
	mw_floor_path_close(&path);
	assert_int_equal(mw_floor_path(&tracee, AT_FDCWD, "//tmp/.", FOLLOW, &path), 0);
	assert_string_equal(path.target, "//tmp/.");
	mw_floor_path_close(&path);
	assert_int_equal(mw_floor_path(&tracee, DIR_FD, "///", 0, &path), 0);
	assert_string_equal(path.file, "/");
	assert_int_equal(path.last, MW_LAST_ROOT);
	mw_floor_path_close(&path);
	end(&tracee);
}

/* /proc/self is the child, and its threads are not alike. */
static void test_proc(void **state)
{
	const struct case_ cases[] = {
	        {"/proc/self/status", "//status", 0, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"/proc/mounts", "//mounts", FOLLOW, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"/proc/self/cwd/new", "/dir/new", 0, 0, 0, MW_LAST_NAME, 0, false},
	        {"/proc/self/root/proc/self/comm", "//comm", 0, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"/proc/self/fd/60/file", "/file", 0, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"../descriptors/60/file", "/file", 0, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"/dev/fd/62", "/dir/inner", FOLLOW, 0, 0, MW_LAST_FILE, S_IFREG, false},
	        {"/proc/self/fd/62", "//fd/62", 0, 0, 0, MW_LAST_NAME, S_IFLNK, false},
	        {"/proc/self/fd/62/x", NULL, 0, 0, -ENOTDIR, 0, 0, false},
	        {"/proc/self/fd/99", "//fd/99", FOLLOW, 0, 0, MW_LAST_NAME, 0, false},
	};
	struct mw_tracee tracee = start(NULL), thread = tracee;
	struct mw_floor_path path;
	char expected[80];

	(void)state;
	check_all(&tracee, cases, COUNT(cases));
	assert_int_equal(mw_floor_path(&tracee, AT_FDCWD, "/proc/self/fd/61", FOLLOW, &path), 0);
	assert_true(S_ISFIFO(path.st.st_mode));
	assert_int_equal(strncmp(path.file, "pipe:[", 6), 0);
	mw_floor_path_close(&path);
	thread.tid = *thread_id;
	assert_int_equal(mw_floor_path(&thread, AT_FDCWD, "x", 0, &path), 0);
	assert_non_null(strstr(path.file, "/dir/sub/x"));
	mw_floor_path_close(&path);
	assert_int_equal(mw_floor_path(&thread, AT_FDCWD, "/proc/thread-self/comm", 0, &path), 0);
	snprintf(expected, sizeof(expected), "/proc/%d/task/%d/comm", thread.pid, thread.tid);
	assert_string_equal(path.file, expected);
	mw_floor_path_close(&path);
	end(&tracee);
}

static void leave_root(void)
{
	if (chroot(".") < 0 || chdir("/") < 0)
		_exit(1);
}

static void test_chroot(void **state)
{
	const struct case_ cases[] = {
	        {"/inner", "/dir/inner", 0, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"/absolute", "/dir/inner", FOLLOW, 0, 0, MW_LAST_NAME, S_IFREG, false},
	        {"../../../new", "/dir/new", 0, 0, 0, MW_LAST_NAME, 0, false},
	        {"up", "/dir", FOLLOW, 0, 0, MW_LAST_DOT, S_IFDIR, true},
	        {"/", "/dir", 0, 0, 0, MW_LAST_ROOT, S_IFDIR, false},
	        {"/..", "/dir", 0, 0, 0, MW_LAST_DOTDOT, S_IFDIR, false},
	        {"/proc/self", NULL, 0, 0, -ENOENT, 0, 0, false},
	        {"file", "/file", 0, DIR_FD, 0, MW_LAST_NAME, S_IFREG, false},
	};
	struct mw_tracee tracee;

	(void)state;
	if (geteuid())
		skip();
	tracee = start(leave_root);
	check_all(&tracee, cases, COUNT(cases));
	end(&tracee);
}

/* Its own directory is removed under it. */
static void lose_directory(void)
{
	mkdir("../gone/sub", 0755);
	if (chdir("../gone") < 0)
		_exit(1);
}

static void test_removed_directory(void **state)
{
	struct mw_tracee tracee = start(lose_directory);
	struct mw_floor_path path;

	(void)state;
	assert_int_equal(system("rm -rf gone"), 0);
	assert_int_equal(mw_floor_path(&tracee, AT_FDCWD, "new", 0, &path), -ENOENT);
	assert_int_equal(mkdir("gone", 0755), 0);
	end(&tracee);
}

static void test_no_task(void **state)
{
	struct mw_tracee tracee = start(NULL);
	struct mw_floor_path path;

	(void)state;
	end(&tracee);
	assert_int_equal(mw_floor_path(&tracee, AT_FDCWD, "/tmp", 0, &path), MW_FLOOR_CANNOT);
}

/* Nothing is left open. */
static void test_descriptors(void **state)
{
	struct mw_tracee tracee = start(NULL);
	const char *paths[] = {"new", "inner/x", "../link", "../loop", "/proc/self/fd/62", "/", ""};
	struct mw_floor_path path;
	int before = dup(0), after;

	(void)state;
	close(before);
	for (size_t i = 0; i < COUNT(paths); i++) {
		mw_floor_path(&tracee, AT_FDCWD, paths[i], FOLLOW, &path);
		mw_floor_path_close(&path);
	}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	end(&tracee);
}

static void test_strings(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
	        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[PATH_MAX];
	struct mw_tracee tracee;
	uint64_t edge = (uintptr_t)(pages + page);

	(void)state;
	memset(pages, 'x', page);
	memcpy(pages + page - 4, "end", 4);
	munmap(pages + page, page);
	tracee = start(NULL);
	assert_int_equal(mw_tracee_string(&tracee, edge - 4, text, sizeof(text)), 0);
	assert_string_equal(text, "end");
	assert_int_equal(mw_tracee_string(&tracee, edge - 4, text, 3), -ENAMETOOLONG);
	assert_string_equal(text, "en");
	assert_int_equal(mw_tracee_string(&tracee, edge - 4, text, 4), 0);
	assert_int_equal(mw_tracee_string(&tracee, edge, text, sizeof(text)), -EFAULT);
	assert_int_equal(mw_tracee_string(&tracee, 0, text, sizeof(text)), -EFAULT);
	assert_int_equal(mw_tracee_string(&tracee, UINT64_MAX, text, sizeof(text)), -EFAULT);
	assert_int_equal(mw_tracee_read(&tracee, edge - 4, text, 5), -EFAULT);
	end(&tracee);
}

static void test_facts(void **state)
{
	struct mw_tracee tracee = start(NULL);
	struct mw_tracee_facts facts;
	mode_t mask = umask(022);

	(void)state;
	umask(mask);
	assert_int_equal(mw_tracee_facts(&tracee, &facts), 0);
	assert_int_equal(facts.pid, tracee.pid);
	assert_int_equal(facts.umask, mask);
	assert_int_equal(facts.fsuid, geteuid());
	assert_int_equal(facts.egid, getegid());
	assert_true(facts.alike);
	assert_false(facts.elsewhere);
	assert_true(mw_tracee_has_room(&tracee, &facts));
	end(&tracee);
	assert_int_equal(mw_tracee_facts(&tracee, &facts), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_names),   cmocka_unit_test(test_links),
	        cmocka_unit_test(test_target),  cmocka_unit_test(test_proc),
	        cmocka_unit_test(test_chroot),  cmocka_unit_test(test_removed_directory),
	        cmocka_unit_test(test_no_task), cmocka_unit_test(test_descriptors),
	        cmocka_unit_test(test_strings), cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, make_scene, clear_scene);
}
