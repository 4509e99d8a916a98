#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../courier/intake.h"
#include "../courier/sink_config.h"
#include "alert_parts.h"
#include "courier_parts.h"
#include "identity.h"
#include "installed.h"

#define RETRY_MAX_MS 10000
#define STAYED_MS 5000 /* a courier that goes sooner has a fault */
/* For room it is waited for, since it last said that it is at it, and last took something. */
#define ROOM_MS 3000
#define ROOM_MAX_MS 10000
#define STEP_MS 20

int64_t mw_courier_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static char *hello(struct mw_courier *c)
{
	json_t *json =
	        json_pack("{s:s, s:b, s:s, s:I, s:I, s:I, s:O}", "schema", "modelwatch.courier/1",
	                  "daemon", c->is_daemon, "source", c->source, "first",
	                  (json_int_t)c->number, "at", (json_int_t)c->ring.tail, "turn",
	                  (json_int_t)mw_courier_ring_turn(&c->ring), "config", c->config);
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	json_decref(json);
	if (line)
		memcpy(line + len, "\n", 2);
	return line;
}

int mw_courier_start(struct mw_helper *ret, int memory, int out)
{
	char path[PATH_MAX];
	int error = mw_installed("modelwatch-courier", path);

	*ret = (struct mw_helper){.pidfd = -1, .fd = -1};
	return error ? error : mw_helper_start(ret, path, path, out, &memory, memory >= 0);
}

static int start(struct mw_courier *c)
{
	int error = mw_courier_start(&c->process, c->ring.fd, c->out);

	c->since = mw_courier_now();
	c->again = c->since + c->retry;
	c->retry = c->retry * 2 < RETRY_MAX_MS ? c->retry * 2 : RETRY_MAX_MS;
	if (error) {
		snprintf(c->trouble, sizeof(c->trouble), "the courier cannot be started: %s",
		         strerror(-error));
		return error;
	}
	c->part = 0;
	c->base = c->number;
	c->heard.len = 0;
	free(c->hello);
	c->hello = hello(c);
	return 0;
}

/* It has died, or does not speak our language. */
static void part(struct mw_courier *c)
{
	mw_helpers_left_add(&c->left, &c->process, true);
	if (mw_courier_now() - c->since >= STAYED_MS)
		c->retry = MW_COURIER_RETRY_MS;
	c->again = mw_courier_now() + c->retry;
	snprintf(c->trouble, sizeof(c->trouble), "the courier has died; it is started anew");
}

static bool prints(const struct mw_sinks_config *config)
{
	for (size_t i = 0; i < config->count; i++)
		if (config->sinks[i].type == MW_SINK_STDOUT)
			return true;
	return false;
}

static void configure(struct mw_courier *c, json_t *config)
{
	struct mw_sinks_config read;
	char why[400];

	json_incref(config);
	json_decref(c->config);
	c->config = config;
	c->flush_ms = c->heartbeat_ms = 0;
	if (!mw_sinks_read(config, &read, why, sizeof(why))) {
		c->flush_ms = read.spool.flush_ms;
		c->heartbeat_ms = read.spool.heartbeat_ms;
		if (c->out < 0 && prints(&read))
			c->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	}
	mw_sinks_free(&read);
}

int mw_courier_open(json_t *config, bool is_daemon, struct mw_courier **ret)
{
	struct mw_courier *c = calloc(1, sizeof(*c));
	char now[40];
	int error = c ? mw_courier_ring_open(&c->ring) : -ENOMEM;

	if (error) {
		if (c)
			mw_courier_ring_close(&c->ring);
		free(c);
		return error;
	}
	mw_alert_stamp(c->source, now);
	c->out = -1;
	configure(c, config);
	c->is_daemon = is_daemon;
	c->process = (struct mw_helper){.pidfd = -1, .fd = -1};
	c->number = 1;
	c->retry = MW_COURIER_RETRY_MS;
	c->took = c->spoken = mw_courier_now();
	*ret = c;
	if (start(c) != -ENOENT)
		return 0;
	mw_courier_close(c);
	*ret = NULL;
	return -ENOENT;
}

/* The first `count` are on disk. */
void mw_courier_forget(struct mw_courier *c, size_t count)
{
	if (count)
		c->took = mw_courier_now();
	mw_courier_ring_forget(&c->ring, count);
	c->number += count;
}

