#include "daemon_reports.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon_listen.h"
#include "daemon_message.h"
#include "daemon_uids.h"

#define CONNECTIONS_MAX 1024
#define ACCEPT_MAX 256 /* in one round */
#define TURN_MAX 256   /* messages of one user in one round */
#define SLEEP_MS 100   /* of a user who sends more */
#define SAID_MS 10000  /* between two records of what a user lost */
#define LISTENER UINT32_MAX

/* What has been said so far, and so what may come next. */
enum state { NEW, GREETED, SUPERVISING, STATES };

static const bool permitted[STATES][MW_SAYS_COUNT] = {
        [NEW][MW_SAYS_HELLO] = true,
        [GREETED][MW_SAYS_SUPERVISE] = true,
        [SUPERVISING][MW_SAYS_REPORT] = true,
        [SUPERVISING][MW_SAYS_LOSS] = true,
};

struct connection {
	int fd; /* -1: free */
	bool armed;
	enum state state;
	struct mw_uid *user;
	int tree;
	int64_t deadline;
	struct mw_supervisor who;
};

struct mw_reports {
	struct mw_reports_limits limits;
	struct mw_merge *merge;
	int listener, epoll;
	char path[108];
	unsigned int open;
	bool owes; /* some user's losses have not been said */
	struct mw_reports_counters count;
	struct mw_uids uids;
	struct connection connection[CONNECTIONS_MAX];
	struct epoll_event events[CONNECTIONS_MAX + 1];
	char message[MW_REPORT_MAX];
};

static void set_default(unsigned int *limit, unsigned int value)
{
	if (!*limit)
		*limit = value;
}

static void set_limits(struct mw_reports *r, const struct mw_reports_limits *limits)
{
	if (limits)
		r->limits = *limits;
	set_default(&r->limits.connections, CONNECTIONS_MAX);
	set_default(&r->limits.per_uid, 256);
	set_default(&r->limits.a_minute, 600);
	set_default(&r->limits.burst, 200);
	if (r->limits.connections > CONNECTIONS_MAX)
		r->limits.connections = CONNECTIONS_MAX;
	if (!r->limits.hello_ms)
		r->limits.hello_ms = 2000;
	r->uids.a_minute = r->limits.a_minute;
	r->uids.burst = r->limits.burst;
}

int mw_reports_open(const char *path, const struct mw_reports_limits *limits,
                    struct mw_merge *merge, struct mw_reports **ret)
{
	struct mw_reports *r = calloc(1, sizeof(*r));
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = LISTENER};
	int error;

	if (!r)
		return -ENOMEM;
	set_limits(r, limits);
	r->merge = merge;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		r->connection[i].fd = -1;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	error = r->listener = r->epoll < 0 ? -errno : mw_listen(path);
	if (error >= 0) {
		snprintf(r->path, sizeof(r->path), "%s", path);
		error = epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &event) ? -errno : 0;
	}
	if (error < 0) {
		mw_reports_close(r);
		return error;
	}
	*ret = r;
	return 0;
}

static void end(struct mw_reports *r, struct connection *c)
{
	if (c->state == SUPERVISING)
		mw_merge_leave(r->merge, c->tree);
	c->user->connections--;
	r->open--;
	close(c->fd);
	*c = (struct connection){.fd = -1};
}

static void say_lost(struct mw_reports *r, struct mw_uid *user, int64_t now)
{
	char reason[80];

	snprintf(reason, sizeof(reason), "more than %u a minute", r->limits.a_minute);
	mw_merge_lost(r->merge, user->uid, user->limited, reason, now);
	user->limited = 0;
	user->said = now;
}

void mw_reports_close(struct mw_reports *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (r->connection[i].fd >= 0)
			end(r, &r->connection[i]);
	for (size_t i = 0; i < MW_UIDS_MAX; i++)
		if (r->uids.uid[i].limited)
			say_lost(r, &r->uids.uid[i], 0);
	if (r->listener >= 0)
		close(r->listener);
	if (r->path[0])
		unlink(r->path);
	if (r->epoll >= 0)
		close(r->epoll);
	free(r);
}

