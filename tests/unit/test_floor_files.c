/* File system calls made for a child: each does what it does without us. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
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
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "../../tools/floor_files.h"
#include "../../tools/floor_table.h"
#include "floor_child.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define CHILD_UMASK 027
#define OWN_FD 60 /* where `before` functions put the descriptor that a call is about */
#define STRANGER 12345
#define P(text) ((long)(text))
#define CALL(name, ...) .number = SYS_##name, .args = {__VA_ARGS__}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct one_call {
	long number;
	long args[6];
	void (*before)(void); /* in the child, before its calls notify, */
	void (*inside)(void); /* and after that */
	bool left;            /* to the kernel: not made on the child's behalf */
};

struct outcome {
	long value;
	int error, status_flags, fd_flags;
	bool left;
};

/* The directory that a call is made in, and what it looks like afterwards. */
static char base[] = "/tmp/floor-files-XXXXXX";
static char picture[2][65536];

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

/* A default ACL: user::rwx, group::rwx, other::---; it takes the place of the umask. */
static void put_acl(const char *path)
{
	const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entries[3];
	} acl = {2, {{1, 7, UINT32_MAX}, {4, 7, UINT32_MAX}, {0x20, 0, UINT32_MAX}}};

	setxattr(path, "system.posix_acl_default", &acl, sizeof(acl), 0);
}

