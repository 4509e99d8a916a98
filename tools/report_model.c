/* The one model that the terminal and the page show. */
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "report.h"
#include "when.h"

#define KEY_SHOWN 16

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *when(int64_t time)
{
	char text[MW_WHEN_TEXT];

	mw_when_text(time, text);
	return json_string(text);
}

static json_t *counts_of(const struct mw_tally *tally)
{
	json_t *out = json_pack("{s:o}", "count", number(tally->count));

	for (int i = 0; i < MW_OUTCOME_COUNT; i++)
		json_object_set_new(out, mw_outcome_name((enum mw_outcome)i),
		                    number(tally->outcomes[i]));
	json_object_set_new(out, "deny_would_stop", number(tally->deny_would_stop));
	return out;
}

/* The most severe first; severities without alerts are left out. */
static json_t *severities(const struct mw_tally *tallies)
{
	json_t *out = json_array();

	for (int i = MW_SEVERITY_COUNT - 1; i >= 0; i--) {
		json_t *one;

		if (!tallies[i].count)
			continue;
		one = counts_of(&tallies[i]);
		json_object_set_new(one, "severity",
		                    json_string(mw_severity_name((enum mw_severity)i)));
		json_array_append_new(out, one);
	}
	return out;
}

static json_t *group_of(const struct mw_group *group)
{
	json_t *out = json_copy(group->sample);

	json_object_set_new(out, "key", json_stringn(group->key, KEY_SHOWN));
	json_object_set_new(out, "severity", json_string(mw_severity_name(group->severity)));
	json_object_set_new(out, "counts", counts_of(&group->tally));
	json_object_set_new(out, "first", when(group->events[0].time));
	json_object_set_new(out, "last", when(group->events[group->event_count - 1].time));
	json_object_set(out, "hosts", group->hosts);
	return out;
}

static json_t *groups_of(const struct mw_groups *groups)
{
	json_t *out = json_array();

	for (size_t i = 0; i < groups->count; i++)
		json_array_append_new(out, group_of(&groups->all[i]));
	return out;
}

struct moment {
	const struct mw_group *group;
	size_t event;
};

static int64_t time_of(const struct moment *moment)
{
	return moment->group->events[moment->event].time;
}

static int by_time(const void *first, const void *second)
{
	int64_t a = time_of(first), b = time_of(second);

	return a < b ? -1 : a > b;
}

/* How many of the group lie between its first four and its last four. */
static uint64_t left_out(const struct mw_group *group)
{
	uint64_t shown = 0;

	for (size_t i = 0; i < group->event_count; i++)
		shown += group->events[i].count;
	return group->tally.count > shown ? group->tally.count - shown : 0;
}

static json_t *moment_json(const struct mw_groups *groups, const struct moment *moment)
{
	const struct mw_event *event = &moment->group->events[moment->event];
	bool gap = moment->event == MW_GROUP_EVENTS / 2 - 1;
	char id[MW_ID_TEXT];

	mw_id_text(event->id, id);
	return json_pack("{s:o, s:i, s:s, s:s, s:o, s:O?, s:O?, s:o}", "time", when(event->time),
	                 "group", (int)(moment->group - groups->all), "alert", id, "outcome",
	                 mw_outcome_name(event->outcome), "count", number(event->count), "pid",
	                 json_object_get(event->process, "pid"), "host",
	                 json_object_get(event->process, "host"), "more_after",
	                 number(gap ? left_out(moment->group) : 0));
}

json_t *mw_report_timeline(const struct mw_groups *groups)
{
	const size_t max = groups->count * MW_GROUP_EVENTS + 1;
	struct moment *moments = calloc(max, sizeof(*moments));
	json_t *out = json_array();
	size_t n = 0;

	for (size_t i = 0; moments && i < groups->count; i++)
		for (size_t j = 0; j < groups->all[i].event_count; j++)
			moments[n++] = (struct moment){&groups->all[i], j};
	if (moments)
		qsort(moments, n, sizeof(*moments), by_time);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, moment_json(groups, &moments[i]));
	free(moments);
	return out;
}

static json_t *losses_of(const struct mw_losses *losses)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:O}", "records", number(losses->records), "lost",
	                 number(losses->lost), "first",
	                 losses->records ? when(losses->first) : json_null(), "last",
	                 losses->records ? when(losses->last) : json_null(), "reasons",
	                 losses->reasons);
}

static json_t *input_of(const struct mw_report *report)
{
	return json_pack("{s:O, s:o, s:o, s:o, s:o, s:o}", "files", report->files, "unreadable",
	                 number(report->unreadable), "updates", number(report->updates), "repeated",
	                 number(report->repeated), "outside", number(report->outside), "other",
	                 number(report->other));
}

static json_t *window_of(const struct mw_report *report)
{
	return json_pack("{s:o, s:o}", "since",
	                 report->since > 0 ? when(report->since) : json_null(), "until",
	                 report->until < INT64_MAX ? when(report->until) : json_null());
}

static json_t *totals_of(const struct mw_groups *groups)
{
	json_t *out = counts_of(&groups->total);

	json_object_set_new(out, "first", groups->total.count ? when(groups->first) : json_null());
	json_object_set_new(out, "last", groups->total.count ? when(groups->last) : json_null());
	return out;
}

json_t *mw_report_model(struct mw_report *report)
{
	const struct mw_groups *groups = report->groups;
	uint64_t processes_left_out;
	json_t *processes;

	mw_groups_sort(report->groups);
	processes = mw_report_processes(groups, &processes_left_out);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	                 "schema", "modelwatch.report/1", "version", MW_VERSION, "made",
	                 when(mw_when_now()), "window", window_of(report), "input",
	                 input_of(report), "losses", losses_of(&report->losses), "totals",
	                 totals_of(groups), "by_severity", severities(groups->by_severity),
	                 "groups", groups_of(groups), "in_no_group", severities(groups->rest),
	                 "timeline", mw_report_timeline(groups), "processes", processes,
	                 "processes_left_out", number(processes_left_out));
}
