/* modelwatch why: the whole story of one alert. */
#include "why.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fields.h"
#include "journal.h"
#include "lines.h"
#include "main.h"
#include "seen.h"
#include "terminal.h"

#define FILES_MAX 256
#define IDS_SHOWN 5

struct options {
	char prefix[MW_ID_TEXT];
	const char *files[FILES_MAX];
	size_t file_count;
};

/* What is looked for, and what was found of it. */
struct search {
	const char *prefix;
	struct mw_entry alert; /* its highest update */
	uint8_t ids[IDS_SHOWN][MW_ID_BYTES];
	size_t id_count;
	uint64_t unreadable;
	struct mw_seen *seen;
	struct mw_relatives relatives;
};

static const struct mw_option options_table[] = {
        {.name = "alerts",
         .argument = "FILE",
         .repeats = true,
         .values = MW_FILES,
         .help = "where alerts were written, - for standard input; repeatable; by default the "
                 "journal, ${XDG_STATE_HOME:-$HOME/.local/state}/modelwatch/alerts.jsonl"},
        {0},
};

/* The beginning of an ID, in lower case as IDs are written. */
static int set_prefix(struct options *options, const char *word)
{
	size_t len = strlen(word);

	if (!len || len >= sizeof(options->prefix) ||
	    strspn(word, "0123456789abcdefABCDEF-") != len)
		return mw_say("'%.100s' is no ALERT_ID; one looks like "
		              "01a20974-25c5-78a7-bc1b-661314a34a5c",
		              word);
	for (size_t i = 0; i <= len; i++)
		options->prefix[i] = (char)tolower((unsigned char)word[i]);
	return 0;
}

static int take(void *context, int id, const char *value)
{
	struct options *options = context;

	(void)id;
	if (options->file_count == FILES_MAX)
		return mw_say("no more than %d files", FILES_MAX);
	options->files[options->file_count++] = value;
	return 0;
}

/* Returns MW_GO_ON, or the exit status. */
static int parse(struct options *options, int argc, char **argv)
{
	char **ids;
	int status = mw_options(&mw_cmd_why, argc, argv, take, options, &ids);

	if (status != MW_GO_ON)
		return status;
	if (!ids[0] || ids[1])
		return mw_say(ids[0] ? "one ALERT_ID at a time; see modelwatch why --help"
		                     : "no ALERT_ID; see modelwatch why --help");
	status = set_prefix(options, ids[0]);
	return status ? status : MW_GO_ON;
}

static bool matches(const struct search *search, const struct mw_entry *entry)
{
	char id[MW_ID_TEXT];

	mw_id_text(entry->id, id);
	return entry->kind == MW_ENTRY_ALERT &&
	       !strncmp(id, search->prefix, strlen(search->prefix));
}

static bool is_known(const struct search *search, const struct mw_entry *entry)
{
	for (size_t i = 0; i < search->id_count; i++)
		if (!memcmp(search->ids[i], entry->id, MW_ID_BYTES))
			return true;
	return false;
}

/* Takes what `entry` holds when it is the first of its alert, or a higher update of it. */
static void keep(struct search *search, struct mw_entry *entry)
{
	bool first = !search->id_count;

	if (!is_known(search, entry) && search->id_count < IDS_SHOWN)
		memcpy(search->ids[search->id_count++], entry->id, MW_ID_BYTES);
	if (!first && (memcmp(search->ids[0], entry->id, MW_ID_BYTES) != 0 ||
	               entry->update <= search->alert.update))
		return;
	mw_entry_free(&search->alert);
	search->alert = *entry;
	entry->json = NULL;
}

static int find_line(void *context, const char *line, size_t len)
{
	struct search *search = context;
	struct mw_entry entry = {.json = NULL};
	int error = line ? mw_entry_read(&entry, line, len) : -EINVAL;

	if (error == -EINVAL) {
		search->unreadable++;
		error = 0;
	} else if (!error && matches(search, &entry)) {
		keep(search, &entry);
	}
	mw_entry_free(&entry);
	return error;
}

static bool is_relative(const struct search *search, const struct mw_entry *entry)
{
	const json_t *load = mw_field(search->alert.json, "load.id");

	return entry->kind == MW_ENTRY_ALERT && load &&
	       json_equal(load, mw_field(entry->json, "load.id")) &&
	       memcmp(entry->id, search->alert.id, MW_ID_BYTES) != 0;
}

