/* What `modelwatch report` makes of alerts files: read into groups, put together as one model in
 * JSON (modelwatch.report/1), which the terminal and the page show. */
#ifndef MW_TOOLS_REPORT_H
#define MW_TOOLS_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "groups.h"

#define MW_REPORT_REASONS 4

struct mw_losses {
	uint64_t records, lost;
	int64_t first, last;
	json_t *reasons; /* at most MW_REPORT_REASONS */
};

struct mw_report {
	int64_t since, until; /* both count; INT64_MAX: no end */
	struct mw_groups *groups;
	struct mw_seen *seen;
	struct mw_losses losses;
	json_t *files; /* {name, lines, unreadable, first_unreadable, error} each */
	uint64_t updates, repeated, outside, other, unreadable;
};

/* Everything from `since` to `until`. Returns 0 or -ENOMEM. Close it, after an error too. */
int mw_report_open(struct mw_report *report, int64_t since, int64_t until);
void mw_report_close(struct mw_report *report);

/* Adds one line; NULL for one that was too long. Returns 0, -EINVAL for one that is no record
 * (which is counted), or -ENOMEM. */
int mw_report_line(struct mw_report *report, const char *line, size_t len);

/* Adds a file, - for standard input. Returns 0, -EINVAL when it has lines and none is a record, or
 * another negative errno; why is in the model as well. */
int mw_report_file(struct mw_report *report, const char *path);

/* The model, modelwatch.report/1: the manual page describes it. All text in it is fit to be shown.
 * A new reference, or NULL when there is no memory. Sorts the groups. */
json_t *mw_report_model(struct mw_report *report);

/* The alerts' processes and their ancestors, each once: an array of {parent, pid, host, start_time,
 * commands, groups}, parents before their children, `parent` and `groups` being indices. Alerts say
 * of ancestors no start time: their process IDs and parents tell them apart. `*ret_left_out` counts
 * those there was no room for. A new reference, or NULL when there is no memory. */
json_t *mw_report_processes(const struct mw_groups *groups, uint64_t *ret_left_out);

/* The events of all groups in the order of their times. */
json_t *mw_report_timeline(const struct mw_groups *groups);

/* Shows a model as text. Returns 0 or -EIO. */
int mw_report_text(const json_t *model, bool colour, FILE *out);

/* Writes a model as a page of its own, with nothing outside it. Returns 0, -ENOMEM or -EIO. */
int mw_report_page(const json_t *model, FILE *out);

#endif
