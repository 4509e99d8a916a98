#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "floor_files.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define LINK_MAX_LEN 40

static int result(long value)
{
	return value < 0 ? -errno : 0;
}

/* A path that leads to what one of our descriptors holds, and nowhere else. */
static const char *link_to(int fd, char ret[static LINK_MAX_LEN])
{
	snprintf(ret, LINK_MAX_LEN, "/proc/self/fd/%d", fd);
	return ret;
}

/* The name as the task gave it: trailing slashes mean something to every call. */
static const char *name_of(const struct mw_floor_path *path, char ret[static PATH_MAX + 1])
{
	snprintf(ret, PATH_MAX + 1, "%s%s", path->name, path->slash ? "/" : "");
	return ret;
}

/* A FIFO, a device or a lease must not make us wait, and a terminal not become ours: without
 * O_NONBLOCK only from here on. */
static int open_now(int dir, const char *path, unsigned flags, unsigned mode)
{
	int fd = (int)syscall(SYS_openat, dir, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	                      mode);

	if (fd >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int open_new(const struct mw_floor_file_call *call)
{
	mode_t before = umask(call->umask);
	int fd = open_now(call->at.parent, call->at.name, call->flags | O_EXCL, call->mode);

	umask(before);
	return fd == -EEXIST && !(call->flags & O_EXCL) ? -EAGAIN : fd;
}

/* Whether the kernel would look at the directory, too, before it lets O_CREAT open a file that is
 * there: proc(5), protected_regular. It does that only for a file that is opened by its name. */
static bool may_be_protected(const struct mw_floor_file_call *call)
{
	struct stat dir;

	return (call->flags & O_CREAT) && call->at.parent >= 0 && !fstat(call->at.parent, &dir) &&
	       (dir.st_mode & S_ISVTX) && (dir.st_mode & (S_IWGRP | S_IWOTH)) &&
	       call->at.st.st_uid != geteuid();
}

/* Asks by opening it by its name. That changes nothing, unless the entry has gone meanwhile: then
 * it is there again, as the task wanted it. */
static int ask_protected(const struct mw_floor_file_call *call)
{
	unsigned flags = (call->flags & ~(unsigned)O_TRUNC) | O_NOFOLLOW;
	mode_t before = umask(call->umask);
	int fd = open_now(call->at.parent, call->at.name, flags, call->mode), error;
	struct stat st;

	umask(before);
	if (fd < 0)
		return fd == -ELOOP ? -EAGAIN : fd;
	error = result(fstat(fd, &st));
	close(fd);
	if (error)
		return error;
	return st.st_ino == call->at.st.st_ino && st.st_dev == call->at.st.st_dev ? 0 : -EAGAIN;
}

static int open_old(const struct mw_floor_file_call *call)
{
	const unsigned by_name = O_CREAT | O_EXCL | O_NOFOLLOW;
	int error = may_be_protected(call) ? ask_protected(call) : 0;
	char path[LINK_MAX_LEN];

	if (error)
		return error;
	return open_now(AT_FDCWD, link_to(call->at.entry, path), call->flags & ~by_name, 0);
}

static bool is_postponed(int error, unsigned flags)
{
	return error == -EAGAIN && !(flags & O_NONBLOCK);
}

/* What we may not do the task may be let do. */
static int fail(const struct mw_tracee *tracee, const struct mw_floor_file_call *call, int error)
{
	if (call->stronger && (error == -EACCES || error == -EPERM))
		return MW_FLOOR_CANNOT;
	return mw_tracee_fail(tracee, -error);
}

static int perform_open(const struct mw_tracee *tracee, const struct mw_floor_file_call *call)
{
	int fd = call->at.exists ? open_old(call) : open_new(call), error;

	if (is_postponed(fd, call->flags))
		return -EAGAIN;
	if (fd == -EMFILE || fd == -ENFILE)
		return MW_FLOOR_CANNOT;
	if (fd < 0)
		return fail(tracee, call, fd);
	error = mw_tracee_give_fd(tracee, fd, call->flags & O_CLOEXEC);
	close(fd);
	if (error && error != -ENOENT && error != -EINPROGRESS)
		error = mw_tracee_fail(tracee, -error);
	return error;
}

/* The task's RLIMIT_FSIZE bounds how far a file may grow, not ours; ours cannot be told to. */
static int size_error(const struct mw_tracee *tracee, const struct stat *st, uint64_t length)
{
	struct rlimit theirs, ours;

	if (!S_ISREG(st->st_mode) || (int64_t)length <= st->st_size)
		return 0;
	if (prlimit(tracee->tid, RLIMIT_FSIZE, NULL, &theirs) < 0 ||
	    getrlimit(RLIMIT_FSIZE, &ours) < 0)
		return MW_FLOOR_CANNOT;
	if (theirs.rlim_cur != RLIM_INFINITY && length > theirs.rlim_cur)
		return -EFBIG;
	return ours.rlim_cur != RLIM_INFINITY && length > ours.rlim_cur ? MW_FLOOR_CANNOT : 0;
}

/* truncate(2) would wait for the holder of a lease; open does not with O_NONBLOCK. */
static int truncate_entry(const struct mw_floor_file_call *call)
{
	char path[LINK_MAX_LEN];
	int fd, error;

	if (S_ISDIR(call->at.st.st_mode))
		return -EISDIR;
	if (!S_ISREG(call->at.st.st_mode))
		return -EINVAL;
	fd = open_now(AT_FDCWD, link_to(call->at.entry, path), O_WRONLY, 0);
	if (fd < 0)
		return fd == -EMFILE || fd == -ENFILE ? MW_FLOOR_CANNOT : fd;
	error = result(ftruncate(fd, (off_t)call->rest[0]));
	close(fd);
	return error;
}

/* The signal is sent when the task goes on, as one that came while it waits would end the wait on
 * kernels that do not hold it back. */
static int fail_too_big(const struct mw_tracee *tracee)
{
	int pidfd = (int)syscall(SYS_pidfd_open, tracee->pid, 0);
	int error = mw_tracee_fail(tracee, EFBIG);

	if (pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGXFSZ, NULL, 0);
		close(pidfd);
	}
	return error;
}

static int perform_truncate(const struct mw_tracee *tracee, const struct mw_floor_file_call *call)
{
	int error = (int64_t)call->rest[0] < 0 ? -EINVAL : 0;

	if (!error)
		error = size_error(tracee, &call->at.st, call->rest[0]);
	if (error == -EFBIG)
		return fail_too_big(tracee);
	if (!error)
		error = call->fd < 0 ? truncate_entry(call)
		                     : result(ftruncate(call->fd, (off_t)call->rest[0]));
	if (error == MW_FLOOR_CANNOT || is_postponed(error, 0))
		return error;
	return error ? fail(tracee, call, error) : mw_tracee_return(tracee, 0);
}

static long make(const struct mw_floor_file_call *call)
{
	char name[PATH_MAX + 1];

	name_of(&call->at, name);
	if (call->act == MW_FLOOR_MKDIR)
		return mkdirat(call->at.parent, name, call->mode);
	return syscall(SYS_mknodat, call->at.parent, name, call->mode, (unsigned)call->rest[0]);
}

static long make_masked(const struct mw_floor_file_call *call)
{
	mode_t before = umask(call->umask);
	long value = make(call);
	int error = errno;

	umask(before);
	errno = error;
	return value;
}

/* Of the entry that is held, not of the name that it had. */
static long make_link(const struct mw_floor_file_call *call)
{
	char from[LINK_MAX_LEN], to[PATH_MAX + 1];

	return linkat(AT_FDCWD, link_to(call->at.entry, from), call->at2.parent,
	              name_of(&call->at2, to), AT_SYMLINK_FOLLOW);
}

static long rename_entry(const struct mw_floor_file_call *call)
{
	char from[PATH_MAX + 1], to[PATH_MAX + 1];

	return syscall(SYS_renameat2, call->at.parent, name_of(&call->at, from), call->at2.parent,
	               name_of(&call->at2, to), call->flags);
}

static long change_mode(const struct mw_floor_file_call *call)
{
	char path[LINK_MAX_LEN];

	if (call->fd >= 0)
		return fchmod(call->fd, call->mode);
	if (call->number == SYS_fchmodat2)
		return syscall(SYS_fchmodat2, call->at.entry, "", call->mode,
		               call->flags | AT_EMPTY_PATH);
	return chmod(link_to(call->at.entry, path), call->mode);
}

static long change_owner(const struct mw_floor_file_call *call)
{
	uid_t uid = (uid_t)call->rest[0];
	gid_t gid = (gid_t)call->rest[1];

	if (call->fd >= 0)
		return fchown(call->fd, uid, gid);
	return fchownat(call->at.entry, "", uid, gid, AT_EMPTY_PATH);
}

static long change_attribute(const struct mw_floor_file_call *call)
{
	char path[LINK_MAX_LEN];

	link_to(call->fd >= 0 ? call->fd : call->at.entry, path);
	if (call->act == MW_FLOOR_REMOVEXATTR)
		return call->fd >= 0 ? fremovexattr(call->fd, call->text)
		                     : removexattr(path, call->text);
	if (call->fd >= 0)
		return fsetxattr(call->fd, call->text, call->value, call->size, (int)call->flags);
	return setxattr(path, call->text, call->value, call->size, (int)call->flags);
}

static long call_kernel(const struct mw_floor_file_call *call)
{
	char name[PATH_MAX + 1];

	switch (call->act) {
	case MW_FLOOR_MKDIR:
	case MW_FLOOR_MKNOD:
		return make_masked(call);
	case MW_FLOOR_UNLINK:
		return unlinkat(call->at.parent, name_of(&call->at, name), (int)call->flags);
	case MW_FLOOR_RENAME:
		return rename_entry(call);
	case MW_FLOOR_LINK:
		return make_link(call);
	case MW_FLOOR_SYMLINK:
		return symlinkat(call->text, call->at.parent, name_of(&call->at, name));
	case MW_FLOOR_CHMOD:
		return change_mode(call);
	case MW_FLOOR_CHOWN:
		return change_owner(call);
	default:
		return change_attribute(call);
	}
}

int mw_floor_file_perform(const struct mw_tracee *tracee, struct mw_floor_file_call *call)
{
	int error;

	if (!mw_tracee_valid(tracee))
		return -ENOENT;
	if (call->act == MW_FLOOR_OPEN)
		return perform_open(tracee, call);
	if (call->act == MW_FLOOR_TRUNCATE)
		return perform_truncate(tracee, call);
	error = result(call_kernel(call));
	return error ? fail(tracee, call, error) : mw_tracee_return(tracee, 0);
}
