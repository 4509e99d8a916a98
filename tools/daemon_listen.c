#include "daemon_listen.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tasks.h"

static int make_directory(const char *path)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *name;
	struct stat st;

	if ((size_t)snprintf(directory, sizeof(directory), "%s", path) >= sizeof(directory))
		return -ENAMETOOLONG;
	name = dirname(directory);
	if (!mkdir(name, 0755)) {
		if (chmod(name, 0755)) /* whatever the umask is */
			return -errno;
	} else if (errno != EEXIST) {
		return -errno;
	}
	if (lstat(name, &st))
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022) ? 0 : -EPERM;
}

static int bind_there(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;

	if (!lstat(path, &st) && S_ISSOCK(st.st_mode) && unlink(path))
		return -errno;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0666) ||
	    listen(fd, SOMAXCONN))
		return -errno;
	return 0;
}

int mw_listen(const char *path)
{
	const int on = 1;
	int fd, error = make_directory(path);

	if (error)
		return error;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ? -errno
	                                                                 : bind_there(fd, path);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static int same_namespace(pid_t pid)
{
	char path[40];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	if (stat(path, &theirs) || stat("/proc/self/ns/pid", &ours))
		return errno == ENOENT ? -ESRCH : -errno;
	return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev ? 0 : -EACCES;
}

int mw_listen_peer(int fd, struct mw_supervisor *ret)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	struct mw_task task;
	int error;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return -errno;
	if (peer.pid <= 0)
		return -EACCES;
	error = mw_task_read(peer.pid, &task);
	if (!error)
		error = same_namespace(peer.pid);
	if (error)
		return error;
	ret->pid = peer.pid;
	ret->uid = peer.uid;
	ret->start = task.start;
	return 0;
}

static void close_all(struct cmsghdr *head)
{
	size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd;

	for (size_t i = 0; i < count; i++) {
		memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
		close(fd);
	}
}

ssize_t mw_listen_read(int fd, pid_t pid, char *out, size_t size)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = {out, size};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = sizeof(control.bytes)};
	ssize_t len = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct ucred sender = {0};

	if (len <= 0)
		return len ? -errno : 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
		if (h->cmsg_level != SOL_SOCKET)
			continue;
		if (h->cmsg_type == SCM_CREDENTIALS)
			memcpy(&sender, CMSG_DATA(h), sizeof(sender));
		else if (h->cmsg_type == SCM_RIGHTS)
			close_all(h);
	}
	if (sender.pid != pid)
		return -EACCES;
	return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : len;
}