int mw_reports_fd(const struct mw_reports *r)
{
	return r->epoll;
}

const struct mw_reports_counters *mw_reports_count(const struct mw_reports *r)
{
	return &r->count;
}

static int arm(struct mw_reports *r, struct connection *c, int operation)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT,
	                            .data.u32 = (uint32_t)(c - r->connection)};

	c->armed = true;
	return epoll_ctl(r->epoll, operation, c->fd, &event);
}

static struct connection *place(struct mw_reports *r)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (r->connection[i].fd < 0)
			return &r->connection[i];
	return NULL;
}

static struct connection *admit(struct mw_reports *r, int fd, int64_t now)
{
	struct mw_supervisor who = {0};
	struct mw_uid *user = mw_listen_peer(fd, &who) ? NULL : mw_uids_get(&r->uids, who.uid, now);
	struct connection *c = r->open < r->limits.connections ? place(r) : NULL;

	r->count.accepted++;
	if (!user || !c || user->connections >= r->limits.per_uid)
		goto refuse;
	*c = (struct connection){
	        .fd = fd, .user = user, .who = who, .deadline = now + r->limits.hello_ms};
	if (arm(r, c, EPOLL_CTL_ADD)) {
		c->fd = -1;
		goto refuse;
	}
	user->connections++;
	r->open++;
	return c;
refuse:
	r->count.refused++;
	close(fd);
	return NULL;
}

static bool greet(struct connection *c, const struct mw_message *message)
{
	memcpy(c->who.policy, message->policy, sizeof(c->who.policy));
	c->who.mode = message->mode;
	c->state = GREETED;
	return true;
}

static bool supervise(struct mw_reports *r, struct connection *c)
{
	c->tree = mw_merge_supervise(r->merge, &c->who);
	if (c->tree < 0)
		return false;
	c->state = SUPERVISING;
	return true;
}

static void report(struct mw_reports *r, struct connection *c, struct mw_message *message,
                   int64_t now)
{
	if (mw_merge_report(r->merge, c->tree, message, now) == -EACCES)
		r->count.forged++;
	else
		r->count.reports++;
}

/* Does what the message asks for. False: the connection is to end. */
static bool obey(struct mw_reports *r, struct connection *c, struct mw_message *message,
                 int64_t now)
{
	if (!permitted[c->state][message->kind]) {
		r->count.unpermitted++;
		mw_message_free(message);
		return false;
	}
	switch (message->kind) {
	case MW_SAYS_HELLO:
		return greet(c, message);
	case MW_SAYS_SUPERVISE:
		return supervise(r, c);
	case MW_SAYS_REPORT:
		report(r, c, message, now);
		return true;
	case MW_SAYS_LOSS:
		mw_merge_lost(r->merge, c->who.uid, message->lost, "the daemon was too slow", now);
		return true;
	case MW_SAYS_COUNT:
		break;
	}
	return false;
}

/* What cannot be read is dropped: a newer modelwatch may have said it. */
static bool hear(struct mw_reports *r, struct connection *c, size_t len, int64_t now)
{
	struct mw_message message;
	int error;

	if (!mw_uids_take(&r->uids, c->user, now)) {
		r->count.limited++;
		r->owes = true;
		mw_merge_lost(r->merge, c->user->uid, 0, "", now);
		return true;
	}
	error = mw_message_read(r->message, len, &message);
	if (!error)
		return obey(r, c, &message, now);
	if (error == -EACCES)
		r->count.forged++;
	else if (error == -EBADMSG)
		r->count.malformed++;
	return true;
}

