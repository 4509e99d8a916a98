/* The end of a courier, step by step, so that who has something else to do need not wait for it. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "courier_parts.h"

#define TAKE_MS 3000      /* for what is left, since it last said that it is at it */
#define TAKE_MAX_MS 60000 /* and in all, as long as somebody waits for us */
#define GRACE_MS 3000     /* for its own end, after the sinks had their time */
#define STEP_MS 20

static void begin(struct mw_courier *c, int64_t take_ms, int64_t most)
{
	int64_t now = mw_courier_now();

	if (c->phase == MW_COURIER_WORKS) {
		mw_courier_tell_lost(c);
		c->phase = MW_COURIER_TAKES;
		c->spoken = now;
		c->again = now;                 /* one that has died gets another chance at once */
		c->retry = MW_COURIER_RETRY_MS; /* and if it dies again, more of them in the time
		                                   that it has */
	}
	if (c->phase == MW_COURIER_TAKES) {
		c->take_ms = take_ms;
		c->most = most;
	}
}

/* Somebody waits for us, but the disk or the check of a large spool takes longer than that: it has
 * all in memory of its own, and needs us no more. */
static void let_it_go_on(struct mw_courier *c)
{
	snprintf(c->trouble, sizeof(c->trouble),
	         "%zu are not on disk yet, and process %d goes on with that", c->ring.count,
	         (int)c->process.pid);
	mw_courier_forget(c, c->ring.count);
	mw_helper_forget(&c->process);
	c->phase = MW_COURIER_OVER;
}

/* What it has not taken by now it may still take, while the sinks have their moment. */
static void end_taking(struct mw_courier *c, int64_t now)
{
	if (c->ring.count && c->process.fd >= 0 && now - c->spoken < c->take_ms) {
		let_it_go_on(c);
		return;
	}
	c->phase = MW_COURIER_SENDS;
	c->most = now + (int64_t)c->flush_ms + GRACE_MS;
	if (c->process.fd >= 0)
		shutdown(c->process.fd, SHUT_WR);
}

/* One that does not end by itself would hold up whoever waits for us. */
static void end_sending(struct mw_courier *c)
{
	mw_courier_listen(c); /* its last words may have come after the last look */
	mw_helpers_left_add(&c->left, &c->process, true);
	c->phase = MW_COURIER_OVER;
	if (c->view)
		mw_courier_note_trouble(c); /* that it has gone is none now */
}

static void step(struct mw_courier *c)
{
	int64_t now;

	mw_courier_poll(c);
	now = mw_courier_now();
	if (c->phase == MW_COURIER_TAKES &&
	    (!c->ring.count || now >= c->most || now - c->spoken >= c->take_ms))
		end_taking(c, now);
	if (c->phase == MW_COURIER_SENDS && (mw_helper_ended(&c->process) || now >= c->most))
		end_sending(c);
}

/* Returns how many records were not taken. */
static uint64_t discard(struct mw_courier *c)
{
	uint64_t lost = c->ring.count + mw_courier_ring_lost(&c->ring);

	mw_helpers_left_close(&c->left);
	mw_courier_ring_close(&c->ring);
	if (c->out >= 0)
		close(c->out);
	free(c->hello);
	free(c->heard.data);
	json_decref(c->config);
	json_decref(c->view);
	free(c);
	return lost;
}

void mw_courier_finish(struct mw_courier *c)
{
	begin(c, TAKE_MS, mw_courier_now() + TAKE_MAX_MS);
	for (step(c); c->phase != MW_COURIER_OVER; step(c)) {
		struct pollfd events[] = {{.fd = c->process.fd, .events = mw_courier_events(c)},
		                          {.fd = c->process.pidfd, .events = POLLIN}};

		poll(events, 2, STEP_MS);
	}
}

uint64_t mw_courier_close(struct mw_courier *c)
{
	if (!c)
		return 0;
	mw_courier_finish(c);
	return discard(c);
}

void mw_courier_retire(struct mw_courier *c, struct mw_courier **list)
{
	begin(c, TAKE_MAX_MS, INT64_MAX);
	c->next = *list;
	*list = c;
}

uint64_t mw_courier_sweep(struct mw_courier **list)
{
	uint64_t lost = 0;

	while (*list) {
		struct mw_courier *c = *list;

		step(c);
		if (c->phase == MW_COURIER_OVER && mw_helpers_left_reap(&c->left)) {
			*list = c->next;
			lost += discard(c);
		} else {
			list = &c->next;
		}
	}
	return lost;
}

uint64_t mw_courier_close_all(struct mw_courier **list)
{
	uint64_t lost = 0;

	for (struct mw_courier *c = *list; c; c = c->next)
		begin(c, TAKE_MS, mw_courier_now() + TAKE_MAX_MS);
	while (*list) {
		struct mw_courier *c = *list;

		*list = c->next;
		lost += mw_courier_close(c);
	}
	return lost;
}
