/* modelwatch alerts show: one record of the spool, in full or as a sink is sent it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../courier/format.h"
#include "alerts_spool.h"
#include "main.h"

#define BATCH 16
#define BATCH_BYTES (8u << 20)
#define IDS_SHOWN 5

struct options {
	struct mw_alerts_where where;
	struct mw_format_options format;
	bool as_sent; /* on one line */
};

enum { FORMAT, OCSF };

static const char *const formats[] = {"native", "ocsf", "ecs", "cef", NULL};
static const char *const versions[] = {"1.1", "1.3", "1.5", "1.8", NULL};

static const struct mw_option options_table[] = {
        {.name = "format",
         .argument = "FORMAT",
         .id = FORMAT,
         .values = MW_WORDS,
         .words = formats,
         .help = "as a sink of that format is sent it, on one line"},
        {.name = "ocsf-version",
         .argument = "VERSION",
         .id = OCSF,
         .values = MW_WORDS,
         .words = versions,
         .help = "of OCSF (1.5)"},
        MW_WHERE_OPTIONS,
        {0},
};

static int take(void *context, int id, const char *value)
{
	struct options *options = context;
	int number;

	if (mw_alerts_where(&options->where, id, value))
		return 0;
	number = id == FORMAT ? mw_format_of(value) : mw_ocsf_of(value);
	if (number < 0)
		return id == FORMAT
		               ? mw_say("--format=%.40s: it is native, ocsf, ecs or cef", value)
		               : mw_say("--ocsf-version=%.40s: it is 1.1, 1.3, 1.5 or 1.8", value);
	if (id == FORMAT) {
		options->format.format = (enum mw_format)number;
		options->as_sent = true;
	} else {
		options->format.ocsf = (enum mw_ocsf)number;
	}
	return 0;
}

/* What was found: the last record of the first finding, and which others there are. */
struct found {
	struct mw_spool_entry entry;
	char ids[IDS_SHOWN][MW_UID_TEXT];
	size_t count;
};

static const char *id_of(const struct mw_spool_entry *entry)
{
	const char *id = json_string_value(json_object_get(entry->record, "id"));

	return id ? id : entry->uid;
}

/* Takes the entry over, or frees it. */
static void keep(struct found *found, struct mw_spool_entry *entry)
{
	size_t i = 0;

	while (i < found->count && strncmp(found->ids[i], id_of(entry), MW_UID_TEXT - 1) != 0)
		i++;
	if (i == found->count && i < IDS_SHOWN)
		strncpy(found->ids[found->count++], id_of(entry), MW_UID_TEXT - 1);
	if (i) {
		mw_spool_free(entry, 1);
		return;
	}
	mw_spool_free(&found->entry, 1);
	found->entry = *entry;
}

static int find(struct mw_spool *spool, const char *prefix, struct found *found)
{
	const struct mw_spool_filter filter = {.until = INT64_MAX, .id = prefix};
	struct mw_spool_entry entries[BATCH];
	uint64_t after = 0;
	int n;

	while ((n = mw_spool_browse(spool, &filter, after, BATCH, BATCH_BYTES, entries)) > 0) {
		after = entries[n - 1].sequence;
		for (int i = 0; i < n; i++)
			keep(found, &entries[i]);
	}
	return n < 0 ? mw_say("the spool cannot be read: %s", strerror(-n)) : 0;
}

/* CEF is no JSON; what a terminal might obey the format has written out. */
static int print_text(const struct mw_emission *emission, const struct mw_format_options *format)
{
	char *line = NULL;
	size_t len;
	int error = mw_format_render(emission, format, &line, &len);

	if (error)
		return error;
	puts(line);
	free(line);
	return 0;
}

static int print_json(const struct mw_emission *emission, const struct options *options)
{
	size_t flags = options->as_sent ? JSON_COMPACT : JSON_INDENT(2);
	json_t *json;
	int error = mw_format_json(emission, &options->format, &json);

	if (error)
		return error;
	json_dumpf(json, stdout, flags | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(json);
	return 0;
}

static int print(const struct mw_spool_entry *entry, const struct options *options)
{
	struct mw_emission emission = {.sequence = entry->sequence, .record = entry->record};
	int error;

	memcpy(emission.uid, entry->uid, sizeof(emission.uid));
	error = options->format.format == MW_FORMAT_CEF ? print_text(&emission, &options->format)
	                                                : print_json(&emission, options);
	if (error)
		return mw_say("the record cannot be put into this format: %s", strerror(-error));
	return fflush(stdout) || ferror(stdout) ? mw_say("cannot write the record") : 0;
}

static int show(const struct options *options, const char *prefix)
{
	struct found found = {.count = 0};
	struct mw_spool *spool = NULL;
	int status = mw_alerts_open_spool(&options->where, &spool);

	if (!status)
		status = find(spool, prefix, &found);
	if (!status && !found.count)
		status = (mw_say("no record %s in the spool", prefix), 1);
	if (!status && found.count > 1) {
		mw_say("%s is the beginning of more than one record:", prefix);
		for (size_t i = 0; i < found.count; i++)
			fprintf(stderr, "  %s\n", found.ids[i]);
		status = 1;
	}
	if (!status)
		status = print(&found.entry, options);
	mw_spool_free(&found.entry, 1);
	mw_spool_close(spool);
	return status;
}

static int run(int argc, char **argv)
{
	struct options options = {.format = {.ocsf = MW_OCSF_1_5}};
	char prefix[MW_UID_TEXT], **operands;
	int status = mw_options(&mw_cmd_alerts_show, argc, argv, take, &options, &operands);

	if (status != MW_GO_ON)
		return status;
	if (!operands[0] || operands[1])
		return mw_say("one ID; `modelwatch alerts` shows them");
	if (!mw_alerts_prefix(operands[0], prefix))
		return mw_say("'%.100s' is no ID; one looks like "
		              "01a20974-25c5-78a7-bc1b-661314a34a5c",
		              operands[0]);
	return show(&options, prefix);
}

const struct mw_command mw_cmd_alerts_show = {
        .name = "modelwatch alerts show",
        .help = "one record in full, or as a sink is sent it",
        .synopsis = "ID",
        .about = "Prints the last record of the finding ID, or the record whose own ID that is. "
                 "The beginning of it is enough when no other begins so.",
        .options = options_table,
        .after = "Exit status: 0; 1 when there is no such record, more than one, or no spool; 125 "
                 "when modelwatch failed.",
        .run = run,
};
