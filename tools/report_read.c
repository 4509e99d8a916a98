/* Alerts files, read into groups. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "lines.h"
#include "report.h"

int mw_report_open(struct mw_report *report, int64_t since, int64_t until)
{
	*report = (struct mw_report){.since = since, .until = until};
	report->groups = calloc(1, sizeof(*report->groups));
	report->seen = mw_seen_new();
	report->files = json_array();
	report->losses.reasons = json_array();
	return report->groups && report->seen && report->files && report->losses.reasons ? 0
	                                                                                 : -ENOMEM;
}

void mw_report_close(struct mw_report *report)
{
	if (report->groups)
		mw_groups_clear(report->groups);
	free(report->groups);
	mw_seen_free(report->seen);
	json_decref(report->files);
	json_decref(report->losses.reasons);
}

static int add_alert(struct mw_report *report, const struct mw_entry *alert)
{
	struct mw_share before;

	switch (mw_seen_note(report->seen, alert, &before)) {
	case MW_NEW:
		return mw_groups_add(report->groups, alert);
	case MW_NEWER:
		report->updates++;
		return mw_groups_correct(report->groups, alert, &before);
	case MW_REPEATED:
		report->repeated++;
		return 0;
	}
	return 0;
}

static void add_loss(struct mw_losses *losses, const struct mw_entry *loss)
{
	json_t *reason = mw_shown_field(loss->json, "reason", 200);

	if (!losses->records || loss->time < losses->first)
		losses->first = loss->time;
	if (loss->time > losses->last)
		losses->last = loss->time;
	losses->records++;
	losses->lost += loss->count;
	for (size_t i = 0; i < json_array_size(losses->reasons); i++)
		if (json_equal(json_array_get(losses->reasons, i), reason))
			goto known;
	if (json_is_string(reason) && json_array_size(losses->reasons) < MW_REPORT_REASONS)
		json_array_append(losses->reasons, reason);
known:
	json_decref(reason);
}

static int add(struct mw_report *report, const struct mw_entry *entry)
{
	if (entry->kind == MW_ENTRY_OTHER) {
		report->other++;
		return 0;
	}
	if (entry->time < report->since || entry->time > report->until) {
		report->outside++;
		return 0;
	}
	if (entry->kind == MW_ENTRY_ALERT)
		return add_alert(report, entry);
	add_loss(&report->losses, entry);
	return 0;
}

int mw_report_line(struct mw_report *report, const char *line, size_t len)
{
	struct mw_entry entry = {.json = NULL};
	int error = line ? mw_entry_read(&entry, line, len) : -EINVAL;

	if (!error)
		error = add(report, &entry);
	else if (error == -EINVAL)
		report->unreadable++;
	mw_entry_free(&entry);
	return error;
}

struct file {
	struct mw_report *report;
	json_int_t lines, unreadable, first_unreadable;
};

static int file_line(void *context, const char *line, size_t len)
{
	struct file *file = context;
	int error = mw_report_line(file->report, line, len);

	file->lines++;
	if (error != -EINVAL)
		return error;
	if (!file->unreadable++)
		file->first_unreadable = file->lines;
	return 0;
}

int mw_report_file(struct mw_report *report, const char *path)
{
	struct file file = {.report = report};
	int error = mw_lines(path, file_line, &file);
	json_t *name = mw_shown_bytes(path, strlen(path), 512);

	if (!error && file.lines && file.lines == file.unreadable)
		error = -EINVAL;
	json_array_append_new(
	        report->files,
	        json_pack("{s:o, s:I, s:I, s:o, s:o}", "name", name, "lines", file.lines,
	                  "unreadable", file.unreadable, "first_unreadable",
	                  file.unreadable ? json_integer(file.first_unreadable) : json_null(),
	                  "error",
	                  error && error != -EINVAL ? json_string(strerror(-error)) : json_null()));
	return error;
}
