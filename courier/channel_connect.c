#include "channel_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Between tries at a listener whose queue is full, of which poll() tells nothing. */
#define BACKLOG_MS 20

int mw_socket_error(int error)
{
	switch (error) {
	case ECONNRESET:
	case ECONNABORTED:
	case ENOTCONN:
	case ECONNREFUSED: /* of a datagram socket that nobody has any more */
		return -EPIPE;
	default:
		return -error;
	}
}

static int finish(int fd, const struct mw_wait *wait)
{
	socklen_t size = sizeof(int);
	int result, error = mw_wait_on(wait, fd, POLLOUT);

	if (error)
		return error;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) ? -errno : -result;
}

/* Connects `fd`, which does not block. */
static int reach(int fd, const struct sockaddr *address, socklen_t len, const struct mw_wait *wait)
{
	int error = 0;

	while (!error && connect(fd, address, len)) {
		if (errno == EINPROGRESS || errno == EINTR)
			return finish(fd, wait);
		error = errno == EAGAIN ? mw_wait_pause(wait, BACKLOG_MS) : -errno;
	}
	return error;
}

static int open_to(int family, int type, const struct sockaddr *address, socklen_t len,
                   const struct mw_wait *wait)
{
	int error, fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	error = reach(fd, address, len, wait);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static int connect_unix(const struct mw_address *address, const struct mw_wait *wait)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t len = strlen(address->path);

	if (len >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	memcpy(name.sun_path, address->path, len);
	return open_to(AF_UNIX, address->is_stream ? SOCK_STREAM : SOCK_DGRAM,
	               (struct sockaddr *)&name, sizeof(name), wait);
}

/* A receiver that has vanished without a word is noticed also between two records. */
static void set_up_tcp(int fd)
{
	const int on = 1, idle_s = 30, between_s = 10, tries = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof(between_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}

/* One address after the other; each gets its share of the time, so that one that swallows packets
 * does not take that of the next. */
static int connect_any(const struct addrinfo *list, const struct mw_wait *wait)
{
	int left = 0, fd = -EHOSTUNREACH;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		left++;
	for (const struct addrinfo *a = list; a; a = a->ai_next, left--) {
		const struct mw_wait share = mw_wait_for(mw_wait_left(wait) / left, wait->stop);

		fd = open_to(a->ai_family, a->ai_socktype, a->ai_addr, a->ai_addrlen, &share);
		if (fd >= 0 || fd == -ECANCELED)
			break;
	}
	if (fd >= 0)
		set_up_tcp(fd);
	return fd;
}

int mw_connect(const struct mw_address *address, const struct mw_wait *wait, const char **why)
{
	struct addrinfo *list;
	int fd;

	if (address->family == AF_UNIX)
		return connect_unix(address, wait);
	fd = mw_resolve(address, wait, &list, why);
	if (fd)
		return fd;
	fd = connect_any(list, wait);
	freeaddrinfo(list);
	return fd;
}
