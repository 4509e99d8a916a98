#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"
#include "tasks.h"

#define HEAD 4 /* bytes of a frame's length */
#define ANCESTORS_MAX 64
#define RETRY_MS 100 /* after the machine had no descriptor or memory for a connection */
#define FIRST_ROOM 4096

struct connection {
	int fd; /* -1: free */
	pid_t pid;
	bool waiting; /* for room in the budget of all connections */
	int64_t deadline;
	size_t got;   /* bytes received, the head's included */
	uint32_t len; /* of the body, once the head is there */
	uint8_t head[HEAD];
	uint8_t *body;
	size_t room; /* bytes allocated for the body */
};

struct mw_server {
	mw_serve *serve;
	void *context;
	char directory[96], path[108];
	int listener, epoll, timer;
	bool closed_door; /* the listener is not looked at */
	bool short_of;    /* ... because the machine is short of something */
	int64_t away;     /* time spent in `serve`, which counts against nobody's deadline */
	size_t buffered;
	unsigned int open, waiting;
	struct mw_server_counters count;
	struct connection connection[MW_SERVER_CONNECTIONS];
};

#define LISTENER UINT32_MAX
#define TIMER (UINT32_MAX - 1)

static int64_t server_time(const struct mw_server *server)
{
	return mw_clock_ms() - server->away;
}

static int watch(struct mw_server *server, int operation, int fd, uint32_t which, bool on)
{
	struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.u32 = which};

	return epoll_ctl(server->epoll, operation, fd, &event) < 0 ? -errno : 0;
}

static void set_door(struct mw_server *server)
{
	bool closed = server->short_of || server->open == MW_SERVER_CONNECTIONS;

	if (closed != server->closed_door)
		watch(server, EPOLL_CTL_MOD, server->listener, LISTENER, !closed);
	server->closed_door = closed;
}

static void release(struct mw_server *server, struct connection *c)
{
	server->buffered -= c->room;
	server->open--;
	server->waiting -= c->waiting;
	free(c->body);
	close(c->fd);
	*c = (struct connection){.fd = -1};
	for (uint32_t i = 0; server->waiting && i < MW_SERVER_CONNECTIONS; i++) {
		struct connection *other = &server->connection[i];

		if (other->fd < 0 || !other->waiting)
			continue;
		other->waiting = false;
		server->waiting--;
		watch(server, EPOLL_CTL_ADD, other->fd, i, true);
	}
}

/* A process whose ancestors cannot be asked any more is believed when it was of our own user: it
 * has told us something and was killed, and what it told must not be lost. */
static bool belongs(const struct ucred *peer)
{
	struct mw_task task;
	int error = mw_task_read(peer->pid, &task);

	if (peer->pid <= 0)
		return false;
	if (error == -ESRCH)
		return peer->uid == getuid();
	for (int i = 0; !error && i < ANCESTORS_MAX && task.parent > 0; i++) {
		if (task.parent == getpid())
			return true;
		error = mw_task_read(task.parent, &task);
	}
	return false;
}

/* Parents die while one looks: the orphan has another by then. */
static bool admitted(const struct ucred *peer)
{
	for (int i = 0; i < 3; i++)
		if (belongs(peer))
			return true;
	return false;
}

static void admit(struct mw_server *server, int fd)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	uint32_t i = 0;

	server->count.accepted++;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || !admitted(&peer)) {
		server->count.refused++;
		close(fd);
		return;
	}
	while (server->connection[i].fd >= 0)
		i++;
	if (watch(server, EPOLL_CTL_ADD, fd, i, true) < 0) {
		server->short_of = true;
		close(fd);
		return;
	}
	server->open++;
	server->connection[i] = (struct connection){
	        .fd = fd,
	        .pid = peer.pid,
	        .deadline = server_time(server) + MW_SERVER_DEADLINE_MS,
	};
}

static int take_in(struct mw_server *server)
{
	int taken = 0;

	while (!server->closed_door) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			server->short_of = errno != EAGAIN;
			set_door(server);
			break;
		}
		admit(server, fd);
		set_door(server);
		taken++;
	}
	return taken;
}

/* Sends the reply, which a fresh socket's buffer has room for, with what goes with it. */
static void send_reply(int fd, const struct mw_reply *reply, const int fds[static MW_WIRE_FDS])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MW_WIRE_FDS * sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)(uintptr_t)reply, sizeof(*reply)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (fds[0] >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(MW_WIRE_FDS * sizeof(int));
		memcpy(CMSG_DATA(head), fds, MW_WIRE_FDS * sizeof(int));
	}
	while (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
		continue;
}

