/* modelwatch-courier: keeps what a monitor tells it until every sink has it. Started by the
 * monitor, which speaks to it on descriptor 0; docs/protocol.md has the messages. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../tools/descriptors.h"
#include "confine.h"
#include "intake.h"
#include "pulse.h"
#include "shared.h"
#include "ship.h"
#include "trial.h"

#define LOCK_MS 1000   /* between tries to become the one who sends */
#define VIEW_MS 1000   /* between words about ourselves */
#define SETTLE_MS 4    /* what changes together is looked at once */
#define RETRY_MS 500   /* of a spool that cannot be written */
#define HELLO_MS 10000 /* a monitor says at once what it wants */

struct courier {
	struct mw_sinks_config config;
	struct mw_spool_options spool_options;
	struct mw_spool_source source;
	char spool_path[PATH_MAX], host[256], why[PATH_MAX + 512];
	struct mw_intake *intake;
	struct mw_spool *spool;
	struct mw_ship *ship;
	struct mw_pulse *pulse;
	int signals, changes; /* signalfd, inotify */
	uint64_t told;        /* records that the monitor knows of as taken */
	int64_t next_view, next_try, next_tick, next_take;
	json_t *view; /* as it was told last */
	bool gone;    /* the monitor, though not all that it has sent may be read */
};

/* A monitor that is gone, or does not read, costs only what it would have been told. */
static bool tell(json_t *message)
{
	char *text = message ? json_dumps(message, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	size_t len = text ? strlen(text) : 0;
	bool told = false;

	if (text) {
		text[len] = '\n'; /* in the place of the NUL */
		told = send(STDIN_FILENO, text, len + 1, MSG_NOSIGNAL | MSG_DONTWAIT) ==
		       (ssize_t)len + 1;
	}
	free(text);
	json_decref(message);
	return told;
}

static json_t *hear_hello(struct courier *c)
{
	struct pollfd event = {.fd = STDIN_FILENO, .events = POLLIN};
	int64_t end = mw_clock_ms() + HELLO_MS;
	bool ended = false;
	json_t *hello = NULL;

	while (!hello && !ended && mw_clock_ms() < end) {
		poll(&event, 1, 100);
		hello = mw_intake_hello(c->intake, &ended);
	}
	return hello;
}

/* Whoever waits for the end of what the job writes does not wait for ours. */
static void give_up_stream(int fd)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0)
		dup2(null, fd);
	if (null >= 0)
		close(null);
}

static void keep_stdout(const struct courier *c)
{
	for (size_t i = 0; i < c->config.count; i++)
		if (c->config.sinks[i].type == MW_SINK_STDOUT)
			return;
	give_up_stream(STDOUT_FILENO);
}

static int64_t ns_of(uint64_t ms)
{
	return ms > INT64_MAX / 1000000 ? INT64_MAX : (int64_t)ms * 1000000;
}

static void set_spool(struct courier *c, bool is_daemon)
{
	const struct mw_spool_config *from = &c->config.spool;
	struct mw_spool_options *to = &c->spool_options;

	if (mw_spool_defaults(to, is_daemon, c->spool_path))
		c->spool_path[0] = '\0';
	if (from->path)
		snprintf(c->spool_path, sizeof(c->spool_path), "%s", from->path);
	to->path = c->spool_path;
	to->max_bytes = from->max_bytes ? from->max_bytes : INT64_MAX; /* off: no bound */
	to->max_age_ns = from->max_age_ms ? ns_of(from->max_age_ms) : INT64_MAX;
	to->keep_ns = ns_of(from->keep_ms);
	to->window_ns = ns_of(from->window_ms);
	to->window_max_ns = ns_of(from->window_max_ms);
	to->per_rule_minute = from->per_rule_minute;
	to->per_artifact_minute = from->per_artifact_minute;
}

static uint64_t number_of(const json_t *hello, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(hello, key));
}

static int take_hello(struct courier *c, const json_t *hello)
{
	const char *source = json_string_value(json_object_get(hello, "source"));

	if (gethostname(c->host, sizeof(c->host) - 1))
		strcpy(c->host, "localhost");
	if (mw_sinks_read(json_object_get(hello, "config"), &c->config, c->why, sizeof(c->why)))
		return -EINVAL;
	set_spool(c, json_is_true(json_object_get(hello, "daemon")));
	snprintf(c->source.id, sizeof(c->source.id), "%s", source ? source : "");
	c->source.first = number_of(hello, "first");
	keep_stdout(c);
	return 0;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Whatever process puts something into the spool writes to its log. */
static int watch_spool(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder)
		*slash = '\0';
	if (fd >= 0)
		inotify_add_watch(fd, folder, IN_MODIFY | IN_ONLYDIR);
	return fd;
}

