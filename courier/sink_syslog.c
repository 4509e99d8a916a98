#include "sink.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/buffer.h"
#include "channel_parts.h"
#include "link.h"
#include "sink_report.h"
#include "syslog_line.h"

#define FRAME_MAX (16 << 20)

/* RFC 5424 over a UNIX datagram socket (/dev/log), or over TCP and TLS with the length before each
 * message (RFC 6587, 3.4.1, and RFC 5425). There are no acknowledgements. */
struct sink {
	const struct mw_sink_config *config;
	const char *host;
	bool is_datagram;
	char address[PATH_MAX + 16];
	struct mw_link link;
	struct mw_buffer frame;
};

static int open_sink(const struct mw_sink_config *config, const struct mw_sink_context *context,
                     struct mw_sink **ret, char *why, size_t why_size)
{
	const char *path = strncmp(config->address, "unix:", 5) ? NULL : config->address + 5;
	struct sink *sink = calloc(1, sizeof(*sink));

	if (!sink) {
		snprintf(why, why_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	sink->config = config;
	sink->host = context->host;
	if (path)
		snprintf(sink->address, sizeof(sink->address), "unix-dgram:%s", path);
	else
		snprintf(sink->address, sizeof(sink->address), "%s", config->address);
	sink->is_datagram = !strncmp(sink->address, "unix-dgram:", 11);
	sink->link = (struct mw_link){.address = sink->address,
	                              .tls = &config->tls,
	                              .timeout_ms = config->timeout_ms,
	                              .stop = context->stop};
	*ret = (struct mw_sink *)sink;
	return 0;
}

static int add(struct mw_buffer *frame, const char *data, size_t len)
{
	int64_t error = mw_buffer_add(frame, data, len, FRAME_MAX);

	return error < 0 ? (int)error : 0;
}

/* The whole of a message in `sink->frame`. */
static int make_frame(struct sink *sink, const struct mw_sink_item *item)
{
	char head[MW_SYSLOG_HEAD], length[24];
	size_t len = mw_syslog_head(sink->config, sink->host, item, head);
	int digits = snprintf(length, sizeof(length), "%zu ", len + item->len);
	int error;

	sink->frame.len = 0;
	error = sink->is_datagram ? 0 : add(&sink->frame, length, (size_t)digits);
	if (!error)
		error = add(&sink->frame, head, len);
	return error ? error : add(&sink->frame, item->text, item->len);
}

/* Returns 0 also for what no datagram can hold, which is refused. */
static int send_item(struct sink *sink, struct mw_sink_item *item, const struct mw_wait *wait,
                     struct mw_sink_report *report)
{
	int error = make_frame(sink, item);

	if (!error)
		error = mw_channel_write(sink->link.channel, sink->frame.data, sink->frame.len,
		                         mw_wait_left(wait));
	if (error != -EMSGSIZE)
		return error;
	mw_sink_wrong(report, "refused", "%zu bytes are too many for a datagram", sink->frame.len);
	mw_sink_refuse(item, report->why);
	return 0;
}

/* What was there when the last word of it was acknowledged has all of it. */
static int send_all(struct sink *sink, struct mw_sink_item *items, size_t count,
                    struct mw_sink_report *report)
{
	const struct mw_wait wait = mw_wait_for(sink->config->timeout_ms, sink->link.stop);
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = send_item(sink, &items[i], &wait, report);
	if (!error)
		error = mw_channel_settle(sink->link.channel, mw_wait_left(&wait));
	return error ? error : mw_link_ignore(&sink->link);
}

static void send_items(struct mw_sink *mw_sink, struct mw_sink_item *items, size_t count,
                       struct mw_sink_report *report)
{
	struct sink *sink = (struct sink *)mw_sink;
	int error;

	if (sink->link.channel && mw_link_ignore(&sink->link))
		mw_link_close(&sink->link);
	if (mw_link_ready(&sink->link, report) < 0)
		return;
	error = send_all(sink, items, count, report);
	if (error) {
		mw_link_wrong(&sink->link, error, report);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (items[i].outcome == MW_SINK_RETRY)
			items[i].outcome = MW_SINK_DONE;
	snprintf(report->detail, sizeof(report->detail), "%s of %.180s",
	         sink->is_datagram ? "read by the owner" : "acknowledged by the machine",
	         sink->address);
}

static void reopen_sink(struct mw_sink *sink)
{
	mw_link_end(&((struct sink *)sink)->link);
}

static void close_sink(struct mw_sink *mw_sink)
{
	struct sink *sink = (struct sink *)mw_sink;

	mw_link_end(&sink->link);
	free(sink->frame.data);
	free(sink);
}

const struct mw_sink_ops mw_sink_syslog = {
        .batch = 64,
        .batch_bytes = 1 << 20,
        .open = open_sink,
        .send = send_items,
        .reopen = reopen_sink,
        .close = close_sink,
};
