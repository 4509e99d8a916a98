#include "daemon_merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert_parts.h"
#include "daemon_alone.h"
#include "daemon_evasion.h"
#include "daemon_known.h"
#include "daemon_trees.h"
#include "fields.h"

struct mw_merge {
	struct mw_merge_sinks sinks;
	char policy[MW_MESSAGE_DIGEST];
	struct mw_merge_counters count;
	int64_t due; /* when there is something to do next; INT64_MAX: nothing is remembered */
	struct mw_losers losers;
	struct mw_trees trees;
	struct mw_known known;
};

static void write_to(void *context, json_t *alert)
{
	mw_alerts_write(context, alert);
}

static int amend_at(void *context, struct mw_str id, mw_alert_change *change, void *change_context)
{
	return mw_alerts_amend(context, id, change, change_context);
}

struct mw_merge_sinks mw_merge_alerts(struct mw_alerts *alerts)
{
	return (struct mw_merge_sinks){alerts, write_to, amend_at};
}

int mw_merge_open(const struct mw_merge_sinks *sinks, const char *policy_digest,
                  struct mw_merge **ret)
{
	struct mw_merge *merge = calloc(1, sizeof(*merge));

	if (!merge)
		return -ENOMEM;
	merge->sinks = *sinks;
	merge->due = INT64_MAX;
	mw_merge_policy(merge, policy_digest);
	*ret = merge;
	return 0;
}

void mw_merge_policy(struct mw_merge *merge, const char *policy_digest)
{
	snprintf(merge->policy, sizeof(merge->policy), "%s", policy_digest);
}

int mw_merge_supervise(struct mw_merge *merge, const struct mw_supervisor *supervisor)
{
	return mw_trees_add(&merge->trees, supervisor);
}

void mw_merge_leave(struct mw_merge *merge, int tree)
{
	mw_trees_remove(&merge->trees, tree);
}

const struct mw_merge_counters *mw_merge_count(const struct mw_merge *merge)
{
	return &merge->count;
}

void mw_merge_lost(struct mw_merge *merge, uid_t uid, uint64_t lost, const char *reason,
                   int64_t now)
{
	json_t *loss = lost ? mw_alone_loss(uid, lost, reason) : NULL;

	mw_losers_add(&merge->losers, uid, now);
	if (loss)
		merge->sinks.write(merge->sinks.context, loss);
}

/* Names the report in an alert of the kernel. True when that is news. */
static bool name_it(void *context, json_t *alert)
{
	const struct mw_known_report *report = context;
	json_t *reports = json_object_get(alert, "reports");
	bool news = true;

	for (size_t i = 0; i < json_array_size(reports); i++)
		if (!strcmp(json_string_value(json_array_get(reports, i)), report->id))
			news = false;
	if (news)
		json_array_append_new(reports, json_string(report->id));
	for (int s = 0; s < MW_SENSOR_COUNT; s++)
		if (report->sensors >> s & 1)
			news |= mw_alert_json_seen(alert, (enum mw_sensor)s);
	return news;
}

static void plan(struct mw_merge *merge, int64_t at)
{
	if (at < merge->due)
		merge->due = at;
}

static void set_merged(struct mw_merge *merge, struct mw_known_report *report)
{
	report->merged = true;
	json_decref(report->alert);
	report->alert = NULL;
	merge->count.merged++;
}

static void let_go(struct mw_merge *merge, struct mw_known_effect *effect)
{
	json_t *alert = effect->alert;

	effect->alert = NULL;
	merge->known.held--;
	merge->sinks.write(merge->sinks.context, alert);
}

/* Of the reports that fit the first that no alert names yet; or, with `again`, any. */
static struct mw_known_report *report_about(struct mw_merge *merge,
                                            const struct mw_known_effect *effect, bool again)
{
	struct mw_known_report *best = NULL;

	for (size_t i = 0; i < MW_KNOWN_REPORTS; i++) {
		struct mw_known_report *report = &merge->known.report[i];

		if (!mw_known_match(report, effect) || report->merged != again)
			continue;
		if (!best || (report->number < best->number) != again)
			best = report;
	}
	return best;
}

/* The time is up: what should have been announced has not been. */
static void decide(struct mw_merge *merge, struct mw_known_effect *effect, int64_t now)
{
	struct mw_known_report *report = report_about(merge, effect, true);

	if (report) {
		name_it(report, effect->alert);
		effect->named = true;
		merge->count.merged++;
	} else if (effect->claim && !mw_losers_has(&merge->losers, effect->uid, now)) {
		json_object_set_new(effect->alert, "evasion", json_true());
		mw_alert_json_severity(effect->alert);
		merge->count.evasion++;
	}
	let_go(merge, effect);
}

