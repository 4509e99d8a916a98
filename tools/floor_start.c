#include "floor_start.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/floor.h"
#include "floor_filter.h"

#define TRY_MS 5000
#define TRY_VALUE 42
enum { TRY_NO_NEW_PRIVS = 1, TRY_FAILED };

static ssize_t read_all(int fd, void *ret, size_t size)
{
	ssize_t got;

	do
		got = read(fd, ret, size);
	while (got < 0 && errno == EINTR);
	return got;
}

int mw_floor_enter(const struct sock_fprog *filter, int parent)
{
	int listener = mw_floor_install(filter);
	char go;

	while (write(parent, &listener, sizeof(listener)) < 0)
		if (errno != EINTR)
			return -errno;
	if (listener < 0)
		return listener;
	return read_all(parent, &go, 1) == 1 ? 0 : -ECANCELED;
}

static int take(pid_t pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), taken;

	if (pidfd < 0)
		return -errno;
	taken = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (taken < 0)
		taken = -errno;
	close(pidfd);
	return taken;
}

int mw_floor_listener(pid_t child, int socket)
{
	int number;

	if (read_all(socket, &number, sizeof(number)) != sizeof(number))
		return -ECHILD;
	return number < 0 ? number : take(child, number);
}

int mw_floor_go(int socket)
{
	return send(socket, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* The next notification of the listener gets the value that the child asked for. */
static int answer(int listener)
{
	struct pollfd waiting = {.fd = listener, .events = POLLIN};
	struct seccomp_notif asked = {0};
	struct seccomp_notif_resp reply = {0};

	if (poll(&waiting, 1, TRY_MS) != 1)
		return -ETIMEDOUT;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
		return -errno;
	reply.id = asked.id;
	reply.val = (int64_t)asked.data.args[1];
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply) < 0 ? -errno : 0;
}

static _Noreturn void be_tried(const struct sock_fprog *filter, int parent)
{
	int error = mw_floor_enter(filter, parent);

	if (error || prctl(MW_FLOOR_CALL, TRY_VALUE, 0, 0, 0) != TRY_VALUE)
		_exit(TRY_FAILED);
	_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? TRY_NO_NEW_PRIVS : 0);
}

static int try_child(pid_t child, int socket)
{
	int listener = mw_floor_listener(child, socket);
	int error = listener < 0 ? listener : mw_floor_go(socket);

	if (!error)
		error = answer(listener);
	if (listener >= 0)
		close(listener);
	return error;
}

int mw_floor_try(bool *ret_no_new_privs)
{
	struct mw_floor_options options = {0};
	struct sock_fprog filter = {0};
	int ends[2], status = 0, error = mw_floor_filter(&options, &filter);
	pid_t child;

	if (error)
		return error;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		error = -errno;
		goto out;
	}
	child = fork();
	if (!child)
		be_tried(&filter, ends[1]);
	close(ends[1]);
	error = child < 0 ? -errno : try_child(child, ends[0]);
	close(ends[0]);
	if (child > 0 && waitpid(child, &status, 0) == child && !error &&
	    (!WIFEXITED(status) || WEXITSTATUS(status) >= TRY_FAILED))
		error = -EIO;
	if (!error)
		*ret_no_new_privs = WEXITSTATUS(status) == TRY_NO_NEW_PRIVS;
out:
	mw_floor_filter_free(&filter);
	return error;
}

const char *mw_floor_why(int error)
{
	switch (error) {
	case -EBUSY:
		return "this process is behind another listener already, and the kernel allows one";
	case -EINVAL:
	case -ENOSYS:
	case -EOPNOTSUPP:
		return "the kernel has no seccomp user notification";
	case -EACCES:
	case -EPERM:
		return "seccomp user notification is forbidden here";
	}
	return strerror(-error);
}
