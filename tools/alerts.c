/* modelwatch alerts: what the spool holds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../core/glob.h"
#include "../courier/format.h"
#include "alerts_spool.h"
#include "fields.h"
#include "main.h"
#include "option_values.h"
#include "when.h"

#define BATCH 64
#define BATCH_BYTES (4u << 20)
#define LOOK_MS 300
#define TITLE_MAX 600

struct options {
	struct mw_alerts_where where;
	struct mw_spool_filter filter;
	const char *rule, *artifact;
	bool json, follow;
	int64_t now;
};

enum { SINCE, UNTIL, SEVERITY, RULE, ARTIFACT, JSON, FOLLOW };

static const struct mw_option options_table[] = {
        {.name = "since",
         .argument = "WHEN",
         .id = SINCE,
         .help = "from WHEN on: RFC 3339, or a time ago, as 90s, 30m, 2h, 7d, 1w"},
        {.name = "until", .argument = "WHEN", .id = UNTIL, .help = "up to WHEN"},
        {.name = "severity",
         .argument = "SEVERITY",
         .id = SEVERITY,
         .values = MW_WORDS,
         .words = mw_severities,
         .help = "as severe as that, or more"},
        {.name = "rule",
         .argument = "PATTERN",
         .id = RULE,
         .help = "alerts of rules whose name matches"},
        {.name = "artifact",
         .argument = "PATTERN",
         .id = ARTIFACT,
         .help = "alerts about files whose path matches (without a / in PATTERN: whose name "
                 "does), or whose digest, or that of the stream in it, begins so"},
        {.name = "json", .id = JSON, .help = "records as they are, one a line"},
        {.name = "follow",
         .id = FOLLOW,
         .help = "go on with what comes in; without --since, only that"},
        MW_WHERE_OPTIONS,
        {0},
};

static int set_pattern(const char *name, const char *value, const char **ret)
{
	const char *wrong = mw_glob_complaint(value);

	*ret = value;
	return wrong ? mw_say("--%s=%.200s: %s", name, value, wrong) : 0;
}

static int take(void *context, int id, const char *value)
{
	struct options *options = context;

	if (mw_alerts_where(&options->where, id, value))
		return 0;
	switch (id) {
	case SINCE:
		return mw_take_when("since", value, options->now, &options->filter.since);
	case UNTIL:
		return mw_take_when("until", value, options->now, &options->filter.until);
	case SEVERITY:
		return mw_take_severity(value, &options->filter.severity);
	case RULE:
		return set_pattern("rule", value, &options->rule);
	case ARTIFACT:
		return set_pattern("artifact", value, &options->artifact);
	case JSON:
		options->json = true;
		return 0;
	case FOLLOW:
		options->follow = true;
		return 0;
	}
	return 0;
}

static bool begins(const json_t *record, const char *path, const char *with)
{
	const char *text = mw_field_text(record, path);

	return text && strlen(with) >= 8 && !strncmp(text, with, strlen(with));
}

static bool is_of_artifact(const json_t *record, const char *pattern)
{
	const char *path = mw_field_text(record, "load.artifact.path"), *slash;

	if (begins(record, "load.artifact.sha256", pattern) ||
	    begins(record, "load.artifact.stream_sha256", pattern))
		return true;
	if (!path)
		return false;
	slash = strrchr(path, '/');
	return mw_glob(pattern, path) ||
	       (slash && !strchr(pattern, '/') && mw_glob(pattern, slash + 1));
}

static bool is_wanted(const struct options *options, const struct mw_spool_entry *entry)
{
	if (options->rule && (!*entry->rule || !mw_glob(options->rule, entry->rule)))
		return false;
	return !options->artifact || is_of_artifact(entry->record, options->artifact);
}

static void print_json(const struct mw_spool_entry *entry)
{
	const struct mw_format_options format = {.format = MW_FORMAT_NATIVE};
	struct mw_emission emission = {.sequence = entry->sequence, .record = entry->record};
	json_t *json = NULL;

	memcpy(emission.uid, entry->uid, sizeof(emission.uid));
	if (mw_format_json(&emission, &format, &json))
		json = json_incref(entry->record);
	json_dumpf(json, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(json);
}

static void print(const struct options *options, const struct mw_spool_entry *entry)
{
	char line[4 * TITLE_MAX];
	struct mw_text text;

	if (options->json) {
		print_json(entry);
		return;
	}
	mw_text_start(&text, line, sizeof(line));
	mw_alerts_head(&text, entry);
	mw_alerts_title(&text, entry->record, TITLE_MAX);
	puts(line);
}

/* What has come after `*after`. Returns 0 or a negative errno. */
static int list_new(const struct options *options, struct mw_spool *spool, uint64_t *after)
{
	struct mw_spool_entry entries[BATCH];
	int n;

	while ((n = mw_spool_browse(spool, &options->filter, *after, BATCH, BATCH_BYTES, entries)) >
	       0) {
		for (int i = 0; i < n; i++)
			if (is_wanted(options, &entries[i]))
				print(options, &entries[i]);
		*after = entries[n - 1].sequence;
		mw_spool_free(entries, (size_t)n);
	}
	return n;
}

/* A spool that was put aside goes on as a new one. */
static int follow(const struct options *options, struct mw_spool **spool, uint64_t after)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	int error = 0, status;

	while (!error && !fflush(stdout)) {
		nanosleep(&pause, NULL);
		error = list_new(options, *spool, &after);
		if (error != -ESTALE)
			continue;
		mw_spool_close(*spool);
		*spool = NULL;
		status = mw_alerts_open_spool(&options->where, spool);
		if (status)
			return status;
		error = 0;
		after = 0;
	}
	return error ? mw_say("the spool cannot be read: %s", strerror(-error)) : 0;
}

static int list(struct options *options)
{
	struct mw_spool *spool = NULL;
	uint64_t after = 0;
	int status = mw_alerts_open_spool(&options->where, &spool), error;

	if (status)
		return status;
	error = list_new(options, spool, &after);
	if (error)
		status = mw_say("the spool cannot be read: %s", strerror(-error));
	else if (options->follow)
		status = follow(options, &spool, after);
	mw_spool_close(spool);
	if (!status && (fflush(stdout) || ferror(stdout)))
		status = mw_say("cannot write the list");
	return status;
}

static int run(int argc, char **argv)
{
	struct options options = {
	        .now = mw_when_now(),
	        .filter = {.since = -1, .until = INT64_MAX, .severity = MW_INFO},
	};
	char **operands;
	int status = mw_options(&mw_cmd_alerts, argc, argv, take, &options, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch alerts --help", *operands);
	if (options.filter.since < 0)
		options.filter.since = options.follow ? options.now : 0;
	if (options.filter.since > options.filter.until)
		return mw_say("--since is later than --until");
	return list(&options);
}

static const struct mw_command *const commands[] = {&mw_cmd_alerts_show, &mw_cmd_alerts_replay,
                                                    &mw_cmd_alerts_dead, NULL};

const struct mw_command mw_cmd_alerts = {
        .name = "modelwatch alerts",
        .help = "show what is kept for the sinks, and send it again",
        .synopsis = "",
        .about = "Lists what the spool holds: the records that are to be sent to the sinks, and "
                 "those that were sent and are still kept. Alike alerts are one finding, with a "
                 "count.",
        .commands = commands,
        .options = options_table,
        .after = "Exit status: 0; 1 when there is no spool; 125 when modelwatch failed.",
        .run = run,
};
