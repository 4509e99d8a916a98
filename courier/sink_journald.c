#include "sink.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "channel_parts.h"
#include "syslog_line.h"

#define SOCKET "/run/systemd/journal/socket"
#define FIELDS 7

/* systemd's journal, by its library, which waits for as long as it takes and says nothing of a
 * journal that is not there: so that is looked at first, over a socket of ours. */
struct sink {
	const struct mw_sink_config *config;
	int stop;
};

static int open_sink(const struct mw_sink_config *config, const struct mw_sink_context *context,
                     struct mw_sink **ret, char *why, size_t why_size)
{
	struct sink *sink = malloc(sizeof(*sink));

	if (!sink) {
		snprintf(why, why_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	*sink = (struct sink){.config = config, .stop = context->stop};
	*ret = (struct mw_sink *)sink;
	return 0;
}

/* "NAME=value", whose text is the caller's to free. NULL base: no memory. */
static struct iovec field(const char *name, const char *value, size_t len)
{
	size_t name_len = strlen(name);
	char *text = malloc(name_len + len);

	if (text)
		memcpy(mempcpy(text, name, name_len), value, len);
	return (struct iovec){text, name_len + len};
}

static int send_fields(const struct sink *sink, const struct mw_sink_item *item)
{
	const char *app = sink->config->app_name ? sink->config->app_name : "modelwatch";
	const char *severity = mw_severity_name(item->severity);
	const char priority = (char)('0' + mw_syslog_severity(item->severity));
	char sequence[24];
	int digits = snprintf(sequence, sizeof(sequence), "%llu",
	                      (unsigned long long)item->emission.sequence);
	const struct {
		const char *name, *value;
		size_t len;
	} values[FIELDS] = {{"MESSAGE=", item->text, item->len},
	                    {"PRIORITY=", &priority, 1},
	                    {"SYSLOG_IDENTIFIER=", app, strlen(app)},
	                    {"MODELWATCH_ID=", item->id, strlen(item->id)},
	                    {"MODELWATCH_UID=", item->emission.uid, strlen(item->emission.uid)},
	                    {"MODELWATCH_SEQUENCE=", sequence, (size_t)digits},
	                    {"MODELWATCH_SEVERITY=", severity, strlen(severity)}};
	struct iovec fields[FIELDS];
	int error = 0;

	for (int i = 0; i < FIELDS; i++) {
		fields[i] = field(values[i].name, values[i].value, values[i].len);
		error = fields[i].iov_base ? error : -ENOMEM;
	}
	if (!error)
		error = sd_journal_sendv(fields, FIELDS);
	for (int i = 0; i < FIELDS; i++)
		free(fields[i].iov_base);
	return error;
}

static int knock(const struct mw_wait *wait)
{
	const struct mw_address address = {.family = AF_UNIX, .is_stream = false, .path = SOCKET};
	const char *word;

	return mw_connect(&address, wait, &word);
}

static void send_items(struct mw_sink *mw_sink, struct mw_sink_item *items, size_t count,
                       struct mw_sink_report *report)
{
	struct sink *sink = (struct sink *)mw_sink;
	const struct mw_wait wait = mw_wait_for(sink->config->timeout_ms, sink->stop);
	int probe = knock(&wait), error = probe < 0 ? probe : 0;

	for (size_t i = 0; i < count && !error; i++) {
		error = mw_wait_on(&wait, probe, POLLOUT);
		if (!error)
			error = send_fields(sink, &items[i]);
		if (!error)
			items[i].outcome = MW_SINK_DONE;
	}
	if (error) {
		report->reason = error == -ETIMEDOUT || error == -ECANCELED ? "timeout"
		                 : probe < 0                                ? "connect"
		                                                            : "closed";
		snprintf(report->why, sizeof(report->why), SOCKET ": %s", strerror(-error));
	}
	if (probe >= 0)
		close(probe);
	snprintf(report->detail, sizeof(report->detail), "given to the journal");
}

static void close_sink(struct mw_sink *sink)
{
	free(sink);
}

const struct mw_sink_ops mw_sink_journald = {
        .batch = 64,
        .batch_bytes = 1 << 20,
        .open = open_sink,
        .send = send_items,
        .close = close_sink,
};
