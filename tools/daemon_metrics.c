#include "daemon_metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon_losses.h"

#define PREFIX "modelwatch_"

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void one(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
	head(out, name, type, help);
	fprintf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

/* As the format wants the value of a label. */
static void quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void put_alerts(FILE *out, const struct mw_tally *tally)
{
	head(out, "alerts_total", "counter", "Alerts written.");
	for (size_t i = 0; i < tally->count; i++) {
		const struct mw_tally_row *row = &tally->row[i];

		fputs(PREFIX "alerts_total{rule=", out);
		quoted(out, row->rule);
		fprintf(out, ",severity=\"%s\",action=\"%s\"} %" PRIu64 "\n",
		        mw_severity_name(row->severity), mw_verdict_name(row->verdict), row->count);
	}
}

static void put_lost(FILE *out, const struct mw_engine_view *view)
{
	static const struct {
		const char *stage;
		enum mw_loss_kind kind;
	} stages[] = {{"ringbuf", MW_LOST_RING_FULL}, {"scratch", MW_LOST_NO_SCRATCH}};

	head(out, "events_lost_total", "counter", "Effects that were seen in the kernel and lost.");
	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++)
		for (unsigned int k = 0; k < view->hooks; k++)
			fprintf(out,
			        PREFIX "events_lost_total{stage=\"%s\",hook=\"%s\"} %" PRIu64 "\n",
			        stages[i].stage, view->hook[k].name,
			        mw_loss_of_hook(&view->hook[k], stages[i].kind));
}

static void put_by_hook(FILE *out, const struct mw_engine_view *view, const char *name,
                        const char *help, enum mw_k_counter counter)
{
	head(out, name, "counter", help);
	for (unsigned int i = 0; i < view->hooks; i++)
		fprintf(out, PREFIX "%s{hook=\"%s\"} %" PRIu64 "\n", name, view->hook[i].name,
		        view->hook[i].count[counter]);
}

static void put_hooks(FILE *out, const struct mw_engine_view *view)
{
	head(out, "hook_enabled", "gauge", "Whether this place in the kernel is looked from.");
	for (unsigned int i = 0; i < view->hooks; i++)
		fprintf(out, PREFIX "hook_enabled{hook=\"%s\"} %d\n", view->hook[i].name,
		        view->hook[i].why ? 0 : 1);
	head(out, "bpf_program_run_seconds_total", "counter",
	     "Time in programs in the kernel; counted while kernel.bpf_stats_enabled is 1.");
	for (unsigned int i = 0; i < view->hooks; i++)
		fprintf(out, PREFIX "bpf_program_run_seconds_total{hook=\"%s\"} %.9f\n",
		        view->hook[i].name, (double)view->hook[i].run_ns / 1e9);
	head(out, "bpf_program_runs_total", "counter",
	     "Runs of programs in the kernel; counted while kernel.bpf_stats_enabled is 1.");
	for (unsigned int i = 0; i < view->hooks; i++)
		fprintf(out, PREFIX "bpf_program_runs_total{hook=\"%s\"} %" PRIu64 "\n",
		        view->hook[i].name, view->hook[i].run_count);
}

static void put_counts(FILE *out, const struct mw_engine_view *view)
{
	one(out, "deserializations_total", "counter", "Loads seen.", view->loads);
	one(out, "effects_total", "counter", "Effects of loads seen.", view->effects);
	one(out, "interpreters", "gauge", "Interpreter files with probes in them.",
	    view->interpreters);
	one(out, "interpreter_processes", "gauge", "Processes that run such a file.",
	    view->processes);
	one(out, "probe_sites", "gauge", "Places with a probe.", view->sites);
	one(out, "probe_sites_refused", "gauge",
	    "Places where a probe would do harm, or that the kernel refuses.", view->refused_sites);
	one(out, "probe_sites_usdt", "gauge", "Places with a probe on python:audit.",
	    view->usdt_sites);
	one(out, "reports_total", "counter", "Reports taken from shims.", view->reports);
	one(out, "reports_refused_total", "counter", "Reports of shims refused.",
	    view->reports_refused);
	one(out, "identity_missing_total", "counter", "Names of pods and images not to be had.",
	    view->identity_missing);
	one(out, "runtimes_failed_total", "counter",
	    "Containers that their runtime was asked about and did not tell of.",
	    view->runtimes_failed);
	one(out, "inventory_records_total", "counter", "Records of the inventory.",
	    view->inventory_records);
	one(out, "inventory_lost_total", "counter", "Loads that are in no record of the inventory.",
	    view->inventory_lost);
	one(out, "inventory_hung_total", "counter",
	    "Files and processes that hung who keeps the inventory.", view->inventory_hung);
	one(out, "events_broken_total", "counter", "Events of the kernel that made no sense.",
	    view->events_broken);
	one(out, "mappings_lost_total", "counter", "News of mapped files lost.",
	    view->mappings_lost);
	head(out, "stack_unwind_failures_total", "counter", "Stacks not unwound to their end.");
	fprintf(out, PREFIX "stack_unwind_failures_total{kind=\"native\"} %" PRIu64 "\n",
	        view->unwind_failed);
}

