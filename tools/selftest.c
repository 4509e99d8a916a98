/* modelwatch selftest: a harmless poison, from its load to every sink. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../courier/letter.h"
#include "../courier/sink_config.h"
#include "alerts_spool.h"
#include "capture.h"
#include "control.h"
#include "daemon_config.h"
#include "fields.h"
#include "main.h"
#include "sink_read.h"
#include "status.h"
#include "when.h"

#define SECONDS 30
#define SECONDS_MAX 3600
#define LOOK_MS 50
#define BATCH 16
#define BATCH_BYTES (8u << 20)
#define LOAD_MS 20000
#define OUTPUT 2048

/* An interpreter that nobody has seen has its probes by the time that it loads. */
static const char loader[] = "import pickle, sys, time\n"
                             "time.sleep(0.5)\n"
                             "with open(sys.argv[1], 'rb') as file:\n"
                             "    pickle.load(file)\n";

struct selftest {
	const char *socket, *config, *python;
	long seconds;
	struct mw_alerts_where where;
	char place[64], model[96], made[96];
	int64_t since, loaded, end; /* ns since 1970 */
	struct mw_sinks_config sinks;
	struct mw_spool *spool;
	struct mw_spool_entry found; /* `sequence` 0: not yet */
};

enum { SOCKET, CONFIG, PYTHON, TIMEOUT };

static double ms_since(int64_t then)
{
	return (double)(mw_when_now() - then) / 1e6;
}

static void wait_a_little(void)
{
	const struct timespec time = {.tv_nsec = LOOK_MS * 1000000};

	nanosleep(&time, NULL);
}

/* A pickle of the oldest protocol, which is text: posix.mkdir() of a folder beside it. */
static int write_poison(struct selftest *t)
{
	FILE *out;
	int error;

	strcpy(t->place, "/tmp/modelwatch-selftest-XXXXXX");
	if (!mkdtemp(t->place))
		return -errno;
	snprintf(t->model, sizeof(t->model), "%s/harmless.pkl", t->place);
	snprintf(t->made, sizeof(t->made), "%s/made", t->place);
	out = fopen(t->model, "wxe");
	if (!out)
		return -errno;
	error = fprintf(out, "cposix\nmkdir\n(V%s\ntR.", t->made) < 0 ? -EIO : 0;
	return fclose(out) ? -errno : error;
}

static void clean(const struct selftest *t)
{
	if (*t->made)
		rmdir(t->made);
	if (*t->model)
		unlink(t->model);
	if (*t->place)
		rmdir(t->place);
}

/* The load fails where somebody stops it, which is as good. */
static int load(struct selftest *t)
{
	char *argv[] = {(char *)t->python, "-I", "-S", "-c", (char *)loader, t->model, NULL};
	char said[OUTPUT];
	int status = mw_capture(argv, NULL, LOAD_MS, said, sizeof(said));

	if (status < 0 || status == 127)
		return mw_say("%s: %s", t->python,
		              status < 0 ? strerror(-status) : "there is no such program");
	if (access(t->made, F_OK) != 0 && !status)
		return mw_say("%s did not load the model: %s", t->python, said);
	t->loaded = mw_when_now();
	return 0;
}

static bool is_it(const struct selftest *t, const struct mw_spool_entry *entry)
{
	const char *path = mw_field_text(entry->record, "load.artifact.path");

	return path && !strcmp(path, t->model);
}

/* Takes it over when it is there. Returns 0 or a negative errno. */
static int find(struct selftest *t)
{
	const struct mw_spool_filter filter = {.since = t->since, .until = INT64_MAX};
	struct mw_spool_entry entries[BATCH];
	uint64_t after = 0;
	int n;

	while ((n = mw_spool_browse(t->spool, &filter, after, BATCH, BATCH_BYTES, entries)) > 0) {
		after = entries[n - 1].sequence;
		for (int i = 0; i < n; i++) {
			if (!t->found.sequence && is_it(t, &entries[i]))
				t->found = entries[i];
			else
				mw_spool_free(&entries[i], 1);
		}
	}
	return n;
}

static int await_alert(struct selftest *t)
{
	int error = 0;

	while (!error && !t->found.sequence && mw_when_now() < t->end) {
		error = find(t);
		if (!error && !t->found.sequence)
			wait_a_little();
	}
	if (error)
		return mw_say("the spool cannot be read: %s", strerror(-error));
	if (!t->found.sequence) {
		mw_say("the daemon has not alerted of %s within %ld s", t->model, t->seconds);
		return 1;
	}
	printf("daemon: %s, alert %s in the spool after %.0f ms\n",
	       mw_field_text(t->found.record, "outcome"), mw_field_text(t->found.record, "id"),
	       ms_since(t->loaded));
	return 0;
}

enum fate { WAITS, PASSED, REFUSED };

/* What `sink` has next lies behind it when it is through with it. */
static enum fate look(struct selftest *t, const char *sink, char why[static 256])
{
	struct mw_spool_letter letters[BATCH];
	struct mw_spool_entry next;
	enum fate fate = WAITS;
	int n = mw_spool_next(t->spool, sink, 1, BATCH_BYTES, &next);

