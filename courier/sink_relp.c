#include "sink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/buffer.h"
#include "../tools/text.h"
#include "channel_parts.h"
#include "link.h"
#include "relp_frame.h"
#include "syslog_line.h"

#define FRAME_MAX (16 << 20)
#define QUOTED 120 /* bytes of what a receiver says */
#define CLOSE_MS 500
#define OK 200

/* A session: lines of syslog in frames with numbers, each of which the receiver answers. */
struct sink {
	const struct mw_sink_config *config;
	const char *host;
	struct mw_link link;
	uint32_t last; /* number of a frame that was sent */
	struct mw_buffer frame;
	char heard[MW_RELP_ANSWER_MAX + 64]; /* `len` bytes that are not read yet */
	size_t len;
};

/* Records that are on their way, and their answers. */
struct flight {
	struct mw_sink_item *items;
	size_t sent, answered;
	uint32_t first; /* number of the first frame */
};

static int open_sink(const struct mw_sink_config *config, const struct mw_sink_context *context,
                     struct mw_sink **ret, char *why, size_t why_size)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	if (!sink) {
		snprintf(why, why_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	sink->config = config;
	sink->host = context->host;
	sink->link = (struct mw_link){.address = config->address,
	                              .tls = &config->tls,
	                              .timeout_ms = config->timeout_ms,
	                              .stop = context->stop};
	*ret = (struct mw_sink *)sink;
	return 0;
}

static int add(struct sink *sink, const char *data, size_t len)
{
	int64_t error = mw_buffer_add(&sink->frame, data, len, FRAME_MAX);

	return error < 0 ? (int)error : 0;
}

/* Writes a frame of two pieces under the next number. */
static int write_frame(struct sink *sink, const char *command, const char *data, size_t len,
                       const char *more, size_t more_len, int timeout_ms)
{
	char head[64];
	int used = snprintf(head, sizeof(head), "%u %s %zu%s", ++sink->last, command,
	                    len + more_len, len + more_len ? " " : "");
	int error;

	sink->frame.len = 0;
	error = add(sink, head, (size_t)used);
	if (!error)
		error = add(sink, data, len);
	if (!error)
		error = add(sink, more, more_len);
	if (!error)
		error = add(sink, "\n", 1);
	return error ? error
	             : mw_channel_write(sink->link.channel, sink->frame.data, sink->frame.len,
	                                timeout_ms);
}

/* The next frame, which lies in `sink->heard` until forget(). A receiver that closes the session
 * is as good as gone. Returns its size or a negative errno. */
static int hear(struct sink *sink, const struct mw_wait *wait, struct mw_relp_frame *ret)
{
	for (;;) {
		int size = mw_relp_parse(sink->heard, sink->len, ret);
		ssize_t n;

		if (size > 0 && mw_relp_is(ret, "serverclose"))
			return -EPIPE;
		if (size)
			return size;
		if (sink->len == sizeof(sink->heard))
			return -EPROTO;
		n = mw_channel_read(sink->link.channel, sink->heard + sink->len,
		                    sizeof(sink->heard) - sink->len, mw_wait_left(wait));
		if (n <= 0)
			return n ? (int)n : -EPIPE;
		sink->len += (size_t)n;
	}
}

static void forget(struct sink *sink, int size)
{
	sink->len -= (size_t)size;
	memmove(sink->heard, sink->heard + size, sink->len);
}

/* What the receiver has against it, in its own words. */
static void quote(const struct sink *sink, const struct mw_relp_frame *frame, const char *to,
                  struct mw_sink_report *report)
{
	struct mw_text t;

	report->reason = "refused";
	mw_text_start(&t, report->why, sizeof(report->why));
	mw_text_add(&t, "%.100s: the answer to %s is \"", sink->config->address, to);
	mw_text_shown(&t, frame->data, frame->len, QUOTED);
	mw_text_add(&t, "\"");
}

static int begin_session(struct sink *sink, const struct mw_wait *wait,
                         struct mw_sink_report *report)
{
	static const char offer[] =
	        "relp_version=0\nrelp_software=modelwatch," MW_VERSION "\ncommands=syslog";
	struct mw_relp_frame answer = {.number = 0};
	int size;

	sink->last = 0;
	sink->len = 0;
	size = write_frame(sink, "open", offer, sizeof(offer) - 1, "", 0, mw_wait_left(wait));
	if (!size)
		size = hear(sink, wait, &answer);
	if (size < 0)
		return size;
	if (!mw_relp_is(&answer, "rsp") || answer.number != sink->last)
		return -EPROTO;
	if (mw_relp_code(&answer) != OK || !mw_relp_offers(&answer, "syslog")) {
		quote(sink, &answer, "open", report);
		return -EPROTO;
	}
	forget(sink, size);
	return 0;
}

static int send_line(struct sink *sink, const struct mw_sink_item *item, int timeout_ms)
{
	char head[MW_SYSLOG_HEAD];
	size_t len = mw_syslog_head(sink->config, sink->host, item, head);

	return write_frame(sink, "syslog", head, len, item->text, item->len, timeout_ms);
}

/* Answers come in any order, one each. What is refused may be taken another time. */
static int note_answer(struct sink *sink, struct flight *flight, const struct mw_relp_frame *answer,
                       struct mw_sink_report *report)
{
	uint32_t i = answer->number - flight->first;
	int code = mw_relp_code(answer);

	if (!mw_relp_is(answer, "rsp") || answer->number < flight->first || i >= flight->sent ||
	    flight->items[i].outcome == MW_SINK_DONE || code < 0)
		return -EPROTO;
	flight->answered++;
	if (code == OK)
		flight->items[i].outcome = MW_SINK_DONE;
	else
		quote(sink, answer, "a record", report);
	return 0;
}

static int take_answers(struct sink *sink, struct flight *flight, const struct mw_wait *wait,
                        struct mw_sink_report *report)
{
	struct mw_relp_frame answer = {.number = 0};
	int error = 0;

	while (!error && flight->answered < flight->sent) {
		int size = hear(sink, wait, &answer);

		error = size < 0 ? size : note_answer(sink, flight, &answer, report);
		if (!error)
			forget(sink, size);
	}
	return error;
}

/* The answers are short enough to wait for us in the socket until all is sent. Also of a session
 * that broke those that came before are read. */
static int send_all(struct sink *sink, const struct mw_wait *wait, struct mw_sink_item *items,
                    size_t count, struct mw_sink_report *report)
{
	struct flight flight = {.items = items, .first = sink->last + 1};
	int error = 0, answers;

	while (flight.sent < count && !error) {
		error = send_line(sink, &items[flight.sent], mw_wait_left(wait));
		flight.sent += !error;
	}
	answers = take_answers(sink, &flight, wait, report);
	return error ? error : answers;
}

static void end_session(struct sink *sink)
{
	if (sink->link.channel)
		write_frame(sink, "close", "", 0, "", 0, CLOSE_MS);
	mw_link_close(&sink->link);
}

static void send_items(struct mw_sink *mw_sink, struct mw_sink_item *items, size_t count,
                       struct mw_sink_report *report)
{
	struct sink *sink = (struct sink *)mw_sink;
	const struct mw_wait wait = mw_wait_for(2 * sink->config->timeout_ms, sink->link.stop);
	int error;

	if (sink->link.channel &&
	    (sink->last + count >= MW_RELP_NUMBER_MAX || mw_channel_poll(sink->link.channel) != 0))
		end_session(sink); /* between two batches there is only "serverclose" to say */
	error = mw_link_ready(&sink->link, report);
	if (error < 0)
		return;
	error = error ? begin_session(sink, &wait, report) : 0;
	if (!error)
		error = send_all(sink, &wait, items, count, report);
	if (error)
		mw_link_wrong(&sink->link, error, report);
	else
		snprintf(report->detail, sizeof(report->detail), "acknowledged by %.200s",
		         sink->config->address);
}

static void reopen_sink(struct mw_sink *sink)
{
	end_session((struct sink *)sink);
}

static void close_sink(struct mw_sink *mw_sink)
{
	struct sink *sink = (struct sink *)mw_sink;

	end_session(sink);
	free(sink->frame.data);
	free(sink);
}

const struct mw_sink_ops mw_sink_relp = {
        .batch = 128,
        .batch_bytes = 1 << 20,
        .open = open_sink,
        .send = send_items,
        .reopen = reopen_sink,
        .close = close_sink,
};
