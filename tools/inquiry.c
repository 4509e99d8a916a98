#include "inquiry.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"

#define LISTENER UINT32_MAX
#define RETRY_MS 100 /* after the machine had no descriptor for a connection */

struct connection {
	int fd; /* -1: free */
	int64_t deadline;
	size_t got;              /* bytes of the question */
	struct mw_buffer answer; /* once there is one, */
	size_t sent;             /* and how much of it has gone */
	char question[MW_INQUIRY_ASKED];
};

struct mw_inquiry {
	struct mw_inquiry_options options;
	int listener, epoll;
	bool checks_user, closed_door;
	int64_t shut_until;
	char path[108];
	struct mw_inquiry_counters count;
	struct connection connection[MW_INQUIRY_CONNECTIONS];
};

static int watch(struct mw_inquiry *q, int operation, int fd, uint32_t which, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u32 = which};

	return epoll_ctl(q->epoll, operation, fd, &event) < 0 ? -errno : 0;
}

/* Who comes when all places are taken, or the machine is short of something, waits in the kernel's
 * queue. */
static void set_door(struct mw_inquiry *q)
{
	bool full = true;

	for (size_t i = 0; i < MW_INQUIRY_CONNECTIONS; i++)
		full = full && q->connection[i].fd >= 0;
	full = full || mw_clock_ms() < q->shut_until;
	if (full != q->closed_door)
		watch(q, EPOLL_CTL_MOD, q->listener, LISTENER, full ? 0 : EPOLLIN);
	q->closed_door = full;
}

static void release(struct connection *c)
{
	close(c->fd);
	free(c->answer.data);
	*c = (struct connection){.fd = -1};
}

