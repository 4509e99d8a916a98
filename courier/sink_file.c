#include "sink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/expand.h"
#include "log_file.h"

/* JSON Lines, or CEF, one record a line. */
struct sink {
	int timeout_ms, stop;
	struct mw_log_file file;
};

static int open_sink(const struct mw_sink_config *config, const struct mw_sink_context *context,
                     struct mw_sink **ret, char *why, size_t why_size)
{
	struct sink *sink = malloc(sizeof(*sink));
	int error = sink ? mw_expand(config->path, sink->file.path) : -ENOMEM;

	if (error) {
		snprintf(why, why_size, "%.150s: %s", config->path, strerror(-error));
		free(sink);
		return error;
	}
	sink->timeout_ms = config->timeout_ms;
	sink->stop = context->stop;
	sink->file.fd = -1;
	sink->file.max_bytes = config->rotate_bytes;
	sink->file.keep = config->rotate_keep;
	*ret = (struct mw_sink *)sink;
	return 0;
}

/* The NUL that ends a text is lent to the newline. */
static int add(struct sink *sink, struct mw_sink_item *item, const struct mw_wait *wait)
{
	int error;

	item->text[item->len] = '\n';
	error = mw_log_file_add(&sink->file, item->text, item->len + 1, wait);
	item->text[item->len] = '\0';
	return error;
}

static void send_items(struct mw_sink *mw_sink, struct mw_sink_item *items, size_t count,
                       struct mw_sink_report *report)
{
	struct sink *sink = (struct sink *)mw_sink;
	const struct mw_wait wait = mw_wait_for(sink->timeout_ms, sink->stop);
	int error = mw_log_file_lock(&sink->file, &wait), unsafe = error;
	size_t added = 0;

	while (!error && added < count) {
		error = add(sink, &items[added], &wait);
		added += !error;
	}
	if (!unsafe)
		unsafe = mw_log_file_unlock(&sink->file);
	for (size_t i = 0; !unsafe && i < added; i++)
		items[i].outcome = MW_SINK_DONE;
	error = error ? error : unsafe;
	if (error) {
		report->reason = error == -ETIMEDOUT || error == -ECANCELED ? "timeout" : "disk";
		snprintf(report->why, sizeof(report->why), "%.150s: %s", sink->file.path,
		         error == -ETIMEDOUT ? "somebody else holds its lock" : strerror(-error));
	}
	snprintf(report->detail, sizeof(report->detail), "on the disk in %.200s", sink->file.path);
}

static void reopen_sink(struct mw_sink *sink)
{
	mw_log_file_close(&((struct sink *)sink)->file);
}

static void close_sink(struct mw_sink *mw_sink)
{
	reopen_sink(mw_sink);
	free(mw_sink);
}

const struct mw_sink_ops mw_sink_file = {
        .batch = 256,
        .batch_bytes = 4 << 20,
        .open = open_sink,
        .send = send_items,
        .reopen = reopen_sink,
        .close = close_sink,
};
