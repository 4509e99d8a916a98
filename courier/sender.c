#include "sender.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "../tools/text.h"
#include "../tools/when.h"
#include "letter.h"

#define BATCH_MAX 512
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS (5 * 60 * 1000)
#define LOOK_MS 5000 /* at the spool, if nobody wakes us */

struct mw_sender {
	const struct mw_sink_config *config;
	const struct mw_sink_ops *ops;
	struct mw_spool_options spool_options;
	struct mw_sink_context context;
	pthread_t thread;
	int stop, wake;                /* eventfds */
	_Atomic uint64_t wanted, seen; /* wakes, and those that led to an empty look */
	atomic_bool reopen;
	pthread_mutex_t lock; /* of the view */
	struct mw_sender_view view;

	/* The thread's own. */
	struct mw_spool *spool;
	struct mw_sink *sink;
	int backoff;
	struct mw_spool_entry entries[BATCH_MAX];
	struct mw_sink_item items[BATCH_MAX];
	size_t item_entry[BATCH_MAX]; /* which entry an item is of */
};

static bool is_stopped(const struct mw_sender *s)
{
	struct pollfd event = {.fd = s->stop, .events = POLLIN};

	return poll(&event, 1, 0) > 0;
}

/* Until there is something new, the end, or `ms` have passed. */
static void rest(struct mw_sender *s, int ms)
{
	struct pollfd events[2] = {{.fd = s->stop, .events = POLLIN},
	                           {.fd = s->wake, .events = POLLIN}};
	uint64_t count;

	if (poll(events, 2, ms) > 0 && events[1].revents &&
	    read(s->wake, &count, sizeof(count)) < 0)
		return;
}

/* Until the end, or `ms` have passed. */
static void hold_back(struct mw_sender *s, int ms)
{
	struct pollfd event = {.fd = s->stop, .events = POLLIN};

	poll(&event, 1, ms);
}

/* Full jitter: a thousand nodes whose receiver comes back must not come at once. */
static int next_backoff(struct mw_sender *s, int64_t asked)
{
	unsigned int random = 0;
	int ms;

	s->backoff = s->backoff ? s->backoff * 2 : BACKOFF_MIN_MS;
	if (s->backoff > BACKOFF_MAX_MS)
		s->backoff = BACKOFF_MAX_MS;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (unsigned int)mw_when_now();
	ms = BACKOFF_MIN_MS / 4 + (int)(random % (unsigned int)s->backoff);
	if (asked > BACKOFF_MAX_MS)
		asked = BACKOFF_MAX_MS;
	return asked > ms ? (int)asked : ms;
}

/* A receiver may have chosen the words. */
static void trouble(struct mw_sender *s, const char *why, const char *reason)
{
	struct mw_text text;

	pthread_mutex_lock(&s->lock);
	s->view.errors++;
	mw_text_start(&text, s->view.why, sizeof(s->view.why));
	mw_text_shown(&text, why, strlen(why), sizeof(s->view.why) - 1);
	snprintf(s->view.reason, sizeof(s->view.reason), "%s", reason ? reason : "other");
	pthread_mutex_unlock(&s->lock);
}

static void success(struct mw_sender *s, uint64_t sent, uint64_t refused)
{
	s->backoff = 0;
	pthread_mutex_lock(&s->lock);
	s->view.sent += sent;
	s->view.refused += refused;
	s->view.why[0] = '\0';
	if (sent)
		s->view.last_success = mw_when_now();
	pthread_mutex_unlock(&s->lock);
}

/* Until there is room for it, nothing behind it is sent. */
static bool bury(struct mw_sender *s, uint64_t sequence, const char *why,
                 struct mw_sink_report *report)
{
	if (!mw_spool_dead(s->spool, s->config->name, sequence, why))
		return true;
	report->reason = "spool";
	snprintf(report->why, sizeof(report->why), "a dead letter cannot be written");
	return false;
}

/* Fills the items of the entries that the sink is to get. What the format cannot say is dead. Where
 * there is no memory for one, or no room for a dead letter, `*count` ends before it. */
static size_t make_items(struct mw_sender *s, int *count, struct mw_sink_report *report)
{
	size_t used = 0;

	for (int i = 0; i < *count; i++) {
		int error;

		if (!mw_letter_wanted(s->config, &s->entries[i]))
			continue;
		error = mw_letter_make(s->config, s->ops->wants_json, &s->entries[i],
		                       &s->items[used]);
		if (error == -ENOMEM ||
		    (error && !bury(s, s->entries[i].sequence,
		                    "it cannot be put into the sink's format", report)))
			*count = i;
		if (error)
			continue;
		s->item_entry[used++] = (size_t)i;
	}
	return used;
}

/* Takes note of what has become of the items, in their order. Returns the last sequence that the
 * sink is done with, or 0. */
static uint64_t settle(struct mw_sender *s, int count, size_t used, struct mw_sink_report *report,
                       bool *ret_all)
{
	uint64_t sent = 0, refused = 0, reached = 0;
	size_t i = 0;

	*ret_all = true;
	for (; i < used && *ret_all; i++) {
		const struct mw_sink_item *item = &s->items[i];

		if (item->outcome == MW_SINK_RETRY ||
		    (item->outcome == MW_SINK_REFUSED &&
		     !bury(s, item->emission.sequence,
		           item->why[0] ? item->why : "the receiver refuses it", report))) {
			*ret_all = false;
			break;
		}
		sent += item->outcome == MW_SINK_DONE;
		refused += item->outcome == MW_SINK_REFUSED;
		reached = item->emission.sequence;
	}
	if (*ret_all)
		reached = s->entries[count - 1].sequence;
	else if (s->item_entry[i])
		reached = s->entries[s->item_entry[i] - 1].sequence;
	if (sent + refused)
		success(s, sent, refused);
	return reached;
}

