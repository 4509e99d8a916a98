/* A report on the terminal. Every text in the model is fit to be shown. */
#include <errno.h>
#include <string.h>

#include "fields.h"
#include "report.h"

#define GROUPS_SHOWN 100 /* the page and the JSON have the rest */

#define RED "\033[1;31m"
#define YELLOW "\033[1;33m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

struct view {
	FILE *out;
	bool colour;
};

static void colour(const struct view *view, const char *code)
{
	if (view->colour)
		fputs(code, view->out);
}

static unsigned long long count(const json_t *from, const char *path)
{
	uint64_t n = 0;

	mw_field_number(from, path, &n);
	return n;
}

static const char *text(const json_t *from, const char *path)
{
	const char *found = mw_field_text(from, path);

	return found && *found ? found : "unknown";
}

/* 2026-11-23 16:55:46 of 2026-11-23T16:55:46.015960535Z. */
static void moment(const struct view *view, const json_t *from, const char *path)
{
	const char *time = text(from, path);

	if (strlen(time) > 19)
		fprintf(view->out, "%.10s %.8s", time, time + 11);
	else
		fputs(time, view->out);
}

static const char *plural(unsigned long long n)
{
	return n == 1 ? "" : "s";
}

static void span(const struct view *view, const json_t *from)
{
	moment(view, from, "first");
	if (!strcmp(text(from, "first"), text(from, "last")))
		return;
	fputs(" to ", view->out);
	moment(view, from, "last");
}

/* What became of them, the worst first. */
static void outcomes(const struct view *view, const json_t *counts)
{
	unsigned long long observed = count(counts, "observed");
	unsigned long long killed = count(counts, "killed_after_effect");
	unsigned long long prevented = count(counts, "prevented");

	if (observed) {
		colour(view, YELLOW);
		fprintf(view->out, "%llu not prevented", observed);
		colour(view, PLAIN);
		fprintf(view->out, " (mode deny would have stopped %llu)",
		        count(counts, "deny_would_stop"));
	}
	if (killed)
		fprintf(view->out, "%s%llu killed, perhaps too late", observed ? ", " : "", killed);
	if (prevented)
		fprintf(view->out, "%s%llu prevented", observed || killed ? ", " : "", prevented);
	fputc('\n', view->out);
}

static void field(const struct view *view, const char *name)
{
	colour(view, DIM);
	fprintf(view->out, "  %-8s", name);
	colour(view, PLAIN);
}

static void call_line(const struct view *view, const json_t *group)
{
	uint64_t offset;

	field(view, "call");
	fputs(text(group, "call"), view->out);
	if (mw_field_number(group, "offset", &offset))
		fprintf(view->out, " at byte %llu", (unsigned long long)offset);
	if (mw_field_text(group, "model.member"))
		fprintf(view->out, " of %s", text(group, "model.member"));
	fprintf(view->out, ", cause %s\n", text(group, "cause"));
}

static void model_line(const struct view *view, const json_t *group)
{
	field(view, "model");
	fputs(mw_field_text(group, "model.path") ? text(group, "model.path") : "a stream in memory",
	      view->out);
	if (mw_field_text(group, "model.repo"))
		fprintf(view->out, ", %s of %s", text(group, "model.repo"),
		        text(group, "model.hub"));
	fprintf(view->out, " (stream %.16s)\n", text(group, "model.stream_sha256"));
}

static void who_line(const struct view *view, const json_t *group)
{
	const json_t *hosts = mw_field(group, "hosts");
	uint64_t uid;

	field(view, "who");
	fprintf(view->out, "user %s", text(group, "user.name"));
	if (mw_field_number(group, "user.uid", &uid))
		fprintf(view->out, " (%llu)", (unsigned long long)uid);
	if (mw_field(group, "job"))
		fprintf(view->out, ", %s job %s", text(group, "job.kind"), text(group, "job.id"));
	for (size_t i = 0; i < json_array_size(hosts); i++)
		fprintf(view->out, "%s%s", i ? ", " : ", on ",
		        json_string_value(json_array_get(hosts, i)));
	if (json_array_size(hosts) == MW_GROUP_HOSTS)
		fputs(" and perhaps others", view->out);
	fputc('\n', view->out);
}