static void answer(struct mw_server *server, struct connection *c)
{
	struct mw_unpacked unpacked;
	struct mw_reply reply = {.magic = MW_REPLY_MAGIC};
	int fds[MW_WIRE_FDS] = {-1, -1};
	int64_t began = mw_clock_ms();
	int error = mw_wire_unpack(c->body, c->len, &unpacked);

	if (error) {
		server->count.foreign += error == -EPROTONOSUPPORT;
		server->count.malformed += error != -EPROTONOSUPPORT;
		return;
	}
	server->serve(server->context, c->pid, &unpacked.record, &reply, fds);
	mw_wire_free(&unpacked);
	send_reply(c->fd, &reply, fds);
	server->count.records++;
	server->away += mw_clock_ms() - began;
}

/* Makes room for the next bytes of the body: twice as much as has come, within the frame. Returns
 * -EAGAIN when the budget of all connections is spent for now; a record without a stack needs none,
 * so whoever fills the budget shuts nobody out from asking. */
static int grow(struct mw_server *server, struct connection *c)
{
	size_t room = c->room ? 2 * c->room : FIRST_ROOM;
	uint8_t *body;

	if (room > c->len)
		room = c->len;
	if (room > MW_WIRE_HEAD && server->buffered - c->room + room > MW_SERVER_BUFFERED)
		return -EAGAIN;
	body = realloc(c->body, room);
	if (!body)
		return -EAGAIN;
	server->buffered += room - c->room;
	c->body = body;
	c->room = room;
	return 0;
}

/* Receives into `to`. The sender of every byte must be who connected. Returns as recvmsg(), with
 * errors as negative errno; -EACCES for another sender. */
static ssize_t receive(const struct connection *c, uint8_t *to, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = {to, len};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct ucred sender = {0};

	if (got <= 0)
		return got ? -errno : 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS)
			memcpy(&sender, CMSG_DATA(h), sizeof(sender));
	return sender.pid == c->pid ? got : -EACCES;
}

/* Reads what there is. Returns 1 when the frame is complete, 0 when more is to come, -EAGAIN when
 * there is no room for more now, -EBADMSG, -EMSGSIZE, -EACCES, or -EPIPE when there will be no
 * more. */
static int read_frame(struct mw_server *server, struct connection *c)
{
	for (;;) {
		size_t body = c->got < HEAD ? 0 : c->got - HEAD;
		ssize_t got;

		if (c->got >= HEAD && body == c->len)
			return 1;
		if (c->got >= HEAD && body == c->room && grow(server, c) < 0)
			return -EAGAIN;
		got = c->got < HEAD ? receive(c, c->head + c->got, HEAD - c->got)
		                    : receive(c, c->body + body, c->room - body);
		if (got == -EINTR)
			continue;
		if (got == -EAGAIN)
			return 0;
		if (got <= 0)
			return got == -EACCES ? -EACCES : -EPIPE;
		c->got += (size_t)got;
		if (c->got != HEAD || c->len)
			continue;
		c->len = (uint32_t)c->head[0] << 24 | (uint32_t)c->head[1] << 16 |
		         (uint32_t)c->head[2] << 8 | c->head[3];
		if (!c->len)
			return -EBADMSG;
		if (c->len > MW_WIRE_MAX)
			return -EMSGSIZE;
	}
}

static void count_end(struct mw_server_counters *count, int result, bool begun)
{
	if (result == -EBADMSG)
		count->malformed++;
	else if (result == -EMSGSIZE)
		count->oversized++;
	else if (result == -EACCES)
		count->refused++;
	else if (result == -ETIMEDOUT)
		count->timed_out++;
	else if (begun)
		count->cut++;
}

static void advance(struct mw_server *server, uint32_t i, bool last)
{
	struct connection *c = &server->connection[i];
	int result = read_frame(server, c);

	if (result == -EAGAIN && !last) {
		c->waiting = true;
		server->waiting++;
		watch(server, EPOLL_CTL_DEL, c->fd, i, false);
		return;
	}
	if (result == -EAGAIN)
		result = 0;
	if (result == 0 && !last)
		return;
	if (result > 0)
		answer(server, c);
	else
		count_end(&server->count, result ? result : -ETIMEDOUT, c->got > 0);
	release(server, c);
}

/* Who waits for room is dropped in time, too: or all would wait for each other. */
static void end_late_ones(struct mw_server *server)
{
	int64_t now = server_time(server);

	for (uint32_t i = 0; i < MW_SERVER_CONNECTIONS; i++) {
		const struct connection *c = &server->connection[i];

		if (c->fd >= 0 && c->deadline <= now)
			advance(server, i, true);
	}
}