/* Opens the spool, or says why not: what is to be kept waits with the monitor. */
static bool open_spool(struct courier *c)
{
	const char *names[MW_SINKS_MAX];

	if (c->spool)
		return true;
	for (size_t i = 0; i < c->config.count; i++)
		names[i] = c->config.sinks[i].name;
	if (!c->spool_path[0]) {
		snprintf(c->why, sizeof(c->why),
		         "no home to keep a spool in: name one with "
		         "spool: path:");
		return false;
	}
	if (mw_spool_open(&c->spool_options, &c->spool, c->why, sizeof(c->why)))
		return false;
	if (mw_spool_sinks(c->spool, names, c->config.count)) {
		mw_spool_close(c->spool);
		c->spool = NULL;
		snprintf(c->why, sizeof(c->why), "%s: cannot be written", c->spool_path);
		return false;
	}
	c->why[0] = '\0';
	if (c->changes < 0)
		c->changes = watch_spool(c->spool_path);
	return true;
}

/* It is opened anew when it is needed: that mends, or explains, what is wrong with it. */
static void give_up_spool(struct courier *c, int error)
{
	snprintf(c->why, sizeof(c->why), "%s: %s", c->spool_path, strerror(-error));
	mw_spool_close(c->spool);
	c->spool = NULL;
}

static void acknowledge(struct courier *c)
{
	uint64_t taken = mw_intake_taken(c->intake);

	if (taken != c->told && tell(json_pack("{s:I}", "taken", (json_int_t)taken)))
		c->told = taken;
}

static bool has_monitor(void)
{
	struct pollfd event = {.fd = STDIN_FILENO, .events = POLLRDHUP};

	return poll(&event, 1, 0) <= 0;
}

/* The check of a large spool, another process's turn at it, or a slow disk. */
static void beat(void *context)
{
	struct courier *c = context;

	if (!has_monitor() && !c->spool && !mw_intake_has(c->intake))
		_exit(0); /* nobody needs what is being opened */
	if (!has_monitor())
		give_up_stream(STDERR_FILENO);
	tell(json_pack("{s:I}", "taken", (json_int_t)c->told));
}

/* Returns what mw_intake_take() does, or -EAGAIN: there is no spool. */
static int take_some(struct courier *c)
{
	int n = -EAGAIN;

	mw_pulse_begin(c->pulse);
	if (open_spool(c))
		n = mw_intake_take(c->intake, c->spool, &c->source);
	mw_pulse_end(c->pulse);
	return n;
}

/* What has come goes to the spool, until there is nothing more or the spool fails. */
static void take(struct courier *c)
{
	int n;

	if (mw_clock_ms() < c->next_take)
		return;
	n = take_some(c);
	if (n > 0) {
		c->why[0] = '\0';
		acknowledge(c);
		mw_ship_wake(c->ship);
		c->next_tick = 0;
	}
	if (n < 0)
		c->next_take = mw_clock_ms() + RETRY_MS;
	if (n < 0 && c->spool)
		give_up_spool(c, n);
}

static json_t *spool_view(struct courier *c)
{
	struct mw_spool_view view;
	json_t *sinks = json_array();

	if (!c->spool || !sinks || mw_spool_look(c->spool, &view)) {
		json_decref(sinks);
		return json_null();
	}
	for (size_t i = 0; i < view.sink_count; i++)
		json_array_append_new(sinks,
		                      json_pack("{s:s, s:I, s:I, s:I}", "name", view.sinks[i].name,
		                                "pending", (json_int_t)view.sinks[i].pending,
		                                "dead", (json_int_t)view.sinks[i].dead, "oldest",
		                                (json_int_t)view.sinks[i].oldest));
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "path",
	                 c->spool_path, "records", (json_int_t)view.records, "bytes",
	                 (json_int_t)view.bytes, "added", (json_int_t)view.added, "grouped",
	                 (json_int_t)view.grouped, "limited", (json_int_t)view.limited, "evicted",
	                 (json_int_t)view.evicted, "refused", (json_int_t)view.refused, "oldest",
	                 (json_int_t)view.oldest, "sinks", sinks);
}

/* Said when it has changed. */
static void tell_view(struct courier *c)
{
	json_t *view = json_pack("{s:{s:s, s:o, s:o}}", "view", "why", c->why, "spool",
	                         spool_view(c), "sinks", mw_ship_look(c->ship));

	if (view && !json_equal(view, c->view) && tell(json_incref(view))) {
		json_decref(c->view);
		c->view = json_incref(view);
	}
	json_decref(view);
}

static int tick(struct courier *c)
{
	int wait;

	if (!c->spool)
		return RETRY_MS;
	mw_pulse_begin(c->pulse);
	wait = mw_spool_tick(c->spool);
	mw_pulse_end(c->pulse);
	return wait;
}

