/* The daemon's answer for people. */
#include <stdbool.h>
#include <string.h>

#include "fields.h"
#include "status.h"

static unsigned long long count(const json_t *from, const char *path)
{
	uint64_t n = 0;

	mw_field_number(from, path, &n);
	return n;
}

static const char *text(const json_t *from, const char *path)
{
	const char *found = mw_field_text(from, path);

	return found ? found : "-";
}

static void put_uptime(FILE *out, const json_t *status)
{
	double seconds = json_real_value(json_object_get(status, "uptime"));
	unsigned long long s = seconds > 0 ? (unsigned long long)seconds : 0;

	fprintf(out, "modelwatch %s, process %llu, up %llud %lluh %llum %llus\n",
	        text(status, "version"), count(status, "pid"), s / 86400, s / 3600 % 24,
	        s / 60 % 60, s % 60);
}

static void put_losses(FILE *out, const json_t *status)
{
	const char *kind, *between = " ";
	json_t *n, *losses = json_object_get(status, "losses");
	bool any = false;

	fputs("losses       ", out);
	json_object_foreach(losses, kind, n)
	{
		if (!json_integer_value(n))
			continue;
		fprintf(out, "%s%s %lld", between, kind, (long long)json_integer_value(n));
		between = ", ";
		any = true;
	}
	fputs(any ? "\n" : " none\n", out);
}

static void put_hook(FILE *out, const json_t *hook)
{
	const char *why = mw_field_text(hook, "why");

	fprintf(out, "  %-10s %-11s", text(hook, "name"), text(hook, "how"));
	if (why)
		fprintf(out, " %s\n", why);
	else
		fprintf(out, " %10llu seen %8llu sent\n", count(hook, "hits"), count(hook, "sent"));
}

/* A sink's trouble may be in a receiver's words, which the courier has made safe to show. */
static void put_sink(FILE *out, const json_t *sink, const json_t *spooled)
{
	const char *why = text(sink, "why");

	fprintf(out, "  %-10s %-11s %10llu sent %8llu to be sent", text(sink, "name"),
	        text(sink, "type"), count(sink, "sent"), count(spooled, "pending"));
	if (count(spooled, "dead"))
		fprintf(out, " %8llu refused", count(spooled, "dead"));
	fprintf(out, "%s%s\n", *why ? ": " : "", why);
}

/* The one of that name, or NULL. */
static const json_t *named(const json_t *all, const char *name)
{
	for (size_t i = 0; i < json_array_size(all); i++)
		if (!strcmp(text(json_array_get(all, i), "name"), name))
			return json_array_get(all, i);
	return NULL;
}

static void put_courier(FILE *out, const json_t *courier)
{
	const json_t *sinks = json_object_get(courier, "sinks");
	const json_t *spool = json_object_get(courier, "spool");
	const char *why = text(courier, "why");

	if (!json_is_object(courier))
		return;
	fprintf(out, "spool         %s: %llu records, %llu bytes\n", text(spool, "path"),
	        count(spool, "records"), count(spool, "bytes"));
	if (*why)
		fprintf(out, "              %s\n", why);
	fputs(json_array_size(sinks) ? "sinks\n" : "sinks         served by another process\n",
	      out);
	for (size_t i = 0; i < json_array_size(sinks); i++)
		put_sink(out, json_array_get(sinks, i),
		         named(json_object_get(spool, "sinks"),
		               text(json_array_get(sinks, i), "name")));
}

void mw_status_text(FILE *out, const json_t *status)
{
	const char *mode = text(status, "mode"), *asked = text(status, "asked_mode");
	const json_t *hooks = json_object_get(status, "hooks");

	put_uptime(out, status);
	fprintf(out, "mode          %s", mode);
	if (strcmp(mode, asked) != 0)
		fprintf(out, " (%s is asked for)", asked);
	fprintf(out, "\npolicy        %s\nalerts file   %s\n", text(status, "policy_digest"),
	        text(status, "alerts_file"));
	fprintf(out, "interpreters  %llu, in %llu processes; %llu probes, %llu places refused",
	        count(status, "interpreters"), count(status, "processes"), count(status, "sites"),
	        count(status, "refused_sites"));
	if (count(status, "usdt_sites"))
		fprintf(out, "; python:audit in %llu", count(status, "usdt_sites"));
	fputc('\n', out);
	fprintf(out, "seen          %llu loads, %llu effects, %llu alerts\n",
	        count(status, "loads"), count(status, "effects"), count(status, "alerts"));
	put_losses(out, status);
	put_courier(out, json_object_get(status, "courier"));
	fputs("hooks\n", out);
	for (size_t i = 0; i < json_array_size(hooks); i++)
		put_hook(out, json_array_get(hooks, i));
}

static json_t *cost(const json_t *before, const json_t *after, double seconds)
{
	unsigned long long runs = count(after, "cost.runs") - count(before, "cost.runs");
	unsigned long long ns = count(after, "cost.ns") - count(before, "cost.ns");

	return json_pack("{s:s, s:s, s:I, s:f, s:f}", "name", text(after, "name"), "how",
	                 text(after, "how"), "runs", (json_int_t)runs, "ns_per_run",
	                 runs ? (double)ns / (double)runs : 0.0, "percent_of_one_cpu",
	                 (double)ns / seconds / 1e7);
}

json_t *mw_status_overhead(const json_t *before, const json_t *after, double seconds)
{
	const json_t *first = json_object_get(before, "hooks");
	const json_t *second = json_object_get(after, "hooks");
	json_t *all = json_array();

	for (size_t i = 0; all && i < json_array_size(second); i++) {
		const json_t *hook = json_array_get(second, i);

		if (!mw_field_text(hook, "why"))
			json_array_append_new(
			        all, cost(named(first, text(hook, "name")), hook, seconds));
	}
	return all;
}

void mw_status_overhead_text(FILE *out, const json_t *overhead, double seconds)
{
	fprintf(out, "in %.0f seconds:\n", seconds);
	for (size_t i = 0; i < json_array_size(overhead); i++) {
		const json_t *hook = json_array_get(overhead, i);

		fprintf(out, "  %-10s %-11s %10llu runs %8.0f ns each %7.3f%% of one CPU\n",
		        text(hook, "name"), text(hook, "how"), count(hook, "runs"),
		        json_real_value(json_object_get(hook, "ns_per_run")),
		        json_real_value(json_object_get(hook, "percent_of_one_cpu")));
	}
}