static void furnish(const char *name)
{
	mode_t mask = umask(0);

	assert_int_equal(chdir(base), 0);
	assert_int_equal(mkdir(name, 0755), 0);
	assert_int_equal(chdir(name), 0);
	put("old", "content", 0644);
	put("readonly", "content", 0444);
	put("second", "second", 0640);
	mkdir("dir", 0755);
	put("dir/inner", "inner", 0644);
	mkdir("empty", 0755);
	mkdir("closed", 0);
	mkdir("setgid", 02775);
	mkdir("acl", 0755);
	put_acl("acl");
	mkdir("sticky", 01777);
	put("sticky/theirs", "theirs", 0666);
	assert_int_equal(symlink("theirs", "sticky/link"), 0);
	assert_int_equal(symlink("old", "link"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(symlink("dir", "dirlink"), 0);
	assert_int_equal(symlink("dir/", "dirlink-slash"), 0);
	assert_int_equal(symlink("new/", "dangling-slash"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(symlink("/inner", "dir/absolute"), 0);
	mkfifo("fifo", 0644);
	if (!geteuid()) {
		mknod("null", S_IFCHR | 0666, 0x103);
		assert_int_equal(chown("sticky/theirs", STRANGER, STRANGER), 0);
		assert_int_equal(lchown("sticky/link", STRANGER, STRANGER), 0);
	}
	setxattr("old", "user.had", "1", 1, 0);
	umask(mask);
}

static void draw(const char *path, char *into, size_t cap);

static void draw_content(const char *path, const struct stat *st, char *into, size_t cap)
{
	char text[256] = "";
	ssize_t len = 0;

	if (S_ISLNK(st->st_mode)) {
		len = readlink(path, text, sizeof(text) - 1);
	} else if (S_ISREG(st->st_mode)) {
		int fd = open(path, O_RDONLY);

		len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[len < 0 ? 0 : len] = '\0';
	snprintf(into + strlen(into), cap - strlen(into), " [%s]", text);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void draw_below(const char *path, char *into, size_t cap)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, by_name);
	char below[PATH_MAX];

	for (int i = 0; i < count; i++) {
		if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0) {
			snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
			draw(below, into, cap);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void draw(const char *path, char *into, size_t cap)
{
	char attribute[16] = "";
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	if (lgetxattr(path, "user.new", attribute, sizeof(attribute) - 1) < 0)
		strcpy(attribute, "-");
	snprintf(into + strlen(into), cap - strlen(into), "%s %o %u %u %lu %ld %s %d", path,
	         st.st_mode, st.st_uid, st.st_gid, (unsigned long)st.st_nlink,
	         S_ISDIR(st.st_mode) ? 0L : (long)st.st_size, attribute,
	         lgetxattr(path, "user.had", NULL, 0) >= 0);
	draw_content(path, &st, into, cap);
	strcat(into, "\n");
	if (S_ISDIR(st.st_mode))
		draw_below(path, into, cap);
}

static bool gives_fd(long number)
{
	return number == SYS_openat || number == SYS_open || number == SYS_creat;
}

/* In the child: makes the call and says what came of it. */
static void make_call(const struct one_call *call, int out)
{
	const long *a = call->args;
	struct outcome outcome = {0};

	errno = 0;
	outcome.value = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	outcome.error = errno;
	if (outcome.value >= 0 && gives_fd(call->number)) {
		outcome.status_flags = fcntl((int)outcome.value, F_GETFL);
		outcome.fd_flags = fcntl((int)outcome.value, F_GETFD);
		(void)!write((int)outcome.value, "written", 7);
	}
	(void)!write(out, &outcome, sizeof(outcome));
}

static _Noreturn void child(const struct one_call *call, int out, bool watched)
{
	int listener = -1;

	umask(CHILD_UMASK);
	signal(SIGXFSZ, SIG_IGN);
	if (call->before)
		call->before();
	if (watched) {
		/* where it takes none of the low numbers that opened files get */
		listener = floor_listen(call->number);
		dup2(listener, OWN_FD + 1);
		close(listener);
		listener = OWN_FD + 1;
	}
	(void)!write(out, &listener, sizeof(listener));
	if (call->inside)
		call->inside();
	make_call(call, out);
	_exit(0);
}

/* As the judge does when everything is allowed. Returns whether the call was left to the kernel. */
static bool serve(const struct mw_tracee *tracee, const struct seccomp_notif *note)
{
	struct mw_floor_file_call call;
	uint64_t args[6];
	int error, tries = 0;
	bool left = false;

	memcpy(args, note->data.args, sizeof(args));
	do {
		error = mw_floor_file_take(tracee, note->data.nr, args, &call);
		if (error < 0)
			error = mw_tracee_fail(tracee, -error);
		else if ((left = error == MW_FLOOR_CANNOT || !call.writes))
			error = mw_tracee_continue(tracee);
		else
			error = mw_floor_file_perform(tracee, &call);
		mw_floor_file_drop(&call);
	} while (error == -EAGAIN && ++tries < 1000);
	if (error)
		mw_tracee_fail(tracee, EDOM);
	return left;
}

static struct outcome run(const struct one_call *call, const char *name, bool watched)
{
	struct outcome outcome = {0};
	struct seccomp_notif note;
	struct mw_tracee tracee;
	int ends[2], listener;
	bool left = false;
	pid_t pid;

	furnish(name);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid)
		child(call, ends[1], watched);
	assert_int_equal(read(ends[0], &listener, sizeof(listener)), sizeof(listener));
	if (watched) {
		listener = floor_fetch(pid, listener);
		assert_true(listener >= 0);
		while (floor_next(listener, ends[0], pid, &note, &tracee))
			left = serve(&tracee, &note);
		close(listener);
	}
	assert_int_equal(read(ends[0], &outcome, sizeof(outcome)), sizeof(outcome));
	outcome.left = left;
	waitpid(pid, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	picture[watched][0] = '\0';
	draw(".", picture[watched], sizeof(picture[watched]));
	return outcome;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	return where->level ? remove(path) : 0;
}

static void clear(void)
{
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static bool is_same(const struct one_call *call)
{
	struct outcome bare = run(call, "a", false), watched = run(call, "b", true);
	bool drawn = !strcmp(picture[0], picture[1]);

	clear();
	if (bare.value == watched.value && bare.error == watched.error &&
	    bare.fd_flags == watched.fd_flags && bare.status_flags == watched.status_flags &&
	    watched.left == call->left && drawn)
		return true;
	print_error("alone %ld, errno %d, flags %o %o; watched %ld, %d, %o %o, left %d\n",
	            bare.value, bare.error, bare.status_flags, bare.fd_flags, watched.value,
	            watched.error, watched.status_flags, watched.fd_flags, watched.left);
	if (!drawn)
		print_error("%s%s", picture[0], picture[1]);
	return false;
}

static void compare_all(const struct one_call *calls, size_t count)
{
	size_t different = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_same(&calls[i]))
			continue;
		print_error("which is number %zu, call %ld\n", i, calls[i].number);
		different++;
	}
	assert_int_equal(different, 0);
}

static void own_old(void)
{
	dup2(open("old", O_RDWR), OWN_FD);
}

static void own_old_read_only(void)
{
	dup2(open("old", O_RDONLY), OWN_FD);
}

static void own_path(void)
{
	dup2(open("old", O_PATH), OWN_FD);
}

static void own_temporary(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0640);

	dup2(fd, OWN_FD);
}

static void own_dir(void)
{
	dup2(open("dir", O_PATH), OWN_FD);
}

static void test_open(void **state)
{
	const int make = O_CREAT | O_WRONLY;
	const struct one_call calls[] = {
	        {CALL(openat, AT_FDCWD, P("new"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("new"), make | O_CLOEXEC | O_APPEND, 06777)},
	        {CALL(openat, AT_FDCWD, P("new"), make | O_NONBLOCK | O_EXCL, 0)},
	        {CALL(openat, AT_FDCWD, P("acl/new"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("setgid/new"), make, 02777)},
	        {CALL(openat, AT_FDCWD, P("new"), O_RDONLY | O_CREAT, 0640)},
	        {CALL(openat, AT_FDCWD, P("old"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("old"), make | O_TRUNC, 0666)},
	        {CALL(openat, AT_FDCWD, P("old"), O_RDONLY | O_TRUNC)},
	        {CALL(openat, AT_FDCWD, P("old"), O_RDWR)},
	        {CALL(openat, AT_FDCWD, P("old"), 3)},
	        {CALL(openat, AT_FDCWD, P("old"), O_RDWR | O_APPEND | O_NOATIME | O_SYNC)},
	        {CALL(openat, AT_FDCWD, P("old"), make | O_EXCL, 0666)},
	        {CALL(openat, AT_FDCWD, P("old/"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("old/"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("new/"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("old/x"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("missing/x"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("missing"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("readonly"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("closed/new"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("dir"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("dir/."), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("dir"), O_WRONLY | O_DIRECTORY)},
	        {CALL(openat, AT_FDCWD, P("old"), O_WRONLY | O_DIRECTORY)},
	        {CALL(openat, AT_FDCWD, P("/"), make | O_EXCL, 0666)},
	        {CALL(openat, AT_FDCWD, P(""), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("link"), O_WRONLY | O_TRUNC)},
	        {CALL(openat, AT_FDCWD, P("link"), O_WRONLY | O_NOFOLLOW)},
	        {CALL(openat, AT_FDCWD, P("link"), make | O_EXCL, 0666)},
	        {CALL(openat, AT_FDCWD, P("dangling"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("dangling"), make | O_EXCL, 0666)},
	        {CALL(openat, AT_FDCWD, P("dangling-slash"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("dirlink/new"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("dirlink-slash/../new"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("loop"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("sticky/theirs"), make, 0666)},
	        {CALL(openat, AT_FDCWD, P("sticky/theirs"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("sticky/link"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("null"), O_WRONLY | O_TRUNC)},
	        {CALL(openat, AT_FDCWD, P("/dev/null"), O_RDWR)},
	        {CALL(openat, AT_FDCWD, P("/dev/full"), make, 0)},
	        {CALL(openat, AT_FDCWD, P("fifo"), O_RDWR), .left = true},
	        {CALL(openat, AT_FDCWD, P("."), O_TMPFILE | O_RDWR, 0600), .left = true},
	        {CALL(openat, AT_FDCWD, P("old"), O_PATH | O_CREAT), .left = true},
	        {CALL(openat, AT_FDCWD, P("/proc/self/cwd/new"), make, 0600)},
	        {CALL(openat, AT_FDCWD, P("/proc/thread-self/comm"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("/proc/self/fd/60"), O_WRONLY | O_TRUNC),
	         .before = own_old},
	        {CALL(openat, AT_FDCWD, P("/dev/fd/60"), make | O_APPEND, 0),
	         .before = own_old_read_only},
	        {CALL(openat, AT_FDCWD, P("/proc/self/fd/60"), make | O_EXCL), .before = own_old},
	        {CALL(openat, AT_FDCWD, P("/proc/self/fd/99"), O_WRONLY), .before = own_old},
	        {CALL(openat, OWN_FD, P("new"), make, 0666), .before = own_dir},
	        {CALL(openat, OWN_FD, P("../new"), make, 0666), .before = own_dir},
	        {CALL(openat, OWN_FD, P("new"), make, 0666), .before = own_old},
	        {CALL(openat, OWN_FD + 9, P("new"), make, 0666), .before = own_old},
	        {CALL(openat, -5, P("new"), make, 0666)},
	        {CALL(openat, AT_FDCWD, 0, make, 0666)},
	        {CALL(openat, AT_FDCWD, 8, make, 0666)},
	        {CALL(openat, AT_FDCWD, -8, make, 0666)},
#ifdef SYS_open
	        {CALL(open, P("new"), make, 0666)},
	        {CALL(open, P("old"), O_RDWR | O_TRUNC)},
	        {CALL(creat, P("new"), 0640)},
	        {CALL(creat, P("old"), 0640)},
#endif
	};

	(void)state;
	compare_all(calls, COUNT(calls));
}

static void test_make_and_remove(void **state)
{
	const struct one_call calls[] = {
	        {CALL(mkdirat, AT_FDCWD, P("new"), 0777)},
	        {CALL(mkdirat, AT_FDCWD, P("new/"), 01777)},
	        {CALL(mkdirat, AT_FDCWD, P("acl/new"), 0777)},
	        {CALL(mkdirat, AT_FDCWD, P("setgid/new"), 0777)},
	        {CALL(mkdirat, AT_FDCWD, P("dangling/"), 0777)},
	        {CALL(mkdirat, AT_FDCWD, P("dangling"), 0777)},
	        {CALL(mkdirat, AT_FDCWD, P("dir"), 0777)},
	        {CALL(mkdirat, AT_FDCWD, P("."), 0777)},
	        {CALL(mkdirat, AT_FDCWD, P("/"), 0777)},
	        {CALL(mkdirat, AT_FDCWD, P("missing/new"), 0777)},
	        {CALL(mkdirat, OWN_FD, P("new"), 0777), .before = own_dir},
	        {CALL(mknodat, AT_FDCWD, P("new"), S_IFIFO | 0666)},
	        {CALL(mknodat, AT_FDCWD, P("new"), 0666)},
	        {CALL(mknodat, AT_FDCWD, P("new"), S_IFCHR | 0666, 0x103)},
	        {CALL(mknodat, AT_FDCWD, P("new/"), S_IFREG | 0666)},
	        {CALL(mknodat, AT_FDCWD, P("new"), S_IFDIR | 0666)},
	        {CALL(mknodat, AT_FDCWD, P("old"), S_IFREG | 0666)},
	        {CALL(unlinkat, AT_FDCWD, P("old"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("link"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("link/"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("dirlink/"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("dirlink/"), AT_REMOVEDIR)},
	        {CALL(unlinkat, AT_FDCWD, P("missing/"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("old/"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("dir"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("dir"), AT_REMOVEDIR)},
	        {CALL(unlinkat, AT_FDCWD, P("empty"), AT_REMOVEDIR)},
	        {CALL(unlinkat, AT_FDCWD, P("empty/"), AT_REMOVEDIR)},
	        {CALL(unlinkat, AT_FDCWD, P("empty/."), AT_REMOVEDIR)},
	        {CALL(unlinkat, AT_FDCWD, P("empty/.."), AT_REMOVEDIR)},
	        {CALL(unlinkat, AT_FDCWD, P("/"), AT_REMOVEDIR)},
	        {CALL(unlinkat, AT_FDCWD, P("/"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("old"), AT_REMOVEDIR)},
	        {CALL(unlinkat, AT_FDCWD, P("old"), 1)},
	        {CALL(unlinkat, AT_FDCWD, P("sticky/theirs"), 0)},
	        {CALL(unlinkat, AT_FDCWD, P("fifo"), 0)},
#ifdef SYS_mkdir
	        {CALL(mkdir, P("new"), 0777)},
	        {CALL(mknod, P("new"), S_IFREG | 0666)},
	        {CALL(unlink, P("old"))},
	        {CALL(rmdir, P("empty"))},
	        {CALL(rmdir, P("old"))},
#endif
	};

	(void)state;
	compare_all(calls, COUNT(calls));
}

static void test_rename(void **state)
{
	const struct one_call calls[] = {
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("new"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("dir/new"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("second"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("second"), 1)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("second"), 2)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("new"), 2)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("new"), 3)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("new"), 64)},
	        {CALL(renameat2, AT_FDCWD, P("link"), AT_FDCWD, P("dangling"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("missing"), AT_FDCWD, P("new"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("dir/"), AT_FDCWD, P("new/"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("dir"), AT_FDCWD, P("dir/below"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("empty"), AT_FDCWD, P("dir"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("dir"), AT_FDCWD, P("empty"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("new/"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("old/"), AT_FDCWD, P("new"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("."), AT_FDCWD, P("new"), 0)},
	        {CALL(renameat2, AT_FDCWD, P("dir"), AT_FDCWD, P("empty/."), 0)},
	        {CALL(renameat2, AT_FDCWD, P("dir"), AT_FDCWD, P("/"), 1)},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("/dev/mw-new"), 0)},
	        {CALL(renameat2, OWN_FD, P("inner"), AT_FDCWD, P("new"), 0), .before = own_dir},
	        {CALL(renameat2, AT_FDCWD, P("old"), OWN_FD, P("new"), 0), .before = own_dir},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, 8, 0)},
#ifdef SYS_rename
	        {CALL(rename, P("old"), P("new"))},
	        {CALL(rename, P("dir"), P("old"))},
#endif
#ifdef SYS_renameat
	        {CALL(renameat, AT_FDCWD, P("old"), AT_FDCWD, P("new"))},
#endif
	};

	(void)state;
	compare_all(calls, COUNT(calls));
}

static void test_links(void **state)
{
	const struct one_call calls[] = {
	        {CALL(linkat, AT_FDCWD, P("old"), AT_FDCWD, P("new"), 0)},
	        {CALL(linkat, AT_FDCWD, P("link"), AT_FDCWD, P("new"), 0)},
	        {CALL(linkat, AT_FDCWD, P("link"), AT_FDCWD, P("new"), AT_SYMLINK_FOLLOW)},
	        {CALL(linkat, AT_FDCWD, P("dangling"), AT_FDCWD, P("new"), AT_SYMLINK_FOLLOW)},
	        {CALL(linkat, AT_FDCWD, P("old/"), AT_FDCWD, P("new"), 0)},
	        {CALL(linkat, AT_FDCWD, P("old"), AT_FDCWD, P("new/"), 0)},
	        {CALL(linkat, AT_FDCWD, P("old"), AT_FDCWD, P("second"), 0)},
	        {CALL(linkat, AT_FDCWD, P("dir"), AT_FDCWD, P("new"), 0)},
	        {CALL(linkat, AT_FDCWD, P("missing"), AT_FDCWD, P("new"), 0)},
	        {CALL(linkat, AT_FDCWD, P("old"), AT_FDCWD, P("/proc/new"), 0)},
	        {CALL(linkat, AT_FDCWD, P("old"), AT_FDCWD, P("."), 0)},
	        {CALL(linkat, AT_FDCWD, P("old"), AT_FDCWD, P("new"), 1)},
	        {CALL(linkat, AT_FDCWD, P("fifo"), AT_FDCWD, P("new"), 0)},
	        {CALL(linkat, AT_FDCWD, P("sticky/theirs"), AT_FDCWD, P("new"), 0)},
	        {CALL(linkat, OWN_FD, P("inner"), OWN_FD, P("new"), 0), .before = own_dir},
	        {CALL(linkat, AT_FDCWD, P("/proc/self/fd/60"), AT_FDCWD, P("new"),
	              AT_SYMLINK_FOLLOW),
	         .before = own_old},
	        {CALL(linkat, AT_FDCWD, P("/proc/self/fd/60"), AT_FDCWD, P("new"),
	              AT_SYMLINK_FOLLOW),
	         .before = own_temporary},
	        {CALL(linkat, OWN_FD, P(""), AT_FDCWD, P("new"), 0), .before = own_old},
	        {CALL(symlinkat, P("what ever"), AT_FDCWD, P("new"))},
	        {CALL(symlinkat, P("old"), AT_FDCWD, P("new/"))},
	        {CALL(symlinkat, P("old"), AT_FDCWD, P("link"))},
	        {CALL(symlinkat, P(""), AT_FDCWD, P("new"))},
	        {CALL(symlinkat, P("old"), OWN_FD, P("new")), .before = own_dir},
	        {CALL(symlinkat, 8, AT_FDCWD, P("new"))},
#ifdef SYS_link
	        {CALL(link, P("old"), P("new"))},
	        {CALL(symlink, P("old"), P("new"))},
#endif
	};

	(void)state;
	compare_all(calls, COUNT(calls));
}

static void test_modes_and_owners(void **state)
{
	const int nofollow = AT_SYMLINK_NOFOLLOW, empty = AT_EMPTY_PATH;
	const struct one_call calls[] = {
	        {CALL(fchmodat, AT_FDCWD, P("old"), 04751)},
	        {CALL(fchmodat, AT_FDCWD, P("link"), 0600)},
	        {CALL(fchmodat, AT_FDCWD, P("dangling"), 0600)},
	        {CALL(fchmodat, AT_FDCWD, P("dirlink/"), 0700)},
	        {CALL(fchmodat, AT_FDCWD, P("old/"), 0600)},
	        {CALL(fchmodat, AT_FDCWD, P("fifo"), 0600)},
	        {CALL(fchmodat, AT_FDCWD, P("."), 0700)},
	        {CALL(fchmodat, AT_FDCWD, P("sticky/theirs"), 0600)},
	        {CALL(fchmodat, AT_FDCWD, P("/proc/self/fd/60"), 0600), .before = own_old},
	        {CALL(fchmodat2, AT_FDCWD, P("old"), 0600, 0)},
	        {CALL(fchmodat2, AT_FDCWD, P("link"), 0600, nofollow)},
	        {CALL(fchmodat2, AT_FDCWD, P("link/"), 0600, nofollow)},
	        {CALL(fchmodat2, AT_FDCWD, P("old"), 0600, nofollow)},
	        {CALL(fchmodat2, OWN_FD, P(""), 0600, empty), .before = own_path},
	        {CALL(fchmodat2, AT_FDCWD, P(""), 0700, empty)},
	        {CALL(fchmodat2, AT_FDCWD, P("old"), 0600, 1)},
	        {CALL(fchmod, OWN_FD, 06711), .before = own_old_read_only},
	        {CALL(fchmod, OWN_FD, 0600), .before = own_path},
	        {CALL(fchmod, OWN_FD, 0600)},
	        {CALL(fchmod, -1, 0600)},
	        {CALL(fchownat, AT_FDCWD, P("old"), STRANGER, STRANGER, 0)},
	        {CALL(fchownat, AT_FDCWD, P("old"), -1, -1, 0)},
	        {CALL(fchownat, AT_FDCWD, P("link"), STRANGER, -1, nofollow)},
	        {CALL(fchownat, AT_FDCWD, P("link"), STRANGER, -1, 0)},
	        {CALL(fchownat, AT_FDCWD, P("dangling"), STRANGER, -1, 0)},
	        {CALL(fchownat, OWN_FD, P(""), STRANGER, -1, empty), .before = own_path},
	        {CALL(fchownat, OWN_FD, P("inner"), -1, STRANGER, 0), .before = own_dir},
	        {CALL(fchownat, AT_FDCWD, P("old"), 1, 1, 64)},
	        {CALL(fchown, OWN_FD, STRANGER, -1), .before = own_old},
	        {CALL(fchown, OWN_FD, -1, -1), .before = own_path},
#ifdef SYS_chmod
	        {CALL(chmod, P("old"), 0751)},
	        {CALL(chown, P("link"), -1, STRANGER)},
	        {CALL(lchown, P("link"), -1, STRANGER)},
#endif
	};

	(void)state;
	compare_all(calls, COUNT(calls));
}

static void small_files(void)
{
	const struct rlimit limit = {100, 100};

	setrlimit(RLIMIT_FSIZE, &limit);
	own_old();
}

static void test_sizes(void **state)
{
	const struct one_call calls[] = {
	        {CALL(truncate, P("old"), 3)},
	        {CALL(truncate, P("old"), 4096)},
	        {CALL(truncate, P("link"), 0)},
	        {CALL(truncate, P("old/"), 0)},
	        {CALL(truncate, P("old"), -1)},
	        {CALL(truncate, P("dir"), 0)},
	        {CALL(truncate, P("fifo"), 0)},
	        {CALL(truncate, P("missing"), 0)},
	        {CALL(truncate, P("readonly"), 0)},
	        {CALL(truncate, P("sticky/theirs"), 0)},
	        {CALL(truncate, P("/proc/self/fd/60"), 2), .before = own_old_read_only},
	        {CALL(truncate, P("old"), 101), .before = small_files},
	        {CALL(truncate, P("old"), 100), .before = small_files},
	        {CALL(ftruncate, OWN_FD, 3), .before = own_old},
	        {CALL(ftruncate, OWN_FD, 101), .before = small_files},
	        {CALL(ftruncate, OWN_FD, 3), .before = own_old_read_only},
	        {CALL(ftruncate, OWN_FD, 3), .before = own_path},
	        {CALL(ftruncate, OWN_FD, -3), .before = own_old},
	        {CALL(ftruncate, OWN_FD + 7, 3)},
	};

	(void)state;
	compare_all(calls, COUNT(calls));
}

static void test_attributes(void **state)
{
	static char long_name[300] = "user.";
	const struct one_call calls[] = {
	        {CALL(setxattr, P("old"), P("user.new"), P("value"), 5, 0)},
	        {CALL(setxattr, P("link"), P("user.new"), P("value"), 5, XATTR_CREATE)},
	        {CALL(setxattr, P("old"), P("user.had"), P("value"), 5, XATTR_CREATE)},
	        {CALL(setxattr, P("old"), P("user.new"), P("value"), 5, XATTR_REPLACE)},
	        {CALL(setxattr, P("old"), P("user.new"), 0, 0, 0)},
	        {CALL(setxattr, P("old"), P("user.new"), P("value"), 5, 64)},
	        {CALL(setxattr, P("old"), P("user.new"), 8, 5, 0)},
	        {CALL(setxattr, P("old"), P("user.new"), P("value"), 65537, 0)},
	        {CALL(setxattr, P("old"), P("user.new"), P("value"), -1, 0)},
	        {CALL(setxattr, P("old"), P(""), P("value"), 5, 0)},
	        {CALL(setxattr, P("old"), P(long_name), P("value"), 5, 0)},
	        {CALL(setxattr, P("old"), P("other.new"), P("value"), 5, 0)},
	        {CALL(setxattr, P("missing"), P("user.new"), P("value"), 5, 0)},
	        {CALL(setxattr, P("old"), P("trusted.new"), P("value"), 5, 0)},
	        {CALL(lsetxattr, P("link"), P("trusted.new"), P("value"), 5, 0)},
	        {CALL(lsetxattr, P("link"), P("user.new"), P("value"), 5, 0)},
	        {CALL(fsetxattr, OWN_FD, P("user.new"), P("value"), 5, 0), .before = own_old},
	        {CALL(fsetxattr, OWN_FD, P("user.new"), P("value"), 5, 0), .before = own_path},
	        {CALL(removexattr, P("link"), P("user.had"))},
	        {CALL(removexattr, P("old"), P("user.new"))},
	        {CALL(lremovexattr, P("link"), P("user.had"))},
	        {CALL(fremovexattr, OWN_FD, P("user.had")), .before = own_old_read_only},
	        {CALL(fremovexattr, OWN_FD + 3, P("user.had"))},
	};

	(void)state;
	memset(long_name + 5, 'x', sizeof(long_name) - 6);
	compare_all(calls, COUNT(calls));
}

/* All numbers below 12 are taken. */
static void fill_numbers(void)
{
	while (dup(0) < 11)
		continue;
}

static void forbid_more(void)
{
	const struct rlimit limit = {12, 12};

	setrlimit(RLIMIT_NOFILE, &limit);
}

static void new_root(void)
{
	if (!chroot("dir"))
		(void)!chdir("/");
}

static void cwd_above_root(void)
{
	(void)!chroot("dir");
}

/* A file system that only the child sees. */
static void own_mounts(void)
{
	if (!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		mount("none", "dir", "tmpfs", 0, NULL);
}

static void removed_cwd(void)
{
	(void)!chdir("empty");
	rmdir("../empty");
}

static void no_umask(void)
{
	umask(0);
}

static void test_surroundings(void **state)
{
	const int make = O_CREAT | O_WRONLY;
	const struct one_call calls[] = {
	        {CALL(openat, AT_FDCWD, P("new"), make, 0666), .before = fill_numbers,
	         .inside = forbid_more},
	        {CALL(openat, AT_FDCWD, P("old"), make | O_TRUNC, 0666), .before = fill_numbers,
	         .inside = forbid_more},
	        {CALL(openat, AT_FDCWD, P("new"), make, 0666), .inside = forbid_more},
	        {CALL(openat, AT_FDCWD, P("/new"), make | O_EXCL, 0666), .before = new_root},
	        {CALL(openat, AT_FDCWD, P("/../../new"), make, 0666), .before = new_root},
	        {CALL(openat, AT_FDCWD, P("absolute"), O_WRONLY), .before = new_root},
	        {CALL(openat, AT_FDCWD, P("../a-b"), make, 0666), .before = cwd_above_root},
	        {CALL(openat, AT_FDCWD, P("dir/absolute"), O_WRONLY)},
	        {CALL(openat, AT_FDCWD, P("dir/new"), make, 0666), .before = own_mounts},
	        {CALL(mkdirat, AT_FDCWD, P("dir/new"), 0777), .before = own_mounts},
	        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P("dir/old"), 0),
	         .before = own_mounts},
	        {CALL(openat, AT_FDCWD, P("new"), make, 0666), .before = removed_cwd},
	        {CALL(openat, AT_FDCWD, P("../new"), make, 0666), .before = removed_cwd},
	        {CALL(openat, AT_FDCWD, P("new"), make, 0666), .before = no_umask},
	        {CALL(mkdirat, AT_FDCWD, P("new"), 0777), .before = no_umask},
	};

	(void)state;
	compare_all(calls, COUNT(calls));
}

static void test_lengths(void **state)
{
	static char name[2][300], path[2][PATH_MAX + 8];
	const int make = O_CREAT | O_WRONLY;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct one_call calls[] = {
		        {CALL(openat, AT_FDCWD, P(name[i]), make, 0666)},
		        {CALL(unlinkat, AT_FDCWD, P(name[i]), 0)},
		        {CALL(openat, AT_FDCWD, P(path[i]), make, 0666)},
		        {CALL(renameat2, AT_FDCWD, P("old"), AT_FDCWD, P(path[i]), 0)},
		        {CALL(symlinkat, P(path[i]), AT_FDCWD, P("new"))},
		};

		memset(name[i], 'n', 255 + (size_t)i);
		memset(path[i], '/', PATH_MAX - 1 + (size_t)i);
		path[i][0] = '.';
		path[i][PATH_MAX - 2 + i] = 'p';
		compare_all(calls, COUNT(calls));
	}
}

/* Two pages of which only the first is there, filled with text that ends `end` bytes before the
 * second, or not at all. */
static char *at_the_edge(const char *text, size_t end)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), len = strlen(text);
	char *pages =
	        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(pages != MAP_FAILED);
	munmap(pages + page, page);
	memset(pages, '/', page);
	memcpy(pages + page - len - end, text, len + end);
	return pages + page - len - end;
}

static bool hostile_call(const struct mw_floor_row *row, long pointer)
{
	struct one_call call = {.number = row->number};

	if (row->path >= 0 && row->dir >= 0)
		call.args[row->dir] = AT_FDCWD;
	else if (row->dir >= 0)
		call.args[row->dir] = OWN_FD;
	if (row->path >= 0)
		call.args[row->path] = pointer;
	if (row->path2 >= 0)
		call.args[row->path2] = pointer;
	if (row->text >= 0)
		call.args[row->text] = pointer;
	if (row->act == MW_FLOOR_OPEN && row->flags >= 0)
		call.args[row->flags] = O_CREAT | O_WRONLY;
	call.before = own_old;
	return is_same(&call);
}

static void test_hostile_pointers(void **state)
{
	char *without_end = at_the_edge("name", 0), *with_end = at_the_edge("name", 1);
	const long pointers[] = {0, P(without_end), P(with_end), -4096L, LONG_MIN};
	size_t rows = 0, different = 0;

	(void)state;
	for (int number = 0; number < 600; number++) {
		const struct mw_floor_row *row = mw_floor_row(number);

		if (!row || row->act == MW_FLOOR_HANDLE)
			continue;
		rows++;
		for (size_t i = 0; i < COUNT(pointers); i++) {
			if (hostile_call(row, pointers[i]))
				continue;
			print_error("which is %s of pointer %zu\n", row->op, i);
			different++;
		}
	}
	assert_true(rows >= 20);
	assert_int_equal(different, 0);
}

static int make_base(void **state)
{
	(void)state;
	if (!mkdtemp(base) || chmod(base, 0755) < 0)
		return -1;
	return 0;
}

static int remove_base(void **state)
{
	(void)state;
	return chdir("/") < 0 || rmdir(base) < 0;
}

static int run_group(const char *name)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_open),
	        cmocka_unit_test(test_make_and_remove),
	        cmocka_unit_test(test_rename),
	        cmocka_unit_test(test_links),
	        cmocka_unit_test(test_modes_and_owners),
	        cmocka_unit_test(test_sizes),
	        cmocka_unit_test(test_attributes),
	        cmocka_unit_test(test_surroundings),
	        cmocka_unit_test(test_lengths),
	        cmocka_unit_test(test_hostile_pointers),
	};

	return _cmocka_run_group_tests(name, tests, COUNT(tests), make_base, remove_base);
}

/* Root may do what others may not: the same as somebody else. */
static int run_as_nobody(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0 ||
		    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
			_exit(1);
		_exit(run_group("files, not as root"));
	}
	return waitpid(pid, &status, 0) == pid && !status ? 0 : 1;
}

int main(void)
{
	int failed = geteuid() ? 0 : run_as_nobody();

	return run_group("files") + failed;
}