static void work(struct courier *c)
{
	int64_t now = mw_clock_ms();
	int wait;

	if (now >= c->next_try)
		c->next_try = c->spool && mw_ship_try(c->ship) ? INT64_MAX : now + LOCK_MS;
	if (now >= c->next_tick) {
		wait = tick(c);
		c->next_tick = now + (wait < 0 ? RETRY_MS : wait);
		if (wait < 0)
			give_up_spool(c, wait);
	}
	if (now >= c->next_view) {
		acknowledge(c); /* the socket may have been full */
		tell_view(c);
		c->next_view = now + VIEW_MS;
	}
}

static int patience(const struct courier *c)
{
	int64_t next = c->next_view < c->next_tick ? c->next_view : c->next_tick;
	int64_t left = (next < c->next_try ? next : c->next_try) - mw_clock_ms();

	return left > 0 ? (int)left : 0;
}

static void empty(int fd)
{
	char some[4096];

	while (read(fd, some, sizeof(some)) > 0)
		continue;
}

static void wait_for_work(struct courier *c)
{
	bool full = mw_clock_ms() < c->next_take;
	struct pollfd events[] = {
	        {.fd = full && c->gone ? -1 : STDIN_FILENO, .events = full ? POLLRDHUP : POLLIN},
	        {.fd = c->signals, .events = POLLIN},
	        {.fd = c->changes, .events = POLLIN}};
	int ms = mw_intake_has(c->intake) && !full ? 0 : patience(c);

	poll(events, 3, full && ms > RETRY_MS ? RETRY_MS : ms);
	c->gone |= full && events[0].revents;
	if (events[1].revents) {
		empty(c->signals);
		mw_ship_reopen(c->ship);
	}
	if (events[2].revents) {
		usleep(SETTLE_MS * 1000);
		empty(c->changes);
		mw_ship_wake(c->ship);
	}
}

/* The monitor has gone: what it has sent is on disk by now, or cannot be put there; the sinks get a
 * moment. */
static void flush(struct courier *c)
{
	int64_t end = mw_clock_ms() + (int64_t)c->config.spool.flush_ms;
	uint64_t untold = mw_intake_untold(c->intake);

	if (c->spool && untold)
		mw_spool_untold(c->spool, untold);
	if (c->spool)
		mw_spool_finish(c->spool);
	mw_ship_wake(c->ship);
	while (mw_clock_ms() < end && !mw_ship_idle(c->ship)) {
		work(c);
		usleep(SETTLE_MS * 1000);
	}
	tell_view(c);
}

/* The monitor has gone, and what it has left cannot be put into the spool. */
static bool is_hopeless(struct courier *c, int64_t end)
{
	int64_t now = mw_clock_ms();

	return c->gone && now < c->next_take && (now >= end || !mw_intake_has(c->intake));
}

static int serve(struct courier *c, const json_t *hello)
{
	const struct mw_sink_context context = {
	        .host = c->host, .stop = -1, .again = number_of(hello, "turn") > 1};
	int64_t end = INT64_MAX;

	if (mw_intake_follow(c->intake, MW_SHARED_FD, number_of(hello, "at"),
	                     number_of(hello, "turn")))
		return 1;
	c->signals = open_signals();
	c->changes = -1;
	if (mw_ship_open(&c->config, &c->spool_options, &context, &c->ship) ||
	    mw_pulse_start(beat, c, &c->pulse))
		return 1;
	while (!mw_intake_ended(c->intake) && !is_hopeless(c, end)) {
		wait_for_work(c);
		take(c);
		work(c);
		c->gone |= mw_intake_closed(c->intake);
		if (end == INT64_MAX && c->gone)
			end = mw_clock_ms() + (int64_t)c->config.spool.flush_ms;
	}
	flush(c);
	/* Without its senders nothing may be freed; the spool has it all. */
	if (mw_ship_close(c->ship))
		mw_spool_close(c->spool);
	return 0;
}

int main(void)
{
	static struct courier courier;
	struct courier *c = &courier;
	json_t *hello;
	int status = 1;

	/* Records come and go as trees of small pieces, hundreds of records at a time: to keep what
	 * is freed in malloc's fast bins costs a third more than to give it back at once. */
	mallopt(M_MXFAST, 0);
	mw_descriptors_fill();
	prctl(PR_SET_NAME, "modelwatch-cour", 0, 0, 0);
	mw_confine_descriptors(MW_SHARED_FD);
	if (mw_confine(0, MW_CALLER_SENDS) || mw_intake_open(STDIN_FILENO, &c->intake))
		return 1;
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	hello = hear_hello(c);
	if (!hello)
		return 1;
	if (take_hello(c, hello))
		tell(json_pack("{s:{s:s}}", "view", "why", c->why));
	else if (json_object_get(hello, "test"))
		status = !tell(mw_trial(&c->config, hello, c->host));
	else
		status = serve(c, hello);
	json_decref(hello);
	mw_intake_close(c->intake);
	return status;
}