	if (n < 0)
		return WAITS;
	if (!n || next.sequence > t->found.sequence)
		fate = PASSED;
	if (n)
		mw_spool_free(&next, 1);
	for (size_t skip = 0; fate == PASSED; skip += BATCH) {
		n = mw_spool_letters(t->spool, skip, BATCH, letters);
		for (int i = 0; i < n; i++) {
			if (letters[i].entry.sequence == t->found.sequence &&
			    !strcmp(letters[i].sink, sink)) {
				fate = REFUSED;
				snprintf(why, 256, "%s", letters[i].why);
			}
			mw_spool_free(&letters[i].entry, 1);
		}
		if (n < BATCH)
			break;
	}
	return fate;
}

/* Returns 0 when the sink has it, or is not to have it. */
static int follow(struct selftest *t, const struct mw_sink_config *sink)
{
	char why[256];
	enum fate fate = WAITS;

	if (!mw_letter_wanted(sink, &t->found)) {
		printf("%s: is not to have an alert like this\n", sink->name);
		return 0;
	}
	while ((fate = look(t, sink->name, why)) == WAITS && mw_when_now() < t->end)
		wait_a_little();
	if (fate == PASSED) {
		printf("%s: acknowledged after %.0f ms\n", sink->name, ms_since(t->loaded));
		return 0;
	}
	mw_say("%s: %s", sink->name,
	       fate == REFUSED ? why : "no acknowledgement yet; `modelwatch status` says why");
	return 1;
}

static int follow_all(struct selftest *t)
{
	int status = await_alert(t), failed = 0;

	for (size_t i = 0; !status && i < t->sinks.count; i++)
		failed |= follow(t, &t->sinks.sinks[i]);
	if (status)
		return status;
	return fflush(stdout) ? mw_say("cannot write the result") : failed;
}

/* What there is to follow it by: a daemon that answers, sinks, and its spool. */
static int prepare(struct selftest *t)
{
	int status = MW_EXIT_OWN;
	json_t *answer = mw_control_ask(t->socket, "status\n", &status), *config = NULL;
	char why[512] = "not enough memory";

	if (!answer)
		return status;
	json_decref(answer);
	status = mw_sink_read(NULL, t->config, &config);
	if (!status && mw_sinks_read(config, &t->sinks, why, sizeof(why)))
		status = mw_say("%s", why);
	json_decref(config);
	if (!status && !t->sinks.count)
		status = mw_say("no sink is configured that an alert could be followed to: "
		                "modelwatch-sinks(5)");
	if (status)
		return status;
	t->where = (struct mw_alerts_where){.spool = t->sinks.spool.path, .is_daemon = true};
	return mw_alerts_open_spool(&t->where, &t->spool);
}

static int test(struct selftest *t)
{
	int status = prepare(t), error = status ? 0 : write_poison(t);

	t->since = mw_when_now();
	t->end = t->since + (int64_t)t->seconds * 1000000000;
	if (error)
		status = mw_say("%s: %s", t->place, strerror(-error));
	if (!status)
		status = load(t);
	if (!status)
		status = follow_all(t);
	clean(t);
	if (t->found.sequence)
		mw_spool_free(&t->found, 1);
	mw_spool_close(t->spool);
	mw_sinks_free(&t->sinks);
	return status;
}

static const struct mw_option options[] = {
        MW_CONTROL_OPTION(SOCKET),
        {.name = "config",
         .argument = "FILE",
         .id = CONFIG,
         .values = MW_FILES,
         .help = "the daemon's configuration (" MW_DAEMON_CONFIG ")"},
        {.name = "python",
         .argument = "PROGRAM",
         .id = PYTHON,
         .values = MW_FILES,
         .help = "the interpreter that loads it (python3)"},
        {.name = "timeout",
         .argument = "SECONDS",
         .id = TIMEOUT,
         .help = "how long to wait for all of it (30)"},
        {0},
};

static int take_seconds(const char *value, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(value, &end, 10);
	return errno || *end || *ret < 1 || *ret > SECONDS_MAX
	               ? mw_say("--timeout=%.40s: seconds, from 1 to %d", value, SECONDS_MAX)
	               : 0;
}

static int take(void *context, int id, const char *value)
{
	struct selftest *t = context;

	if (id == SOCKET)
		t->socket = value;
	else if (id == CONFIG)
		t->config = value;
	else if (id == PYTHON)
		t->python = value;
	else
		return take_seconds(value, &t->seconds);
	return 0;
}

static int run(int argc, char **argv)
{
	struct selftest t = {.socket = MW_CONTROL_SOCKET, .python = "python3", .seconds = SECONDS};
	char **operands;
	int status = mw_options(&mw_cmd_selftest, argc, argv, take, &t, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch selftest --help", *operands);
	return test(&t);
}

const struct mw_command mw_cmd_selftest = {
        .name = "modelwatch selftest",
        .help = "load a harmless poison, and follow its alert to every sink",
        .synopsis = "",
        .about = "Has an interpreter load a model that makes a folder in /tmp, which is removed "
                 "again, and waits until the running daemon has alerted of it and every sink has "
                 "acknowledged the alert. It is an alert like any other, as root.",
        .options = options,
        .after = "Exit status: 0 when every sink has it, 1 when it was not seen, a sink has not "
                 "acknowledged it in time or has refused it, or no daemon is running; "
                 "125 when modelwatch failed.",
        .run = run,
};