static uint64_t field(const json_t *from, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(from, name));
}

static void put_spool(FILE *out, const json_t *spool)
{
	static const struct {
		const char *field, *name, *type, *help;
	} rows[] = {
	        {"records", "spool_records", "gauge", "Records that are kept."},
	        {"bytes", "spool_bytes", "gauge", "Bytes of records that are kept."},
	        {"added", "spool_added_total", "counter", "Records taken."},
	        {"grouped", "spool_grouped_total", "counter", "Records told by a count."},
	        {"limited", "spool_limited_total", "counter", "Findings above their rate."},
	        {"evicted", "spool_evicted_total", "counter", "Records that had to leave."},
	        {"refused", "spool_refused_total", "counter", "Records of no known kind."},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		one(out, rows[i].name, rows[i].type, rows[i].help, field(spool, rows[i].field));
}

static double seconds(const json_t *from, const char *name)
{
	return (double)json_integer_value(json_object_get(from, name)) / 1e9;
}

static void put_sink(FILE *out, const char *name, const json_t *sink)
{
	fprintf(out, PREFIX "%s{sink=", name);
	quoted(out, json_string_value(json_object_get(sink, "name")) ?: "");
	fputs("} ", out);
}

static void put_sinks(FILE *out, const json_t *sinks, const char *from, const char *name,
                      const char *type, const char *help)
{
	const json_t *sink;
	size_t i;

	head(out, name, type, help);
	json_array_foreach(sinks, i, sink)
	{
		put_sink(out, name, sink);
		fprintf(out, "%" PRIu64 "\n", field(sink, from));
	}
}

static void put_successes(FILE *out, const json_t *sinks)
{
	const char *name = "sink_last_success_timestamp_seconds";
	const json_t *sink;
	size_t i;

	head(out, name, "gauge",
	     "When a sink took a record last, in seconds since 1970; 0: never.");
	json_array_foreach(sinks, i, sink)
	{
		put_sink(out, name, sink);
		fprintf(out, "%.3f\n", seconds(sink, "last_success"));
	}
}

/* As the courier told it last. */
static void put_courier(FILE *out, const json_t *courier)
{
	const json_t *spool = json_object_get(courier, "spool");
	const json_t *sinks = json_object_get(courier, "sinks");

	if (json_is_object(spool)) {
		put_spool(out, spool);
		head(out, "spool_oldest_timestamp_seconds", "gauge",
		     "Time of the oldest record that is kept, in seconds since 1970; 0: none is.");
		fprintf(out, PREFIX "spool_oldest_timestamp_seconds %.3f\n",
		        seconds(spool, "oldest"));
		put_sinks(out, json_object_get(spool, "sinks"), "pending", "sink_pending", "gauge",
		          "Records that a sink has yet to get.");
	}
	if (!json_array_size(sinks))
		return;
	put_sinks(out, sinks, "sent", "sink_sent_total", "counter", "Records that a sink has.");
	put_sinks(out, sinks, "refused", "sink_refused_total", "counter",
	          "Records that a sink will never take.");
	put_sinks(out, sinks, "errors", "sink_errors_total", "counter", "Tries that failed.");
	put_successes(out, sinks);
}

static void put_all(FILE *out, const struct mw_daemon_facts *facts)
{
	const struct mw_engine_view *view = &facts->view;

	head(out, "build_info", "gauge", "The version of modelwatch.");
	fputs(PREFIX "build_info{version=\"" MW_VERSION "\"} 1\n", out);
	head(out, "start_time_seconds", "gauge", "When the daemon started, in seconds since 1970.");
	fprintf(out, PREFIX "start_time_seconds %.3f\n", (double)facts->started / 1e9);
	put_counts(out, view);
	put_alerts(out, facts->tally);
	put_by_hook(out, view, "hook_hits_total", "Times that a hook looked at a task.", MW_K_HITS);
	put_by_hook(out, view, "events_total", "Effects sent by the kernel.", MW_K_SENT);
	put_lost(out, view);
	put_by_hook(out, view, "map_full_total", "Tasks that could not be kept track of.",
	            MW_K_MAP_FULL);
	put_by_hook(out, view, "user_read_failures_total",
	            "Memory of a process that could not be read.", MW_K_USER_READ);
	put_by_hook(out, view, "loads_too_deep_total", "Loads nested deeper than is told apart.",
	            MW_K_TOO_DEEP);
	put_hooks(out, view);
	put_courier(out, facts->courier);
}

int mw_metrics_text(const struct mw_daemon_facts *facts, char **ret, size_t *ret_len)
{
	FILE *out = open_memstream(ret, ret_len);

	if (!out)
		return -ENOMEM;
	put_all(out, facts);
	if (!fclose(out))
		return 0;
	free(*ret);
	return -ENOMEM;
}