/* It is opened anew when it is needed: that mends, or explains, what is wrong with it. */
static void close_spool(struct mw_sender *s)
{
	mw_spool_close(s->spool);
	s->spool = NULL;
}

/* One batch. Returns how many ms to wait before the next. */
static int send_some(struct mw_sender *s, int count)
{
	struct mw_sink_report report = {.reason = NULL, .why = "not enough memory"};
	size_t used = make_items(s, &count, &report);
	uint64_t reached;
	bool all;

	if (!count) {
		trouble(s, report.why, report.reason);
		return next_backoff(s, 0);
	}
	report = (struct mw_sink_report){.reason = NULL};
	if (used)
		s->ops->send(s->sink, s->items, used, &report);
	reached = settle(s, count, used, &report, &all);
	for (size_t i = 0; i < used; i++)
		mw_letter_free(&s->items[i]);
	/* Not in a hurry: what the spool cannot take note of is sent again. */
	if (reached && mw_spool_reached(s->spool, s->config->name, reached)) {
		trouble(s, "the spool cannot be written", "spool");
		close_spool(s);
		return next_backoff(s, 0);
	}
	/* A sink that says nothing of the rest had no time for it. */
	if (all || (reached && !report.reason))
		return 0;
	trouble(s, report.why, report.reason);
	return next_backoff(s, report.retry_after_ms);
}

/* Opens what is not open. Returns whether all is. */
static bool ready(struct mw_sender *s)
{
	char why[MW_SINK_WHY] = "not enough memory";

	if (!s->spool && mw_spool_open(&s->spool_options, &s->spool, why, sizeof(why))) {
		trouble(s, why, "spool");
		return false;
	}
	if (!s->sink && s->ops->open(s->config, &s->context, &s->sink, why, sizeof(why))) {
		trouble(s, why, "config");
		return false;
	}
	if (atomic_exchange(&s->reopen, false) && s->ops->reopen)
		s->ops->reopen(s->sink);
	return true;
}

/* One round: a look at the spool, and what is to be sent. */
static void go(struct mw_sender *s)
{
	uint64_t wanted = atomic_load(&s->wanted);
	size_t batch = s->ops->batch < BATCH_MAX ? s->ops->batch : BATCH_MAX;
	int wait, count = mw_spool_next(s->spool, s->config->name, batch, s->ops->batch_bytes,
	                                s->entries);

	if (count < 0) {
		trouble(s, "the spool cannot be read", "spool");
		close_spool(s);
		hold_back(s, BACKOFF_MIN_MS);
		return;
	}
	if (!count) {
		atomic_store(&s->seen, wanted);
		rest(s, LOOK_MS);
		return;
	}
	wait = send_some(s, count);
	mw_spool_free(s->entries, (size_t)count);
	if (wait)
		hold_back(s, wait);
}

static void *run(void *context)
{
	struct mw_sender *s = context;

	while (!is_stopped(s)) {
		if (ready(s))
			go(s);
		else
			hold_back(s, next_backoff(s, 0));
	}
	if (s->sink)
		s->ops->close(s->sink);
	mw_spool_close(s->spool);
	return NULL;
}

static void discard(struct mw_sender *s)
{
	if (s->stop >= 0)
		close(s->stop);
	if (s->wake >= 0)
		close(s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int mw_sender_start(const struct mw_sink_config *config, const struct mw_spool_options *spool,
                    const struct mw_sink_context *context, struct mw_sender **ret)
{
	struct mw_sender *s = calloc(1, sizeof(*s));
	int error = 0;

	if (!s)
		return -ENOMEM;
	s->config = config;
	s->ops = mw_sink_ops(config->type);
	s->spool_options = *spool;
	atomic_store(&s->wanted, 1);
	pthread_mutex_init(&s->lock, NULL);
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->context = *context;
	s->context.stop = s->stop;
	if (!s->ops)
		error = -EOPNOTSUPP;
	else if (s->stop < 0 || s->wake < 0)
		error = -errno;
	else
		error = -pthread_create(&s->thread, NULL, run, s);
	if (error) {
		discard(s);
		return error;
	}
	*ret = s;
	return 0;
}

static void poke(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

void mw_sender_wake(struct mw_sender *s)
{
	atomic_fetch_add(&s->wanted, 1);
	poke(s->wake);
}

void mw_sender_reopen(struct mw_sender *s)
{
	atomic_store(&s->reopen, true);
	poke(s->wake);
}

bool mw_sender_idle(const struct mw_sender *s)
{
	return atomic_load(&s->seen) == atomic_load(&s->wanted);
}

void mw_sender_look(struct mw_sender *s, struct mw_sender_view *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->view;
	pthread_mutex_unlock(&s->lock);
}

void mw_sender_stop(struct mw_sender *s)
{
	poke(s->stop);
}

bool mw_sender_join(struct mw_sender *s, int ms)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += (ms % 1000) * 1000000L;
	end.tv_sec += ms / 1000 + end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	if (pthread_clockjoin_np(s->thread, NULL, CLOCK_MONOTONIC, &end))
		return false;
	discard(s);
	return true;
}
