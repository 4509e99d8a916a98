/* Sends records through one sink, as a sender of the courier does, but out of a file: for the tests
 * of sinks.
 *
 *   drive [-b BATCH] [-p PAUSE_MS] [-r RETRY_MS] [-d DEADLINE_S] [-m] CONFIG RECORDS
 *
 * CONFIG is {"sinks": {NAME: {KEY: VALUE}}} with one sink, every value a string; RECORDS are native
 * records, one a line. It prints "done ID" for what has reached the sink and "refused ID" for what
 * never will, in order; on stderr "REASON: WHY" for each report of trouble. What comes after a
 * record that has to be tried again is sent again, too. SIGHUP calls reopen(), SIGTERM makes `stop`
 * readable. -m: at the end "peak KB", the most memory that it had. With a deadline of 0 it sends
 * once. Ends with 0 when every record was done or refused, 1 when time was up or on SIGTERM, and 2
 * when it could not start. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../../courier/letter.h"

struct drive {
	struct mw_sinks_config config;
	const struct mw_sink_ops *ops;
	struct mw_sink *sink;
	struct mw_sink_item *items;
	size_t count, at, batch;
	int pause_ms, retry_ms, most_s, stop;
	bool tells_memory;
};

static volatile sig_atomic_t reopen_asked;
static int stop_of_signal;

static void on_signal(int number)
{
	if (number == SIGHUP)
		reopen_asked = 1;
	else
		eventfd_write(stop_of_signal, 1);
}

static void fail(const char *what, const char *detail)
{
	fprintf(stderr, "drive: %s: %s\n", what, detail);
	exit(2);
}

static void read_config(struct drive *d, const char *path)
{
	json_error_t error;
	json_t *json = json_load_file(path, 0, &error);
	char why[512] = "no memory";

	if (!json)
		fail(path, error.text);
	if (mw_sinks_read(json, &d->config, why, sizeof(why)))
		fail(path, why);
	json_decref(json);
	if (d->config.count != 1)
		fail(path, "it names one sink");
	d->ops = mw_sink_ops(d->config.sinks[0].type);
	if (!d->ops)
		fail(path, "built without it");
}

/* As the spool would hand it over. The items own the records. */
static void add_item(struct drive *d, json_t *record, size_t number)
{
	struct mw_spool_entry entry = {.sequence = number, .record = record};
	const char *word = json_string_value(json_object_get(record, "severity"));
	int severity = word ? mw_severity_parse(word) : -1;

	entry.severity = severity < 0 ? MW_INFO : (enum mw_severity)severity;
	snprintf(entry.uid, sizeof(entry.uid), "01a20955-c65f-733b-a1ea-%012zx", number);
	if (mw_letter_make(&d->config.sinks[0], d->ops->wants_json, &entry, &d->items[d->count++]))
		fail("record", "it cannot be put into the sink's format");
}

static void read_records(struct drive *d, const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0, number = 0;
	json_error_t error;

	if (!file)
		fail(path, strerror(errno));
	while (getline(&line, &size, file) > 0) {
		json_t *record = json_loads(line, 0, &error);

		if (!record)
			fail(path, error.text);
		if (!(number & (number - 1)))
			d->items = realloc(d->items, 2 * (number + 1) * sizeof(*d->items));
		if (!d->items)
			fail(path, strerror(ENOMEM));
		add_item(d, record, ++number);
	}
	free(line);
	fclose(file);
}

/* How many of the next items are sent together. */
static size_t batch_of(const struct drive *d)
{
	size_t n = 0, bytes = 0,
	       most = d->batch && d->batch < d->ops->batch ? d->batch : d->ops->batch;

	while (d->at + n < d->count && n < most) {
		bytes += d->items[d->at + n].len;
		if (n && bytes > d->ops->batch_bytes)
			break;
		n++;
	}
	return n;
}

/* Sends once. Returns whether all of it got its end. */
static bool send_batch(struct drive *d)
{
	struct mw_sink_report report = {.reason = NULL};
	size_t n = batch_of(d), done = 0;
	struct mw_sink_item *items = &d->items[d->at];

	for (size_t i = 0; i < n; i++)
		items[i].outcome = MW_SINK_RETRY;
	d->ops->send(d->sink, items, n, &report);
	while (done < n && items[done].outcome != MW_SINK_RETRY) {
		printf("%s %s\n", items[done].outcome == MW_SINK_DONE ? "done" : "refused",
		       items[done].id);
		done++;
	}
	fflush(stdout);
	if (report.why[0])
		fprintf(stderr, "%s: %s\n", report.reason ? report.reason : "?", report.why);
	d->at += done;
	return done == n;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns whether it was told to stop. */
static bool pause_for(const struct drive *d, int ms)
{
	struct pollfd stop = {.fd = d->stop, .events = POLLIN};

	return poll(&stop, 1, ms) > 0;
}

static int drive(struct drive *d)
{
	const int64_t deadline = now_ms() + d->most_s * 1000;
	bool stopped = false;

	do {
		if (reopen_asked && d->ops->reopen)
			d->ops->reopen(d->sink);
		reopen_asked = 0;
		stopped = pause_for(d, send_batch(d) ? d->pause_ms : d->retry_ms);
	} while (d->at < d->count && !stopped && now_ms() < deadline);
	return d->at < d->count;
}

static void arguments(struct drive *d, int argc, char **argv)
{
	int option;

	d->retry_ms = 20;
	d->most_s = 60;
	while ((option = getopt(argc, argv, "b:p:r:d:m")) != -1) {
		int number = optarg ? (int)strtol(optarg, NULL, 10) : 0;

		if (option == 'b')
			d->batch = (size_t)number;
		else if (option == 'p')
			d->pause_ms = number;
		else if (option == 'r')
			d->retry_ms = number;
		else if (option == 'd')
			d->most_s = number;
		else if (option == 'm')
			d->tells_memory = true;
		else
			exit(2);
	}
	if (argc - optind != 2)
		fail("usage", "drive [-b BATCH] [-p PAUSE_MS] [-r RETRY_MS] [-d DEADLINE_S] CONFIG "
		              "RECORDS");
	read_config(d, argv[optind]);
	read_records(d, argv[optind + 1]);
}

/* Of this program alone: what getrusage() says is also of who started it. */
static void tell_memory(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "VmHWM:", 6))
			printf("peak %ld\n", strtol(line + 6, NULL, 10));
	if (file)
		fclose(file);
}

static void release(struct drive *d)
{
	for (size_t i = 0; i < d->count; i++) {
		json_t *record = (json_t *)(uintptr_t)d->items[i].emission.record;

		mw_letter_free(&d->items[i]);
		json_decref(record);
	}
	free(d->items);
	mw_sinks_free(&d->config);
	close(d->stop);
}

int main(int argc, char **argv)
{
	struct drive d = {.stop = eventfd(0, EFD_CLOEXEC)};
	const struct mw_sink_context context = {.stop = d.stop, .host = "testhost"};
	char why[MW_SINK_WHY] = "";
	int result;

	stop_of_signal = d.stop;
	signal(SIGHUP, on_signal);
	signal(SIGTERM, on_signal);
	arguments(&d, argc, argv);
	if (d.ops->open(&d.config.sinks[0], &context, &d.sink, why, sizeof(why)))
		fail("open", why);
	result = drive(&d);
	d.ops->close(d.sink);
	release(&d);
	if (d.tells_memory)
		tell_memory();
	return result;
}
