/* modelwatch alerts replay, dead: what is sent again, and what no receiver would have. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alerts_spool.h"
#include "main.h"
#include "option_values.h"
#include "when.h"

#define LETTERS 32
#define TITLE_MAX 300

struct options {
	struct mw_alerts_where where;
	const char *sink;
	int64_t since; /* -1: not said */
};

enum { SINCE, SINK };

static const struct mw_option replay_options[] = {
        {.name = "since",
         .argument = "WHEN",
         .id = SINCE,
         .help = "what came in from WHEN on: RFC 3339, or a time ago, as 90s, 30m, 2h, 7d, 1w"},
        {.name = "sink", .argument = "NAME", .id = SINK, .help = "to this one only"},
        MW_WHERE_OPTIONS,
        {0},
};
static const struct mw_option dead_options[] = {MW_WHERE_OPTIONS, {0}};

static int take(void *context, int id, const char *value)
{
	struct options *options = context;

	if (mw_alerts_where(&options->where, id, value))
		return 0;
	if (id == SINK)
		options->sink = value;
	return id == SINCE ? mw_take_when("since", value, mw_when_now(), &options->since) : 0;
}

static int no_sink(struct mw_spool *spool, const char *name)
{
	struct mw_spool_view view;

	mw_say("the spool has no sink %.100s; it has:", name);
	if (!mw_spool_look(spool, &view))
		for (size_t i = 0; i < view.sink_count; i++)
			fprintf(stderr, "  %s\n", view.sinks[i].name);
	return 1;
}

static int replay(const struct options *options)
{
	struct mw_spool *spool = NULL;
	int status = mw_alerts_open_spool(&options->where, &spool);
	int64_t n;

	if (status)
		return status;
	n = mw_spool_replay(spool, options->sink, options->since);
	if (n == -ENOENT)
		status = no_sink(spool, options->sink);
	else if (n < 0)
		status = mw_say("the spool cannot be written: %s", strerror((int)-n));
	else
		printf("%lld records are sent again to %s\n", (long long)n,
		       options->sink ? options->sink : "every sink");
	mw_spool_close(spool);
	return status ? status : fflush(stdout) ? mw_say("cannot write the answer") : 0;
}

static int run_replay(int argc, char **argv)
{
	struct options options = {.since = -1};
	char **operands;
	int status = mw_options(&mw_cmd_alerts_replay, argc, argv, take, &options, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch alerts replay --help",
		              *operands);
	if (options.since < 0)
		return mw_say("from when on? Say so with --since=WHEN");
	return replay(&options);
}

static void print(const struct mw_spool_letter *letter)
{
	char line[4 * TITLE_MAX];
	struct mw_text text;

	mw_text_start(&text, line, sizeof(line));
	mw_alerts_head(&text, &letter->entry);
	mw_text_shown(&text, letter->sink, strlen(letter->sink), sizeof(letter->sink));
	mw_text_add(&text, ": ");
	mw_text_shown(&text, letter->why, strlen(letter->why), sizeof(letter->why));
	mw_text_add(&text, ": ");
	mw_alerts_title(&text, letter->entry.record, TITLE_MAX);
	puts(line);
}

static int dead(const struct options *options)
{
	struct mw_spool_letter letters[LETTERS];
	struct mw_spool *spool = NULL;
	int status = mw_alerts_open_spool(&options->where, &spool), n = 0;
	size_t skip = 0;

	while (!status && (n = mw_spool_letters(spool, skip, LETTERS, letters)) > 0) {
		for (int i = 0; i < n; i++) {
			print(&letters[i]);
			mw_spool_free(&letters[i].entry, 1);
		}
		skip += (size_t)n;
	}
	mw_spool_close(spool);
	if (!status && n < 0)
		status = mw_say("the spool cannot be read: %s", strerror(-n));
	return status ? status : fflush(stdout) ? mw_say("cannot write the list") : 0;
}

static int run_dead(int argc, char **argv)
{
	struct options options = {.since = -1};
	char **operands;
	int status = mw_options(&mw_cmd_alerts_dead, argc, argv, take, &options, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch alerts dead --help",
		              *operands);
	return dead(&options);
}

const struct mw_command mw_cmd_alerts_replay = {
        .name = "modelwatch alerts replay",
        .help = "send again what is still kept",
        .synopsis = "",
        .about = "Has the sinks sent again what came into the spool from WHEN on, dead letters "
                 "too. Records keep their IDs, so that a receiver can tell what it has. They are "
                 "sent by the next modelwatch run or daemon, or the one that runs now.",
        .options = replay_options,
        .after = "Exit status: 0; 1 when there is no spool or no such sink; 125 when modelwatch "
                 "failed.",
        .run = run_replay,
};

const struct mw_command mw_cmd_alerts_dead = {
        .name = "modelwatch alerts dead",
        .help = "what receivers have refused for good",
        .synopsis = "",
        .about = "Lists dead letters: records that a receiver has refused for good, which one, and "
                 "why. They stay until they are too old, or are sent again with `modelwatch "
                 "alerts replay`.",
        .options = dead_options,
        .after = "Exit status: 0; 1 when there is no spool; 125 when modelwatch failed.",
        .run = run_dead,
};