static void severity(const struct view *view, const json_t *group)
{
	const char *word = text(group, "severity");

	colour(view, !strcmp(word, "critical") ? RED : !strcmp(word, "high") ? YELLOW : "");
	for (; *word; word++)
		fputc(*word - 'a' + 'A', view->out);
	colour(view, PLAIN);
}

static void show_group(const struct view *view, const json_t *group)
{
	unsigned long long n = count(group, "counts.count");

	fputc('\n', view->out);
	severity(view, group);
	fprintf(view->out, "  %llu alert%s: ", n, plural(n));
	outcomes(view, mw_field(group, "counts"));
	fprintf(view->out, "  %s\n", text(group, "title"));
	field(view, "rule");
	fprintf(view->out, "%s asked for %s\n", text(group, "rule"), text(group, "requested"));
	call_line(view, group);
	field(view, "target");
	fprintf(view->out, "%s: %s\n", text(group, "class"), text(group, "target"));
	model_line(view, group);
	who_line(view, group);
	field(view, "when");
	span(view, group);
	fputc('\n', view->out);
	field(view, "more");
	fprintf(view->out, "modelwatch why %s\n", text(group, "alert"));
}

static void show_files(const struct view *view, const json_t *files)
{
	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *file = json_array_get(files, i);
		unsigned long long n = count(file, "unreadable");

		if (n)
			fprintf(view->out, "  %s: %llu unreadable line%s, the first is line %llu\n",
			        text(file, "name"), n, plural(n), count(file, "first_unreadable"));
		if (mw_field(file, "error"))
			fprintf(view->out, "  %s: %s\n", text(file, "name"), text(file, "error"));
	}
}

static void show_losses(const struct view *view, const json_t *model)
{
	const json_t *reasons = mw_field(model, "losses.reasons");
	unsigned long long lost = count(model, "losses.lost");

	if (!count(model, "losses.records"))
		return;
	if (lost)
		fprintf(view->out, "  %llu alert%s lost, never written", lost, plural(lost));
	else
		fputs("  not everything could be seen", view->out);
	for (size_t i = 0; i < json_array_size(reasons); i++)
		fprintf(view->out, "%s%s", i ? "; " : ": ",
		        json_string_value(json_array_get(reasons, i)));
	fputs(" (", view->out);
	span(view, mw_field(model, "losses"));
	fputs(")\n", view->out);
}

/* What was read and is not among the alerts that are shown. */
static void show_rest(const struct view *view, const json_t *model)
{
	const json_t *rest = mw_field(model, "in_no_group");
	unsigned long long other = count(model, "input.other");
	unsigned long long outside = count(model, "input.outside");

	show_losses(view, model);
	show_files(view, mw_field(model, "input.files"));
	if (other)
		fprintf(view->out, "  %llu record%s of another kind, passed over\n", other,
		        plural(other));
	if (outside)
		fprintf(view->out, "  %llu record%s before --since or after --until\n", outside,
		        plural(outside));
	for (size_t i = 0; i < json_array_size(rest); i++) {
		const json_t *one = json_array_get(rest, i);

		fprintf(view->out, "  too many groups: %llu of severity %s are only counted: ",
		        count(one, "count"), text(one, "severity"));
		outcomes(view, one);
	}
}

static void show_summary(const struct view *view, const json_t *model)
{
	unsigned long long alerts = count(model, "totals.count");
	size_t groups = json_array_size(mw_field(model, "groups"));

	if (!alerts) {
		fputs("no alerts\n", view->out);
		return;
	}
	fprintf(view->out, "%llu alert%s in %zu group%s, ", alerts, plural(alerts), groups,
	        plural(groups));
	span(view, mw_field(model, "totals"));
	fputs(" (UTC)\n  ", view->out);
	outcomes(view, mw_field(model, "totals"));
}

int mw_report_text(const json_t *model, bool in_colour, FILE *out)
{
	const struct view view = {out, in_colour};
	const json_t *groups = mw_field(model, "groups");
	size_t n = json_array_size(groups);

	show_summary(&view, model);
	show_rest(&view, model);
	for (size_t i = 0; i < n && i < GROUPS_SHOWN; i++)
		show_group(&view, json_array_get(groups, i));
	if (n > GROUPS_SHOWN)
		fprintf(out, "\nand %zu more groups; --html and --json have them all\n",
		        n - GROUPS_SHOWN);
	return ferror(out) ? -EIO : 0;
}
