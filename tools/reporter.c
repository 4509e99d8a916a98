#include "reporter.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"

#define QUEUE_MAX 256          /* alerts */
#define QUEUE_BYTES (4u << 20) /* of all together */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000
#define STAYED_MS 5000 /* who goes sooner has refused us */
#define LAST_MS 100

struct kept {
	char *line;
	size_t len;
};

struct mw_reporter {
	struct sockaddr_un address;
	char hello[256];
	int fd;                     /* -1: there is no daemon */
	bool lost_it;               /* there was one */
	int64_t again;              /* not looked for before that */
	int retry;                  /* ms until it is looked for again */
	int64_t since;              /* when it was found */
	uint64_t lost, told;        /* the daemon knows of so many of them */
	size_t first, count, bytes; /* of a ring */
	struct kept kept[QUEUE_MAX];
};

/* Nobody else could have put a socket there. */
static bool is_roots(const char *path)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct stat st;

	snprintf(directory, sizeof(directory), "%s", path);
	return !lstat(dirname(directory), &st) && S_ISDIR(st.st_mode) && st.st_uid == 0 &&
	       !(st.st_mode & 022);
}

static bool is_root(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.uid == 0;
}

static int say(int fd, const char *text, size_t len)
{
	ssize_t n;

	do
		n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Not before `retry` has passed, and the next time later. */
static void put_off(struct mw_reporter *r, int64_t now)
{
	r->again = now + r->retry;
	r->retry = r->retry * 2 < RETRY_MAX_MS ? r->retry * 2 : RETRY_MAX_MS;
}

/* A connection on which the first words have been said, or -1. */
static int reach(const struct mw_reporter *r)
{
	static const char supervise[] = "{\"schema\":\"modelwatch.supervise/1\"}\n";
	const int room = MW_REPORT_MAX;
	int fd;

	if (!is_roots(r->address.sun_path))
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (!connect(fd, (struct sockaddr *)&r->address, sizeof(r->address)) && is_root(fd) &&
	    !say(fd, r->hello, strlen(r->hello)) && !say(fd, supervise, sizeof(supervise) - 1))
		return fd;
	close(fd);
	return -1;
}

static void look_for_it(struct mw_reporter *r)
{
	int64_t now = mw_clock_ms();

	if (now < r->again)
		return;
	r->fd = reach(r);
	if (r->fd < 0)
		put_off(r, now);
	else
		r->since = now;
}

static void part(struct mw_reporter *r)
{
	int64_t now = mw_clock_ms();

	close(r->fd);
	r->fd = -1;
	r->lost_it = true;
	if (now - r->since >= STAYED_MS)
		r->retry = RETRY_MIN_MS;
	put_off(r, now);
}

int mw_reporter_open(const char *path, const char *policy_digest, const char *mode,
                     struct mw_reporter **ret)
{
	struct mw_reporter *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fd = -1;
	r->retry = RETRY_MIN_MS;
	r->address.sun_family = AF_UNIX;
	snprintf(r->address.sun_path, sizeof(r->address.sun_path), "%s", path);
	snprintf(r->hello, sizeof(r->hello),
	         "{\"schema\":\"modelwatch.hello/1\",\"policy\":\"%s\",\"mode\":\"%s\","
	         "\"version\":\"" MW_VERSION "\"}\n",
	         policy_digest, mode);
	look_for_it(r);
	*ret = r;
	return 0;
}

static void drop_first(struct mw_reporter *r)
{
	struct kept *kept = &r->kept[r->first];

	free(kept->line);
	r->bytes -= kept->len;
	r->first = (r->first + 1) % QUEUE_MAX;
	r->count--;
}

static void keep(struct mw_reporter *r, const char *line, size_t len)
{
	struct kept *kept = &r->kept[(r->first + r->count) % QUEUE_MAX];
	char *copy = NULL;

	if (r->count < QUEUE_MAX && r->bytes + len <= QUEUE_BYTES)
		copy = malloc(len);
	if (!copy) {
		r->lost++;
		return;
	}
	memcpy(copy, line, len);
	*kept = (struct kept){copy, len};
	r->bytes += len;
	r->count++;
}

/* What is missing is no evasion. */
static int say_lost(struct mw_reporter *r)
{
	char line[80];
	int error;

	if (r->lost == r->told)
		return 0;
	snprintf(line, sizeof(line), "{\"schema\":\"modelwatch.loss/1\",\"lost\":%llu}\n",
	         (unsigned long long)(r->lost - r->told));
	error = say(r->fd, line, strlen(line));
	if (!error)
		r->told = r->lost;
	return error;
}

/* In their order: what has been kept goes first. */
static void flush(struct mw_reporter *r)
{
	while (r->count && r->fd >= 0) {
		const struct kept *kept = &r->kept[r->first];
		int error = say_lost(r);

		if (!error)
			error = say(r->fd, kept->line, kept->len);
		if (error == -EAGAIN)
			return;
		if (error == -EMSGSIZE)
			r->lost++;
		else if (error)
			part(r);
		if (!error || error == -EMSGSIZE)
			drop_first(r);
	}
}

void mw_reporter_send(struct mw_reporter *r, const char *line, size_t len)
{
	if (r->fd < 0)
		look_for_it(r);
	if (r->fd < 0 && !r->lost_it)
		return;
	if (len > MW_REPORT_MAX) {
		r->lost++;
		return;
	}
	keep(r, line, len);
	flush(r);
}

int mw_reporter_fd(const struct mw_reporter *r)
{
	return r->fd;
}

short mw_reporter_events(const struct mw_reporter *r)
{
	return r->count ? POLLOUT : 0;
}

int mw_reporter_patience(const struct mw_reporter *r)
{
	int64_t left = r->again - mw_clock_ms();

	if (r->fd >= 0 || !r->lost_it)
		return -1;
	return left > 0 ? (int)left : 0;
}

void mw_reporter_poll(struct mw_reporter *r)
{
	struct pollfd event = {.fd = r->fd};

	if (r->fd >= 0 && poll(&event, 1, 0) > 0 && event.revents & (POLLHUP | POLLERR))
		part(r);
	if (r->fd < 0 && r->lost_it)
		look_for_it(r);
	flush(r);
}

uint64_t mw_reporter_close(struct mw_reporter *r)
{
	struct pollfd event;
	int64_t end = mw_clock_ms() + LAST_MS;

	uint64_t lost;

	if (!r)
		return 0;
	while (r->count && r->fd >= 0 && mw_clock_ms() < end) {
		event = (struct pollfd){.fd = r->fd, .events = POLLOUT};
		poll(&event, 1, (int)(end - mw_clock_ms()));
		flush(r);
	}
	lost = r->lost + r->count;
	while (r->count)
		drop_first(r);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
	return lost;
}
