#include "sink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tools/write.h"
#include "channel_parts.h"

/* Standard output, of which a line may be cut short by a reader who takes too long, or by the death
 * of whoever wrote it. */
struct sink {
	int timeout_ms, stop;
	struct mw_lines_out out;
};

static int open_sink(const struct mw_sink_config *config, const struct mw_sink_context *context,
                     struct mw_sink **ret, char *why, size_t why_size)
{
	struct sink *sink = malloc(sizeof(*sink));

	if (!sink) {
		snprintf(why, why_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	*sink = (struct sink){.timeout_ms = config->timeout_ms,
	                      .stop = context->stop,
	                      .out = {.fd = STDOUT_FILENO, .torn = context->again}};
	*ret = (struct mw_sink *)sink;
	return 0;
}

/* The NUL that ends a text is lent to the newline. */
static int add(struct sink *sink, struct mw_sink_item *item, const struct mw_wait *wait)
{
	const struct mw_patience patience = {.ms = mw_wait_left(wait), .stop = sink->stop};
	int error;

	item->text[item->len] = '\n';
	error = mw_lines_out_add(&sink->out, item->text, item->len + 1, &patience);
	item->text[item->len] = '\0';
	return error;
}

static void send_items(struct mw_sink *mw_sink, struct mw_sink_item *items, size_t count,
                       struct mw_sink_report *report)
{
	struct sink *sink = (struct sink *)mw_sink;
	const struct mw_wait wait = mw_wait_for(sink->timeout_ms, sink->stop);

	for (size_t i = 0; i < count; i++) {
		int error = add(sink, &items[i], &wait);

		if (error) {
			report->reason = error == -EAGAIN ? "timeout" : "closed";
			snprintf(report->why, sizeof(report->why), "standard output: %s",
			         strerror(-error));
			return;
		}
		items[i].outcome = MW_SINK_DONE;
	}
	snprintf(report->detail, sizeof(report->detail), "written to standard output");
}

static void close_sink(struct mw_sink *sink)
{
	free(sink);
}

const struct mw_sink_ops mw_sink_stdout = {
        .batch = 100,
        .batch_bytes = 1 << 20,
        .open = open_sink,
        .send = send_items,
        .close = close_sink,
};