static int relative_line(void *context, const char *line, size_t len)
{
	struct search *search = context;
	struct mw_relatives *relatives = &search->relatives;
	struct mw_entry entry = {.json = NULL};
	struct mw_share share;

	if (line && !mw_entry_read(&entry, line, len) && is_relative(search, &entry) &&
	    mw_seen_note(search->seen, &entry, &share) == MW_NEW) {
		relatives->count++;
		relatives->outcomes[entry.outcome]++;
		if (relatives->count <= MW_WHY_RELATIVES)
			json_array_append_new(relatives->titles,
			                      mw_shown_field(entry.json, "title", 600));
	}
	mw_entry_free(&entry);
	return 0;
}

/* Returns 0, 1 when one cannot be read, which has been said, or MW_EXIT_OWN. */
static int read_files(const struct options *options, struct search *search)
{
	int status = 0;

	for (size_t i = 0; i < options->file_count; i++) {
		int error = mw_lines(options->files[i], find_line, search);

		if (error == -ENOMEM)
			return mw_say("out of memory");
		if (error) {
			mw_say("%s: %s", options->files[i], strerror(-error));
			status = 1;
		}
	}
	return status;
}

/* Whether exactly one alert was found; what is amiss has been said otherwise. */
static bool is_one(const struct search *search)
{
	char id[MW_ID_TEXT];

	if (!search->id_count)
		mw_say("no alert %s%s", search->prefix,
		       search->unreadable ? " among the lines that can be read" : "");
	if (search->id_count <= 1)
		return search->id_count == 1;
	mw_say("%s is the beginning of more than one alert:", search->prefix);
	for (size_t i = 0; i < search->id_count; i++) {
		mw_id_text(search->ids[i], id);
		fprintf(stderr, "  %s\n", id);
	}
	if (search->id_count == IDS_SHOWN)
		fputs("  and perhaps others\n", stderr);
	return false;
}

/* Reads a second time: what belongs to the alert's load may stand before it. */
static int tell(const struct options *options, struct search *search)
{
	int error;

	search->seen = mw_seen_new();
	search->relatives.titles = json_array();
	if (!search->seen || !search->relatives.titles)
		return mw_say("out of memory");
	for (size_t i = 0; i < options->file_count; i++)
		mw_lines(options->files[i], relative_line, search);
	error = mw_why_story(&search->alert, &search->relatives, mw_terminal_colour(STDOUT_FILENO),
	                     stdout);
	return error || fflush(stdout) ? mw_say("cannot write the story") : 0;
}

static int find_and_tell(const struct options *options)
{
	struct search search = {.prefix = options->prefix};
	int status = read_files(options, &search), told;

	if (status != MW_EXIT_OWN) {
		told = is_one(&search) ? tell(options, &search) : 1;
		status = told ? told : status;
	}
	mw_entry_free(&search.alert);
	mw_seen_free(search.seen);
	json_decref(search.relatives.titles);
	return status;
}

/* The journal, when no file is named. */
static int default_file(struct options *options, char path[static PATH_MAX])
{
	if (options->file_count)
		return 0;
	if (mw_journal_path(path, PATH_MAX))
		return mw_say(
		        "name a file with --alerts: there is no HOME where the journal would be");
	options->files[options->file_count++] = path;
	return 0;
}

static int run(int argc, char **argv)
{
	struct options options = {.file_count = 0};
	char path[PATH_MAX];
	int status = parse(&options, argc, argv);

	if (status != MW_GO_ON)
		return status;
	status = default_file(&options, path);
	return status ? status : find_and_tell(&options);
}

const struct mw_command mw_cmd_why = {
        .name = "modelwatch why",
        .help = "tell the whole story of one alert, and what to do next",
        .synopsis = "ALERT_ID",
        .about = "Tells the whole story of one alert: what the file did, whether that was "
                 "prevented, by which rule, who loaded it, how to load the weights without running "
                 "it, and what to do next. The beginning of the ID is enough when no other alert "
                 "begins so.",
        .options = options_table,
        .after = "Exit status: 0; 1 when there is no such alert, more than one, or a FILE could "
                 "not be read; 125 when modelwatch was called wrongly or the story could not be "
                 "written.",
        .run = run,
};