static struct mw_known_effect *remember(struct mw_merge *merge,
                                        const struct mw_merge_effect *effect, const json_t *alert,
                                        const struct mw_member *who, bool gone, int64_t now)
{
	const char *targets[] = {effect->target, effect->file, effect->target2, effect->file2};
	const char *id = mw_field_text(alert, "id");
	struct mw_known_effect *known = mw_known_effect_place(&merge->known);

	if (!id || mw_keys_set(&known->keys, effect->class, "", targets, MW_MESSAGE_TARGETS))
		return NULL;
	snprintf(known->id, sizeof(known->id), "%s", id);
	known->uid = effect->uid;
	known->who = *who;
	known->gone = gone;
	known->at = now;
	plan(merge, now + MW_MERGE_KEPT_MS);
	return known;
}

/* Keeps it back, if there is room. */
static bool hold(struct mw_merge *merge, struct mw_known_effect *known, json_t *alert, int64_t now)
{
	struct mw_known_report *again;

	if (merge->known.held < MW_MERGE_HELD) {
		known->alert = json_incref(alert);
		known->deadline = now + MW_MERGE_PATIENCE_MS;
		plan(merge, known->deadline);
		merge->known.held++;
		return true;
	}
	again = report_about(merge, known, true);
	if (again)
		name_it(again, alert);
	known->named = again != NULL;
	merge->count.hurried++;
	return false;
}

bool mw_merge_kernel(struct mw_merge *merge, const struct mw_merge_effect *effect, json_t *alert,
                     int64_t now)
{
	struct mw_member who;
	int tree;
	struct mw_known_effect *known;
	struct mw_known_report *report;

	if (!merge->trees.count)
		return false;
	tree = mw_trees_find(&merge->trees, effect->pid, effect->start, effect->uid, &who);
	if (tree == MW_TREE_NONE ||
	    (tree == MW_TREE_GONE && !mw_trees_any(&merge->trees, effect->uid)))
		return false;
	known = remember(merge, effect, alert, &who, tree == MW_TREE_GONE, now);
	if (!known)
		return false;
	report = report_about(merge, known, false);
	if (report) {
		name_it(report, alert);
		known->named = true;
		set_merged(merge, report);
		return false;
	}
	known->claim = tree >= 0 &&
	               mw_evasion_recorded(merge->trees.tree[tree], merge->policy, alert) &&
	               mw_evasion_shim(effect, &who);
	return hold(merge, known, alert, now);
}

/* Writes a report by itself; again when it was before. */
static void write_alone(struct mw_merge *merge, struct mw_known_report *report, json_t *alert)
{
	if (report->own_id[0]) {
		report->update++;
	} else {
		mw_alert_stamp(report->own_id, report->time);
		merge->count.alone++;
	}
	mw_alone_finish(alert, report->own_id, report->time, report->update, report->id);
	merge->sinks.write(merge->sinks.context, alert);
}

static void stop_waiting(struct mw_merge *merge, struct mw_known_report *report)
{
	json_t *alert = report->alert;

	report->alert = NULL;
	if (alert)
		write_alone(merge, report, alert);
}

static void take_in(struct mw_merge *merge, struct mw_known_report *known,
                    const struct mw_message *report, uid_t uid, const struct mw_member *who)
{
	*known = (struct mw_known_report){
	        .number = ++merge->known.last,
	        .uid = uid,
	        .who = *who,
	        .keys = known->keys,
	        .sensors = report->sensors,
	        .happened = report->outcome != MW_PREVENTED,
	};
	memcpy(known->id, report->id, sizeof(known->id));
}

/* The oldest effect that waits for such a report or, with `late`, has just been written without. */
static struct mw_known_effect *effect_of(struct mw_merge *merge,
                                         const struct mw_known_report *report, bool late)
{
	for (size_t i = 0; i < MW_KNOWN_SEEN; i++) {
		struct mw_known_effect *effect =
		        &merge->known.effect[(merge->known.next_effect + i) % MW_KNOWN_SEEN];
		bool fits = late ? !effect->alert && !effect->named &&
		                            report->at - effect->at < MW_MERGE_KERNEL_MS
		                 : effect->alert != NULL;

		if (fits && effect->id[0] && mw_known_match(report, effect))
			return effect;
	}
	return NULL;
}

/* Names the report in the kernel's alert about the same effect. Returns whether there is one. */
static bool name_in_effect(struct mw_merge *merge, struct mw_known_report *report)
{
	struct mw_known_effect *effect = effect_of(merge, report, false);
	struct mw_str id;

	if (effect) {
		name_it(report, effect->alert);
		effect->named = true;
		let_go(merge, effect);
		return true;
	}
	effect = effect_of(merge, report, true);
	if (!effect)
		return false;
	id = (struct mw_str){effect->id, (uint32_t)strlen(effect->id)};
	effect->named = !merge->sinks.amend(merge->sinks.context, id, name_it, report);
	return effect->named;
}