/* Reads one message. False when the connection has ended, or is to. */
static bool read_one(struct mw_reports *r, struct connection *c, int64_t now, bool *ret_more)
{
	ssize_t len = mw_listen_read(c->fd, c->who.pid, r->message, sizeof(r->message));

	*ret_more = len > 0;
	if (len == -EAGAIN || len == -EINTR)
		return true;
	if (len == -EMSGSIZE || len == -EACCES) {
		r->count.oversized += len == -EMSGSIZE;
		r->count.forged += len == -EACCES;
		return false;
	}
	return len > 0 && hear(r, c, (size_t)len, now);
}

static int listen_to(struct mw_reports *r, struct connection *c, int64_t now)
{
	bool more = true;
	int count = 0;

	c->armed = false;
	while (more && c->user->turn < TURN_MAX && c->user->asleep <= now) {
		if (!read_one(r, c, now, &more)) {
			end(r, c);
			return count + more;
		}
		c->user->turn += more;
		count += more;
	}
	if (c->user->turn >= TURN_MAX && c->user->limited)
		c->user->asleep = now + SLEEP_MS;
	if (c->user->asleep <= now)
		arm(r, c, EPOLL_CTL_MOD);
	return count;
}

/* What they have sent is taken in at once: who supervises is to be known before the next alert. */
static int take_connections(struct mw_reports *r, int64_t now)
{
	int count = 0;

	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct connection *c = fd < 0 ? NULL : admit(r, fd, now);

		if (fd < 0)
			break;
		if (c)
			count += listen_to(r, c, now);
	}
	return count;
}

int mw_reports_poll(struct mw_reports *r, int64_t now)
{
	int ready = epoll_wait(r->epoll, r->events, CONNECTIONS_MAX + 1, 0), count = 0;

	for (size_t i = 0; ready > 0 && i < MW_UIDS_MAX; i++)
		r->uids.uid[i].turn = 0;
	for (int i = 0; i < ready; i++) {
		uint32_t which = r->events[i].data.u32;

		if (which == LISTENER)
			count += take_connections(r, now);
		else if (r->connection[which].fd >= 0 && r->connection[which].armed)
			count += listen_to(r, &r->connection[which], now);
	}
	return count;
}

static bool is_late(const struct connection *c, int64_t now)
{
	return c->state != SUPERVISING && c->deadline <= now;
}

static void say_losses(struct mw_reports *r, int64_t now)
{
	r->owes = false;
	for (size_t i = 0; i < MW_UIDS_MAX; i++) {
		struct mw_uid *user = &r->uids.uid[i];

		if (user->limited && (!user->said || now - user->said >= SAID_MS))
			say_lost(r, user, now);
		r->owes |= user->limited > 0;
	}
}

void mw_reports_tick(struct mw_reports *r, int64_t now)
{
	for (size_t i = 0; r->open && i < CONNECTIONS_MAX; i++) {
		struct connection *c = &r->connection[i];

		if (c->fd < 0)
			continue;
		if (is_late(c, now)) {
			r->count.late++;
			end(r, c);
		} else if (!c->armed && c->user->asleep <= now) {
			arm(r, c, EPOLL_CTL_MOD);
		}
	}
	if (r->owes)
		say_losses(r, now);
}

static void soonest(int64_t *next, int64_t at)
{
	if (at < *next)
		*next = at;
}

int mw_reports_wait(const struct mw_reports *r, int64_t now)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; r->open && i < CONNECTIONS_MAX; i++) {
		const struct connection *c = &r->connection[i];

		if (c->fd >= 0 && c->state != SUPERVISING)
			soonest(&next, c->deadline);
		if (c->fd >= 0 && !c->armed)
			soonest(&next, c->user->asleep);
	}
	for (size_t i = 0; r->owes && i < MW_UIDS_MAX; i++)
		if (r->uids.uid[i].limited)
			soonest(&next, r->uids.uid[i].said ? r->uids.uid[i].said + SAID_MS : now);
	if (next == INT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}