static void say_hello(struct mw_courier *c)
{
	size_t len = strlen(c->hello);
	ssize_t n;

	do
		n = send(c->process.fd, c->hello + c->part, len - c->part,
		         MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		part(c);
	if (n > 0)
		c->part += (size_t)n;
	if (c->part < len)
		return;
	free(c->hello);
	c->hello = NULL;
}

/* There is something in the ring. One that has not read all of these bytes knows already. */
static void wake(struct mw_courier *c)
{
	if (c->process.fd < 0 || c->hello)
		return;
	if (send(c->process.fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
		part(c);
}

static void flush(struct mw_courier *c)
{
	if (c->process.fd >= 0 && c->hello)
		say_hello(c);
}

static char *loss_line(uint64_t lost)
{
	char id[40], now[40], *line;
	json_t *json;

	mw_alert_stamp(id, now);
	json = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:o, s:s}", "schema",
	                 "modelwatch.loss/1", "id", id, "time", now, "lost", (json_int_t)lost,
	                 "reason", "the courier did not keep up, or could not write its spool",
	                 "kind", "courier", "count", (json_int_t)lost, "host", mw_identity_host(),
	                 "version", MW_VERSION);
	line = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return line;
}

void mw_courier_tell_lost(struct mw_courier *c)
{
	uint64_t lost = mw_courier_ring_lost(&c->ring);
	char *line = lost ? loss_line(lost) : NULL;
	size_t len = line ? strlen(line) : 0;

	if (!line)
		return;
	line[len] = '\n'; /* in the place of the NUL */
	if (mw_courier_ring_keep(&c->ring, line, len + 1)) {
		mw_courier_ring_told(&c->ring);
		wake(c);
	}
	free(line);
}

static bool is_at_it(const struct mw_courier *c)
{
	int64_t now = mw_courier_now();

	return now - c->spoken < ROOM_MS && now - c->took < ROOM_MAX_MS;
}

/* A job that makes more than the disk takes goes on at the pace of the disk. The daemon does not
 * wait: others than the one that makes so much would. */
static void wait_for_room(struct mw_courier *c, size_t len)
{
	while (!c->is_daemon && len <= MW_LINE_MAX && !mw_courier_ring_fits(&c->ring, len) &&
	       is_at_it(c)) {
		struct pollfd event = {.fd = c->process.fd, .events = mw_courier_events(c)};

		poll(&event, 1, STEP_MS);
		mw_courier_poll(c);
	}
}

void mw_courier_send(struct mw_courier *c, const char *line, size_t len)
{
	wait_for_room(c, len);
	mw_courier_tell_lost(c);
	if (mw_courier_ring_lost(&c->ring) || len > MW_LINE_MAX ||
	    !mw_courier_ring_keep(&c->ring, line, len))
		mw_courier_ring_lose(&c->ring);
	flush(c);
	wake(c);
}

void mw_courier_note_trouble(struct mw_courier *c)
{
	const json_t *view = c->view;
	const char *why = json_string_value(json_object_get(view, "why"));
	const json_t *sink;
	size_t i;

	snprintf(c->trouble, sizeof(c->trouble), "%s", why ? why : "");
	json_array_foreach(json_object_get(view, "sinks"), i, sink)
	{
		why = json_string_value(json_object_get(sink, "why"));
		if (!c->trouble[0] && why && *why)
			snprintf(c->trouble, sizeof(c->trouble), "sink %s: %s",
			         json_string_value(json_object_get(sink, "name")) ?: "", why);
	}
}

/* It talks to the network: it is believed about itself, and about nothing of ours. */
static int hear(struct mw_courier *c, const char *line, size_t len)
{
	json_t *json = json_loadb(line, len, 0, NULL);
	json_t *taken = json_object_get(json, "taken"), *view = json_object_get(json, "view");
	json_int_t n = json_integer_value(taken);
	int error = json ? 0 : -EBADMSG;

	if (taken) {
		uint64_t before = c->number - c->base;

		c->spoken = mw_courier_now();

		if (n < 0 || (uint64_t)n < before || (uint64_t)n - before > c->ring.count)
			error = -EBADMSG;
		else
			mw_courier_forget(c, (size_t)((uint64_t)n - before));
	}
	if (json_is_object(view)) {
		json_decref(c->view);
		c->view = json_incref(view);
		mw_courier_note_trouble(c);
	}
	json_decref(json);
	return error;
}

static int hear_lines(struct mw_courier *c)
{
	char *end;
	size_t used = 0;
	int error = 0;

	while (!error && (end = memchr(c->heard.data + used, '\n', c->heard.len - used))) {
		size_t len = (size_t)(end - c->heard.data) - used;

		error = hear(c, c->heard.data + used, len);
		used += len + 1;
	}
	memmove(c->heard.data, c->heard.data + used, c->heard.len - used);
	c->heard.len -= used;
	return error;
}

void mw_courier_listen(struct mw_courier *c)
{
	char some[16384];
	ssize_t n;

	while (c->process.fd >= 0) {
		n = recv(c->process.fd, some, sizeof(some), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || mw_buffer_add(&c->heard, some, (size_t)n, MW_COURIER_WORD) < 0 ||
		    hear_lines(c))
			part(c);
	}
}

int mw_courier_fd(const struct mw_courier *c)
{
	return c->process.fd;
}

short mw_courier_events(const struct mw_courier *c)
{
	return (short)(POLLIN | (c->hello ? POLLOUT : 0));
}

int mw_courier_patience(const struct mw_courier *c)
{
	int64_t left = c->again - mw_courier_now();

	if (c->process.fd >= 0)
		return -1;
	return left > 0 ? (int)left : 0;
}

void mw_courier_poll(struct mw_courier *c)
{
	mw_helpers_left_reap(&c->left);
	mw_courier_listen(c);
	if (c->process.fd < 0 && mw_courier_now() >= c->again && c->phase < MW_COURIER_SENDS)
		start(c);
	mw_courier_tell_lost(c);
	flush(c);
}

void mw_courier_reload(struct mw_courier *c, json_t *config)
{
	if (json_equal(c->config, config)) {
		if (c->process.pidfd >= 0)
			syscall(SYS_pidfd_send_signal, c->process.pidfd, SIGHUP, NULL, 0);
		return;
	}
	configure(c, config);
	/* It takes what it has been sent, and goes. */
	mw_helpers_left_add(&c->left, &c->process, false);
	c->retry = MW_COURIER_RETRY_MS;
	start(c);
	flush(c);
}

uint64_t mw_courier_heartbeat(const struct mw_courier *c)
{
	return c->heartbeat_ms;
}

pid_t mw_courier_pid(const struct mw_courier *c)
{
	return c->process.pid;
}

const json_t *mw_courier_view(const struct mw_courier *c)
{
	return c->view;
}

const char *mw_courier_trouble(const struct mw_courier *c)
{
	return c->trouble;
}