/* What the kernel does not see, or did not because it was prevented, waits for nothing. */
static bool kernel_may_see(const struct mw_known_report *report)
{
	return report->happened && report->keys.class != MW_CODE && report->keys.class != MW_LIMIT;
}

static int update(struct mw_merge *merge, struct mw_known_report *known, struct mw_message *report)
{
	json_t *alert = report->alert;

	if (known->who.pid != report->pid)
		return -EACCES;
	known->sensors |= report->sensors;
	if (known->merged)
		return 0;
	if (mw_alone_identify(alert, &known->who, report->tid, known->uid))
		return -EACCES;
	report->alert = NULL;
	if (known->alert) {
		json_decref(known->alert);
		known->alert = alert;
	} else {
		write_alone(merge, known, alert);
	}
	return 0;
}

static int add(struct mw_merge *merge, const struct mw_member *who, uid_t uid,
               struct mw_message *report, int64_t now)
{
	struct mw_known_report *known = mw_known_place(&merge->known, uid);

	if (known->number) {
		stop_waiting(merge, known);
		mw_known_forget(known);
		merge->count.forgotten++;
	}
	if (mw_alone_identify(report->alert, who, report->tid, uid))
		return -EACCES;
	if (mw_keys_set(&known->keys, report->class, report->op, report->target,
	                report->target_count))
		return -ENOMEM;
	take_in(merge, known, report, uid, who);
	known->at = now;
	known->deadline = now + MW_MERGE_KERNEL_MS;
	known->alert = report->alert;
	report->alert = NULL;
	plan(merge, now + MW_MERGE_KEPT_MS);
	if (name_in_effect(merge, known))
		set_merged(merge, known);
	else if (!kernel_may_see(known))
		stop_waiting(merge, known);
	else
		plan(merge, known->deadline);
	return 0;
}

int mw_merge_report(struct mw_merge *merge, int tree, struct mw_message *report, int64_t now)
{
	uid_t uid = merge->trees.tree[tree]->uid;
	struct mw_known_report *known = mw_known_find(&merge->known, uid, report->id);
	struct mw_member who = {0};
	int error = mw_trees_check(&merge->trees, tree, report->pid, &who);

	/* What one who has ended has said before must not be lost: he gets no more than his pid. */
	if (error == -ESRCH)
		error = 0;
	if (!error)
		error = known ? update(merge, known, report) : add(merge, &who, uid, report, now);
	mw_message_free(report);
	return error;
}

static void tend_effect(struct mw_merge *merge, struct mw_known_effect *effect, int64_t now)
{
	if (effect->alert && now >= effect->deadline)
		decide(merge, effect, now);
	else if (!effect->alert && now - effect->at >= MW_MERGE_KEPT_MS)
		mw_known_effect_forget(effect);
	if (effect->id[0])
		plan(merge, effect->alert ? effect->deadline : effect->at + MW_MERGE_KEPT_MS);
}

static void tend_report(struct mw_merge *merge, struct mw_known_report *report, int64_t now)
{
	if (report->alert && now >= report->deadline)
		stop_waiting(merge, report);
	if (now - report->at >= MW_MERGE_KEPT_MS)
		mw_known_forget(report);
	if (report->number)
		plan(merge, report->alert ? report->deadline : report->at + MW_MERGE_KEPT_MS);
}

void mw_merge_tick(struct mw_merge *merge, int64_t now)
{
	if (now < merge->due)
		return;
	merge->due = INT64_MAX;
	for (size_t i = 0; i < MW_KNOWN_SEEN; i++)
		if (merge->known.effect[i].id[0])
			tend_effect(merge, &merge->known.effect[i], now);
	for (size_t i = 0; i < MW_KNOWN_REPORTS; i++)
		if (merge->known.report[i].number)
			tend_report(merge, &merge->known.report[i], now);
}

int mw_merge_wait(const struct mw_merge *merge, int64_t now)
{
	if (merge->due == INT64_MAX)
		return -1;
	return merge->due > now ? (int)(merge->due - now) : 0;
}

void mw_merge_close(struct mw_merge *merge)
{
	if (!merge)
		return;
	for (size_t i = 0; i < MW_KNOWN_SEEN; i++) {
		if (merge->known.effect[i].alert)
			let_go(merge, &merge->known.effect[i]);
		mw_known_effect_forget(&merge->known.effect[i]);
	}
	for (size_t i = 0; i < MW_KNOWN_REPORTS; i++) {
		stop_waiting(merge, &merge->known.report[i]);
		mw_known_forget(&merge->known.report[i]);
	}
	mw_trees_clear(&merge->trees);
	free(merge);
}
