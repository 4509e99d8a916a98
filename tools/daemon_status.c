#include "daemon_status.h"

#include <unistd.h>

#include "../core/words.h"
#include "alert_parts.h"
#include "daemon_losses.h"
#include "identity.h"
#include "when.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *when(int64_t time)
{
	char text[MW_WHEN_TEXT];

	if (time <= 0)
		return json_null();
	mw_when_text(time, text);
	return json_string(text);
}

/* Null while the kernel keeps no statistics. */
static json_t *cost(const struct mw_engine_hook *hook)
{
	if (!hook->run_count)
		return json_null();
	return json_pack("{s:I, s:I}", "runs", (json_int_t)hook->run_count, "ns",
	                 (json_int_t)hook->run_ns);
}

static json_t *lost_of(const struct mw_engine_hook *hook)
{
	json_t *lost = json_object();

	for (int kind = 0; kind < MW_LOSS_KINDS; kind++) {
		uint64_t count = mw_loss_of_hook(hook, (enum mw_loss_kind)kind);

		if (count)
			json_object_set_new(lost, mw_loss_name((enum mw_loss_kind)kind),
			                    number(count));
	}
	return lost;
}

static json_t *hooks(const struct mw_engine_view *view)
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < view->hooks; i++) {
		const struct mw_engine_hook *hook = &view->hook[i];

		json_array_append_new(all, json_pack("{s:s, s:s, s:s?, s:I, s:I, s:o, s:o}", "name",
		                                     hook->name, "how", hook->how, "why", hook->why,
		                                     "hits", (json_int_t)hook->count[MW_K_HITS],
		                                     "sent", (json_int_t)hook->count[MW_K_SENT],
		                                     "lost", lost_of(hook), "cost", cost(hook)));
	}
	return all;
}

static json_t *losses(const struct mw_engine_view *view)
{
	json_t *all = json_object();

	for (int kind = 0; kind < MW_LOSS_KINDS; kind++)
		json_object_set_new(all, mw_loss_name((enum mw_loss_kind)kind),
		                    number(mw_loss_count(view, (enum mw_loss_kind)kind)));
	return all;
}

static void add_counts(json_t *out, const struct mw_engine_view *view)
{
	const struct {
		const char *name;
		uint64_t count;
	} counts[] = {
	        {"interpreters", view->interpreters},
	        {"processes", view->processes},
	        {"sites", view->sites},
	        {"refused_sites", view->refused_sites},
	        {"usdt_sites", view->usdt_sites},
	        {"loads", view->loads},
	        {"effects", view->effects},
	        {"alerts", view->alerts},
	        {"reports", view->reports},
	        {"reports_refused", view->reports_refused},
	        {"identity_missing", view->identity_missing},
	        {"runtimes_failed", view->runtimes_failed},
	        {"inventory_records", view->inventory_records},
	        {"inventory_hung", view->inventory_hung},
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		json_object_set_new(out, counts[i].name, number(counts[i].count));
}

json_t *mw_daemon_status(const struct mw_daemon_facts *facts, int64_t now)
{
	json_t *out = json_pack("{s:s, s:s, s:i, s:o, s:o, s:f, s:s, s:s, s:s?, s:s?}", "schema",
	                        "modelwatch.status/1", "version", MW_VERSION, "pid", (int)getpid(),
	                        "started", when(facts->started), "reloaded", when(facts->reloaded),
	                        "uptime", (double)(now - facts->started) / 1e9, "mode",
	                        mw_verdict_name((enum mw_verdict)facts->mode), "asked_mode",
	                        mw_verdict_name((enum mw_verdict)facts->asked), "policy_digest",
	                        facts->policy_digest, "alerts_file", facts->alerts_path);

	if (!out)
		return NULL;
	add_counts(out, &facts->view);
	json_object_set_new(out, "losses", losses(&facts->view));
	json_object_set_new(out, "hooks", hooks(&facts->view));
	json_object_set_new(out, "courier",
	                    facts->courier ? json_deep_copy(facts->courier) : json_null());
	return out;
}

/* How each place in the kernel is looked from; null: it is not. */
static json_t *rung(const struct mw_engine_view *view)
{
	json_t *all = json_object();

	for (unsigned int i = 0; i < view->hooks; i++)
		json_object_set_new(all, view->hook[i].name,
		                    view->hook[i].why ? json_null()
		                                      : json_string(view->hook[i].how));
	return all;
}

json_t *mw_daemon_heartbeat(const struct mw_daemon_facts *facts, int64_t now, bool ends)
{
	char id[40], time[40];
	json_t *out;

	mw_alert_stamp(id, time);
	out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:s, s:s, s:s, s:o, s:o, s:o}", "schema",
	                "modelwatch.heartbeat/1", "id", id, "time", time, "version", MW_VERSION,
	                "state", ends ? "stopping" : "running", "uptime",
	                (double)(now - facts->started) / 1e9, "mode",
	                mw_verdict_name((enum mw_verdict)facts->mode), "asked_mode",
	                mw_verdict_name((enum mw_verdict)facts->asked), "policy_digest",
	                facts->policy_digest, "host", mw_identity_host(), "rung",
	                rung(&facts->view), "losses", losses(&facts->view));
	if (out)
		add_counts(out, &facts->view);
	json_object_del(out, "reports"); /* alerts have a list by that name */
	return out;
}