static bool may_ask(const struct mw_inquiry *q, int fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);

	if (!q->checks_user)
		return true;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void take_in(struct mw_inquiry *q)
{
	for (uint32_t i = 0; i < MW_INQUIRY_CONNECTIONS; i++) {
		struct connection *c = &q->connection[i];
		int fd;

		if (c->fd >= 0)
			continue;
		fd = accept4(q->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			q->shut_until = mw_clock_ms() + RETRY_MS;
		if (fd < 0)
			return;
		if (!may_ask(q, fd)) {
			q->count.refused++;
			close(fd);
		} else if (watch(q, EPOLL_CTL_ADD, fd, i, EPOLLIN)) {
			close(fd);
		} else {
			*c = (struct connection){
			        .fd = fd, .deadline = mw_clock_ms() + MW_INQUIRY_DEADLINE_MS};
		}
	}
}

/* Sends what there is room for. True when nothing is left to be done. */
static bool send_answer(struct mw_inquiry *q, struct connection *c)
{
	while (c->sent < c->answer.len) {
		ssize_t n = send(c->fd, c->answer.data + c->sent, c->answer.len - c->sent,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno != EAGAIN;
		c->sent += (size_t)n;
	}
	q->count.answered += c->answer.len > 0;
	return true;
}

/* True when the connection is at its end. */
static bool reply(struct mw_inquiry *q, struct connection *c, uint32_t which)
{
	q->options.answer(q->options.context, c->question, &c->answer);
	if (send_answer(q, c))
		return true;
	return watch(q, EPOLL_CTL_MOD, c->fd, which, EPOLLOUT) != 0;
}

/* The same. What follows the question's end is not looked at. */
static bool listen_to(struct mw_inquiry *q, struct connection *c, uint32_t which)
{
	ssize_t n =
	        recv(c->fd, c->question + c->got, sizeof(c->question) - 1 - c->got, MSG_DONTWAIT);
	char *end;

	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	if (!n)
		return true;
	c->got += (size_t)n;
	c->question[c->got] = '\0';
	end = strstr(c->question, q->options.end);
	if (end) {
		*end = '\0';
		return reply(q, c, which);
	}
	if (c->got < sizeof(c->question) - 1 && strlen(c->question) == c->got)
		return false;
	q->count.malformed++;
	return true;
}

static void advance(struct mw_inquiry *q, uint32_t which)
{
	struct connection *c = &q->connection[which];

	if (c->fd >= 0 && (c->answer.len ? send_answer(q, c) : listen_to(q, c, which)))
		release(c);
}

static void end_late_ones(struct mw_inquiry *q)
{
	int64_t now = mw_clock_ms();

	for (size_t i = 0; i < MW_INQUIRY_CONNECTIONS; i++) {
		if (q->connection[i].fd < 0 || q->connection[i].deadline > now)
			continue;
		q->count.late++;
		release(&q->connection[i]);
	}
}

void mw_inquiry_poll(struct mw_inquiry *q)
{
	struct epoll_event events[MW_INQUIRY_CONNECTIONS + 1];
	int count = epoll_wait(q->epoll, events, MW_INQUIRY_CONNECTIONS + 1, 0);

	for (int i = 0; i < count; i++)
		if (events[i].data.u32 == LISTENER)
			take_in(q);
		else
			advance(q, events[i].data.u32);
	end_late_ones(q);
	set_door(q);
}

int mw_inquiry_patience(const struct mw_inquiry *q)
{
	int64_t now = mw_clock_ms(), next = q->shut_until > now ? q->shut_until : INT64_MAX;

	for (size_t i = 0; i < MW_INQUIRY_CONNECTIONS; i++)
		if (q->connection[i].fd >= 0 && q->connection[i].deadline < next)
			next = q->connection[i].deadline;
	if (next == INT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

static int start(struct mw_inquiry *q, const struct sockaddr *address, socklen_t len)
{
	const int on = 1;

	q->listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	q->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (q->listener < 0 || q->epoll < 0)
		return -errno;
	if (address->sa_family != AF_UNIX)
		setsockopt(q->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	else if (fchmod(q->listener, 0600) < 0) /* so that it never is there with another mode */
		return -errno;
	if (bind(q->listener, address, len) < 0 || listen(q->listener, 16) < 0)
		return -errno;
	return watch(q, EPOLL_CTL_ADD, q->listener, LISTENER, EPOLLIN);
}

static int open_at(const struct sockaddr *address, socklen_t len, const char *path,
                   const struct mw_inquiry_options *options, struct mw_inquiry **ret)
{
	struct mw_inquiry *q = calloc(1, sizeof(*q));
	int error;

	if (!q)
		return -ENOMEM;
	q->options = *options;
	q->checks_user = path != NULL;
	q->listener = q->epoll = -1;
	for (size_t i = 0; i < MW_INQUIRY_CONNECTIONS; i++)
		q->connection[i].fd = -1;
	error = start(q, address, len);
	if (!error && path)
		memcpy(q->path, path, strlen(path) + 1);
	if (error)
		mw_inquiry_close(q);
	else
		*ret = q;
	return error;
}

int mw_inquiry_unix(const char *path, const struct mw_inquiry_options *options,
                    struct mw_inquiry **ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat there;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (lstat(path, &there) == 0 && S_ISSOCK(there.st_mode))
		unlink(path);
	return open_at((struct sockaddr *)&address, sizeof(address), path, options, ret);
}

int mw_inquiry_tcp(const struct sockaddr *address, socklen_t len,
                   const struct mw_inquiry_options *options, struct mw_inquiry **ret)
{
	return open_at(address, len, NULL, options, ret);
}

void mw_inquiry_close(struct mw_inquiry *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < MW_INQUIRY_CONNECTIONS; i++)
		if (q->connection[i].fd >= 0)
			release(&q->connection[i]);
	if (q->listener >= 0)
		close(q->listener);
	if (q->epoll >= 0)
		close(q->epoll);
	if (q->path[0])
		unlink(q->path);
	free(q);
}

int mw_inquiry_fd(const struct mw_inquiry *q)
{
	return q->epoll;
}

const struct mw_inquiry_counters *mw_inquiry_count(const struct mw_inquiry *q)
{
	return &q->count;
}