static void set_timer(struct mw_server *server)
{
	int64_t now = server_time(server), next = server->short_of ? now + RETRY_MS : INT64_MAX;
	struct itimerspec timer = {0};

	for (uint32_t i = 0; server->open && i < MW_SERVER_CONNECTIONS; i++) {
		const struct connection *c = &server->connection[i];

		if (c->fd >= 0 && c->deadline < next)
			next = c->deadline;
	}
	if (next != INT64_MAX) {
		next = next > now ? next - now : 1;
		timer.it_value.tv_sec = next / 1000;
		timer.it_value.tv_nsec = next % 1000 * 1000000;
	}
	timerfd_settime(server->timer, 0, &timer, NULL);
}

int mw_server_poll(struct mw_server *server)
{
	struct epoll_event events[64];
	int count = epoll_wait(server->epoll, events, 64, 0), busy = 0;
	uint64_t ticks;

	for (int i = 0; i < count; i++) {
		uint32_t which = events[i].data.u32;

		if (which == TIMER) {
			server->short_of = false;
			if (read(server->timer, &ticks, sizeof(ticks)) < 0)
				continue;
		} else if (which == LISTENER) {
			busy += take_in(server);
		} else if (server->connection[which].fd >= 0 &&
		           !server->connection[which].waiting) {
			advance(server, which, false);
			busy++;
		}
	}
	end_late_ones(server);
	set_door(server);
	set_timer(server);
	return busy;
}

static int make_directory(struct mw_server *server, const char *where)
{
	int len;

	if (!where || *where != '/')
		return -ENOENT;
	len = snprintf(server->directory, sizeof(server->directory), "%s/modelwatch-XXXXXX", where);
	if (len < 0 || (size_t)len >= sizeof(server->directory) || !mkdtemp(server->directory)) {
		server->directory[0] = '\0';
		return -ENOENT;
	}
	snprintf(server->path, sizeof(server->path), "%s/socket", server->directory);
	return 0;
}

/* What root starts may become another user and still has to reach the socket: the door is then open
 * to all, and who may stay is decided by ancestry, as always. */
static int find_place(struct mw_server *server)
{
	bool root = geteuid() == 0;
	const char *const places[] = {
	        root ? NULL : getenv("XDG_RUNTIME_DIR"),
	        "/tmp",
	        getenv("TMPDIR"),
	        "/dev/shm",
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!make_directory(server, places[i]))
			return root && chmod(server->directory, 0711) < 0 ? -errno : 0;
	return -ENOENT;
}

static int listen_there(struct mw_server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int on = 1;

	memcpy(address.sun_path, server->path, sizeof(address.sun_path));
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0 ||
	    setsockopt(server->listener, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    bind(server->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(server->path, geteuid() ? 0600 : 0666) < 0 ||
	    listen(server->listener, SOMAXCONN) < 0)
		return -errno;
	return 0;
}

static int watch_all(struct mw_server *server)
{
	int error;

	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (server->epoll < 0 || server->timer < 0)
		return -errno;
	error = watch(server, EPOLL_CTL_ADD, server->listener, LISTENER, true);
	return error ? error : watch(server, EPOLL_CTL_ADD, server->timer, TIMER, true);
}

int mw_server_open(mw_serve *serve, void *context, struct mw_server **ret)
{
	struct mw_server *server = calloc(1, sizeof(*server));
	int error;

	if (!server)
		return -ENOMEM;
	server->serve = serve;
	server->context = context;
	server->listener = server->epoll = server->timer = -1;
	for (uint32_t i = 0; i < MW_SERVER_CONNECTIONS; i++)
		server->connection[i].fd = -1;
	error = find_place(server);
	if (!error)
		error = listen_there(server);
	if (!error)
		error = watch_all(server);
	if (error)
		mw_server_close(server);
	else
		*ret = server;
	return error;
}

void mw_server_close(struct mw_server *server)
{
	if (!server)
		return;
	for (uint32_t i = 0; i < MW_SERVER_CONNECTIONS; i++)
		if (server->connection[i].fd >= 0)
			release(server, &server->connection[i]);
	if (server->listener >= 0)
		close(server->listener);
	if (server->epoll >= 0)
		close(server->epoll);
	if (server->timer >= 0)
		close(server->timer);
	if (server->directory[0]) {
		unlink(server->path);
		rmdir(server->directory);
	}
	free(server);
}

const char *mw_server_path(const struct mw_server *server)
{
	return server->path;
}

int mw_server_fd(const struct mw_server *server)
{
	return server->epoll;
}

const struct mw_server_counters *mw_server_count(const struct mw_server *server)
{
	return &server->count;
}
