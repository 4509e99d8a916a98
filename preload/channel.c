#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "floor.h"
#include "shim.h"

/* Long enough for a monitor that hashes and unwinds on a loaded machine; a monitor that is gone
 * closes the socket and is noticed at once. */
#define PATIENCE_S 10

/* A payload may have taken every descriptor there is. The limit is raised for as long as it takes
 * to get one more; nothing is held in reserve that the job could find and close. */
static int socket_beyond_limit(void)
{
	struct rlimit own, more;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &own) < 0)
		return -1;
	more = own;
	more.rlim_cur = own.rlim_cur + 64;
	if (more.rlim_cur > more.rlim_max)
		more.rlim_max = more.rlim_cur; /* for those who may */
	if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, NULL) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &own, NULL);
	return fd;
}

static int reach(int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, mw_process.socket, sizeof(address.sun_path));
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == EINTR)
			continue;
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int dial(void)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EMFILE)
		fd = socket_beyond_limit();
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return reach(fd);
}

static int send_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The stack is sent from where it lies. Its end is a guess (a coroutine's stack may lie in the
 * heap), so what the kernel cannot read is sent as zeros: the frame's length is already out. */
static int send_stack(int fd, const uint8_t *stack, size_t len)
{
	static const uint8_t zeros[4096];
	size_t sent = 0;

	while (sent < len) {
		ssize_t n = send(fd, stack + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EFAULT)
			break;
		if (n <= 0)
			return -errno;
		sent += (size_t)n;
	}
	while (sent < len) {
		size_t part = len - sent < sizeof(zeros) ? len - sent : sizeof(zeros);
		int error = send_all(fd, zeros, part);

		if (error)
			return error;
		sent += part;
	}
	return 0;
}

static void take_fds(struct msghdr *message, int *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len == CMSG_LEN(MW_WIRE_FDS * sizeof(int)))
			memcpy(fds, CMSG_DATA(c), MW_WIRE_FDS * sizeof(int));
}

static int receive(int fd, struct mw_reply *ret, int *fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MW_WIRE_FDS * sizeof(int))];
	} control;
	size_t got = 0;

	while (got < sizeof(*ret)) {
		struct iovec part = {(char *)ret + got, sizeof(*ret) - got};
		struct msghdr message = {.msg_iov = &part,
		                         .msg_iovlen = 1,
		                         .msg_control = fds ? control.bytes : NULL,
		                         .msg_controllen = fds ? sizeof(control.bytes) : 0};
		ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		if (fds)
			take_fds(&message, fds);
		got += (size_t)n;
	}
	ret->id[sizeof(ret->id) - 1] = '\0';
	return ret->magic == MW_REPLY_MAGIC ? 0 : -EPROTO;
}

static int by_socket(const struct mw_record *record, const uint8_t *head, size_t len,
                     struct mw_reply *ret, int *fds)
{
	int fd = dial(), result;

	if (fd < 0)
		return fd;
	result = send_all(fd, head, len);
	if (!result)
		result = send_stack(fd, record->stack, record->stack_len);
	if (!result)
		result = receive(fd, ret, fds);
	close(fd);
	return result;
}

static int throw(const uint8_t *head, size_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), result;

	if (fd < 0)
		return -errno;
	fd = reach(fd);
	if (fd < 0)
		return fd;
	result = send_all(fd, head, len);
	close(fd);
	return result;
}

/* A thread that the floor looks at speaks to the monitor by it alone. */
int mw_tell(const struct mw_record *record)
{
	uint8_t head[MW_WIRE_HEAD];
	struct mw_reply reply;
	int saved = errno, len, result;

	if (mw_floor_watches())
		return mw_exchange(record, &reply, NULL);
	mw_thread.busy++;
	result = len = mw_wire_pack(record, head, sizeof(head));
	if (len >= 0)
		result = throw(head, (size_t)len);
	mw_thread.busy--;
	errno = saved;
	return result;
}

/* The hello finds out whether there is a floor to speak by. */
int mw_exchange(const struct mw_record *record, struct mw_reply *ret, int *fds)
{
	uint8_t head[MW_WIRE_HEAD];
	int saved = errno, len, result = -EINVAL;

	mw_thread.busy++;
	len = mw_wire_pack(record, head, sizeof(head));
	if (len >= 0 && (mw_process.floor || record->kind == MW_HELLO))
		result = mw_floor_send(record, head, (size_t)len, ret, fds);
	if (!result)
		mw_process.floor = true;
	else if (len >= 0 && !mw_process.floor)
		result = by_socket(record, head, (size_t)len, ret, fds);
	mw_thread.busy--;
	errno = saved;
	return len < 0 ? len : result;
}
