#include "floor_tracee.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

#define STATUS_MAX 32768 /* a list of some thousand groups */
#define LABEL_MAX 4096
#define PAGE 4096 /* the smallest there is: a read within one is in no other */

bool mw_tracee_valid(const struct mw_tracee *tracee)
{
	uint64_t id = tracee->id;

	return !ioctl(tracee->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
}

static int answer(const struct mw_tracee *tracee, int64_t value, int error, uint32_t flags)
{
	struct seccomp_notif_resp response = {
	        .id = tracee->id, .val = value, .error = -error, .flags = flags};

	return ioctl(tracee->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 ? -errno : 0;
}

int mw_tracee_continue(const struct mw_tracee *tracee)
{
	return answer(tracee, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int mw_tracee_fail(const struct mw_tracee *tracee, int error)
{
	return answer(tracee, 0, error, 0);
}

int mw_tracee_return(const struct mw_tracee *tracee, int64_t value)
{
	return answer(tracee, value, 0, 0);
}

int mw_tracee_give_fd(const struct mw_tracee *tracee, int fd, bool cloexec)
{
	struct seccomp_notif_addfd given = {.id = tracee->id,
	                                    .flags = SECCOMP_ADDFD_FLAG_SEND,
	                                    .srcfd = (uint32_t)fd,
	                                    .newfd_flags = cloexec ? O_CLOEXEC : 0};
	int number = ioctl(tracee->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &given);

	if (number >= 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	given.flags = 0; /* before 5.14 in two steps */
	number = ioctl(tracee->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &given);
	return number < 0 ? -errno : mw_tracee_return(tracee, number);
}

int mw_tracee_read(const struct mw_tracee *tracee, uint64_t address, void *ret, size_t len)
{
	struct iovec ours = {ret, len}, theirs = {(void *)(uintptr_t)address, len};
	ssize_t got = len ? process_vm_readv(tracee->tid, &ours, 1, &theirs, 1, 0) : 0;

	if (got < 0)
		return -errno;
	return (size_t)got == len ? 0 : -EFAULT;
}

size_t mw_tracee_read_some(const struct mw_tracee *tracee, uint64_t address, void *ret, size_t len)
{
	size_t done = 0;

	if (!mw_tracee_read(tracee, address, ret, len))
		return len;
	while (done < len) {
		size_t part = PAGE - (address + done) % PAGE;

		if (part > len - done)
			part = len - done;
		if (mw_tracee_read(tracee, address + done, (char *)ret + done, part))
			break;
		done += part;
	}
	return done;
}

int mw_tracee_string(const struct mw_tracee *tracee, uint64_t address, char *ret, size_t cap)
{
	size_t done = 0;

	ret[0] = '\0';
	while (done < cap) {
		size_t part = PAGE - (address + done) % PAGE;
		int error;

		if (part > cap - done)
			part = cap - done;
		error = mw_tracee_read(tracee, address + done, ret + done, part);
		if (error) {
			ret[done] = '\0';
			return error;
		}
		if (memchr(ret + done, '\0', part))
			return 0;
		done += part;
	}
	ret[cap - 1] = '\0';
	return -ENAMETOOLONG;
}

int mw_tracee_open(const struct mw_tracee *tracee, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tracee->tid, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A pidfd of the thread where the kernel has such; else of its process, whose descriptors are the
 * thread's unless it has left them. */
static int pidfd_of(const struct mw_tracee *tracee)
{
	int fd = (int)syscall(SYS_pidfd_open, tracee->tid, PIDFD_THREAD);

	if (fd < 0 && errno == EINVAL) {
		if (tracee->tid != tracee->pid &&
		    syscall(SYS_kcmp, tracee->pid, tracee->tid, KCMP_FILES, 0, 0) != 0)
			return -EOPNOTSUPP;
		fd = (int)syscall(SYS_pidfd_open, tracee->pid, 0);
	}
	return fd < 0 ? -errno : fd;
}

int mw_tracee_take_fd(const struct mw_tracee *tracee, int fd)
{
	int pidfd = pidfd_of(tracee), ours;

	if (pidfd < 0)
		return pidfd;
	ours = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ours = ours < 0 ? -errno : ours;
	close(pidfd);
	return ours;
}

/* Whether a number below `limit` is free in the table of the task. */
static bool has_free_number(const struct mw_tracee *tracee, unsigned long limit)
{
	int fd = mw_tracee_open(tracee, "fd", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned long used = 0;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return true;
	}
	while ((entry = readdir(dir)))
		used += entry->d_name[0] != '.' && strtoul(entry->d_name, NULL, 10) < limit;
	closedir(dir);
	return used < limit;
}

bool mw_tracee_has_room(const struct mw_tracee *tracee, const struct mw_tracee_facts *facts)
{
	struct rlimit limit;

	if (prlimit(tracee->tid, RLIMIT_NOFILE, NULL, &limit) < 0 ||
	    facts->fd_size < limit.rlim_cur)
		return true;
	return has_free_number(tracee, limit.rlim_cur);
}

/* Reads a file of /proc. Returns its length, 0 when it cannot be read: some have no content. */
static size_t read_text(const char *path, char *ret, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got = 0;

	if (fd >= 0) {
		while (len < cap - 1 && (got = read(fd, ret + len, cap - 1 - len)) > 0)
			len += (size_t)got;
		close(fd);
	}
	ret[len] = '\0';
	return len;
}

/* The rest of the line that begins with `key`, or NULL. The name in the first line is escaped. */
static const char *field(const char *status, const char *key)
{
	size_t len = strlen(key);
	const char *line = status;

	while (line && strncmp(line, key, len) != 0) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return line ? line + len : NULL;
}

static bool same_field(const char *a, const char *b, const char *key)
{
	const char *x = field(a, key), *y = field(b, key);
	size_t len = x ? strcspn(x, "\n") : 0;

	return x && y && x[len] == '\n' && !strncmp(x, y, len + 1);
}

static bool same_namespace(const struct mw_tracee *tracee, const char *name)
{
	char theirs[64], ours[64];
	struct stat a, b;

	snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", (int)tracee->tid, name);
	snprintf(ours, sizeof(ours), "/proc/thread-self/ns/%s", name);
	return !stat(theirs, &a) && !stat(ours, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool same_label(const struct mw_tracee *tracee)
{
	char path[64], theirs[LABEL_MAX], ours[LABEL_MAX];

	snprintf(path, sizeof(path), "/proc/%d/attr/current", (int)tracee->tid);
	return read_text(path, theirs, sizeof(theirs)) ==
	               read_text("/proc/thread-self/attr/current", ours, sizeof(ours)) &&
	       !strcmp(theirs, ours);
}

/* Number `index` of the field, counted from 0. */
static unsigned long number(const char *status, const char *key, int index, int base)
{
	const char *at = field(status, key);
	char *end;

	for (; at && index > 0; index--) {
		strtoul(at, &end, base);
		at = end;
	}
	return at ? strtoul(at, NULL, base) : 0;
}

/* pidfd_open(2) takes no thread but the one that has the process's number: most callers are it. */
pid_t mw_tracee_process(pid_t tid)
{
	char path[40], status[4096];
	const char *pid;
	int fd = (int)syscall(SYS_pidfd_open, tid, 0);

	if (fd >= 0) {
		close(fd);
		return tid;
	}
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	read_text(path, status, sizeof(status));
	pid = field(status, "Tgid:");
	return pid ? (pid_t)strtol(pid, NULL, 10) : -ESRCH;
}

int mw_tracee_facts(const struct mw_tracee *tracee, struct mw_tracee_facts *ret)
{
	char path[64], theirs[STATUS_MAX], ours[STATUS_MAX];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tracee->tid);
	if (!read_text(path, theirs, sizeof(theirs)))
		return -ENOENT;
	if (!read_text("/proc/thread-self/status", ours, sizeof(ours)) || !field(theirs, "Umask:"))
		return -EOPNOTSUPP;
	*ret = (struct mw_tracee_facts){
	        .pid = (pid_t)number(theirs, "Tgid:", 0, 10),
	        .umask = (mode_t)number(theirs, "Umask:", 0, 8),
	        .euid = (uid_t)number(theirs, "Uid:", 1, 10),
	        .fsuid = (uid_t)number(theirs, "Uid:", 3, 10),
	        .egid = (gid_t)number(theirs, "Gid:", 1, 10),
	        .fsgid = (gid_t)number(theirs, "Gid:", 3, 10),
	        .fd_size = (unsigned)number(theirs, "FDSize:", 0, 10),
	        .elsewhere = !same_namespace(tracee, "mnt"),
	};
	ret->alike = same_field(theirs, ours, "Uid:") && same_field(theirs, ours, "Gid:") &&
	             same_field(theirs, ours, "Groups:") && same_label(tracee);
	if (!same_field(theirs, ours, "CapEff:") || !same_namespace(tracee, "user")) {
		ret->stronger = ret->alike && !number(ours, "CapEff:", 0, 16);
		ret->alike = false;
	}
	return 0;
}
