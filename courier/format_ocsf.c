/* OCSF Detection Finding (class 2004). What a version does not know, it is not given:
 * docs/formats.md has the table. `metadata` comes last, when it is known what was left out. */
#include <string.h>

#include "format_parts.h"

#define CLASS 2004

enum activity { CREATE = 1, UPDATE = 2, OTHER = 99 };

/* It tells what is, and of nothing that anybody has to look into. */
static bool is_news_of_nothing(const struct mw_view *view)
{
	return view->kind == MW_RECORD_HEARTBEAT || view->kind == MW_RECORD_INVENTORY;
}

static const char *other_name(const struct mw_view *view, bool with_class)
{
	if (view->kind == MW_RECORD_INVENTORY)
		return with_class ? "Detection Finding: Inventory" : "Inventory";
	return with_class ? "Detection Finding: Heartbeat" : "Heartbeat";
}

static enum activity activity_of(const struct mw_view *view)
{
	if (is_news_of_nothing(view))
		return OTHER;
	return view->update ? UPDATE : CREATE;
}

static void class(struct mw_writer *w, const struct mw_view *view)
{
	enum activity activity = activity_of(view);
	bool other = activity == OTHER, update = activity == UPDATE;

	mw_write_number(w, "activity_id", activity);
	mw_write_word(w, "activity_name",
	              other    ? other_name(view, false)
	              : update ? "Update"
	                       : "Create");
	mw_write_number(w, "category_uid", 2);
	mw_write_word(w, "category_name", "Findings");
	mw_write_number(w, "class_uid", CLASS);
	mw_write_word(w, "class_name", "Detection Finding");
	mw_write_number(w, "type_uid", CLASS * 100 + activity);
	mw_write_word(w, "type_name",
	              other    ? other_name(view, true)
	              : update ? "Detection Finding: Update"
	                       : "Detection Finding: Create");
}

static void severity(struct mw_writer *w, const struct mw_view *view)
{
	static const char *const names[] = {
	        [MW_INFO] = "Informational", [MW_LOW] = "Low",           [MW_MEDIUM] = "Medium",
	        [MW_HIGH] = "High",          [MW_CRITICAL] = "Critical",
	};

	mw_write_number(w, "severity_id", view->severity < 0 ? 0 : view->severity + 1);
	mw_write_word(w, "severity", view->severity < 0 ? "Unknown" : names[view->severity]);
}

/* The stream's own call and native code are caught in the act; else who acts is concluded. */
static void confidence(struct mw_writer *w, const struct mw_view *view)
{
	bool high = view->cause == MW_BY_CALL || view->cause == MW_BY_NATIVE;

	if (view->kind != MW_RECORD_ALERT)
		return;
	mw_write_number(w, "confidence_id", high ? 3 : 2);
	mw_write_word(w, "confidence", high ? "High" : "Medium");
}

static void said(struct mw_writer *w, int action, const char *action_name, int disposition,
                 const char *disposition_name)
{
	mw_write_number(w, "action_id", action);
	mw_write_word(w, "action", action_name);
	mw_write_number(w, "disposition_id", disposition);
	mw_write_word(w, "disposition", disposition_name);
}

/* Before 1.5 there is no action "Observed". */
static void action(struct mw_writer *w, const struct mw_view *view)
{
	bool observed = view->ocsf >= MW_OCSF_1_5;
	int id = observed ? 3 : 1;
	const char *name = observed ? "Observed" : "Allowed";

	if (view->kind == MW_RECORD_LOSS)
		said(w, 0, "Unknown", 27, "Error");
	else if (is_news_of_nothing(view))
		said(w, 0, "Unknown", 16, "No Action");
	else if (view->outcome == MW_PREVENTED)
		said(w, 2, "Denied", 2, "Blocked");
	else if (view->outcome == MW_KILLED_AFTER_EFFECT)
		said(w, id, name, 12, "Partially Corrected");
	else if (view->verdict == MW_OBSERVE)
		said(w, id, name, 17, "Logged");
	else
		said(w, id, name, 19, "Alert");
}

static void times(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_number(w, "time", mw_ms(view->last));
	mw_write_number(w, "start_time", mw_ms(view->first));
	mw_write_number(w, "end_time", mw_ms(view->last));
	mw_write_number(w, "timezone_offset", 0);
	mw_write_number(w, "count", (int64_t)view->count);
}

static void attacks(struct mw_writer *w, const struct mw_view *view)
{
	const struct mw_technique *technique;

	if (!view->techniques || !mw_has(view, MW_PART_ATTACKS))
		return;
	mw_write_open(w, "attacks", '[');
	for (unsigned int bit = 0; (technique = mw_technique(bit)); bit++)
		if (view->techniques >> bit & 1)
			mw_write_raw_member(w, NULL, technique->ocsf);
	mw_write_close(w, ']');
}

static void analytic(struct mw_writer *w, const struct mw_view *view)
{
	if (!view->rule.s)
		return;
	mw_write_open(w, "analytic", '{');
	mw_write_number(w, "type_id", 1);
	mw_write_word(w, "type", "Rule");
	mw_write_text(w, "name", view->rule);
	mw_write_text(w, "uid", view->rule);
	mw_write_close(w, '}');
}

static const char *type_of(const struct mw_view *view)
{
	switch (view->kind) {
	case MW_RECORD_LOSS:
		return "loss";
	case MW_RECORD_HEARTBEAT:
		return "heartbeat";
	case MW_RECORD_INVENTORY:
		return "inventory";
	case MW_RECORD_ALERT:
	case MW_RECORD_KINDS:
		break;
	}
	return "unsafe-deserialization";
}

static void finding(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, "finding_info", '{');
	mw_write_text(w, "uid", view->id);
	if (view->ocsf >= MW_OCSF_1_5)
		mw_write_text(w, "uid_alt", view->key);
	mw_write_shown(w, "title", view->title);
	mw_write_open(w, "types", '[');
	mw_write_word(w, NULL, type_of(view));
	if (view->class >= 0)
		mw_write_word(w, NULL, mw_class_name((enum mw_class)view->class));
	mw_write_close(w, ']');
	mw_write_number(w, "created_time", mw_ms(view->first));
	mw_write_number(w, "first_seen_time", mw_ms(view->first));
	mw_write_number(w, "last_seen_time", mw_ms(view->last));
	if (view->update)
		mw_write_number(w, "modified_time", mw_ms(view->last));
	mw_write_word(w, "product_uid", "modelwatch");
	mw_write_from(w, "data_sources", view->emission->record, "seen_by");
	analytic(w, view);
	attacks(w, view);
	mw_write_close(w, '}');
}

static void device(struct mw_writer *w, const struct mw_view *view)
{
	bool exact = view->ocsf >= MW_OCSF_1_5;

	if (!view->host_name.s)
		return;
	mw_write_open(w, "device", '{');
	mw_write_number(w, "type_id", 0);
	mw_write_word(w, "type", "Unknown");
	mw_write_text(w, "hostname", view->host_name);
	if (exact)
		mw_write_text(w, "boot_uid", mw_text_of(view->host, "boot_id"));
	mw_write_open(w, "os", '{');
	mw_write_word(w, "name", "Linux");
	mw_write_number(w, "type_id", 200);
	mw_write_word(w, "type", "Linux");
	mw_write_text(w, exact ? "kernel_release" : "version", mw_text_of(view->host, "kernel"));
	mw_write_close(w, '}');
	mw_write_close(w, '}');
}

static void resources(struct mw_writer *w, const struct mw_view *view)
{
	if (!mw_text_of(view->model, "repo").s || !mw_has(view, MW_PART_EVIDENCE))
		return;
	mw_write_open(w, "resources", '[');
	mw_write_open(w, NULL, '{');
	mw_write_word(w, "type", "ai_model");
	mw_write_text(w, "name", mw_text_of(view->model, "repo"));
	mw_write_text(w, "version", mw_text_of(view->model, "revision"));
	mw_write_text(w, "namespace", mw_text_of(view->model, "hub"));
	mw_write_close(w, '}');
	mw_write_close(w, ']');
}

static void policy(struct mw_writer *w, const struct mw_view *view)
{
	if (!view->digest.s || view->ocsf < MW_OCSF_1_5)
		return;
	mw_write_open(w, "policy", '{');
	mw_write_text(w, "uid", view->digest);
	mw_write_bool(w, "is_applied", true);
	mw_write_close(w, '}');
}

/* Members that the class has no place for. */
static void unmapped(struct mw_writer *w, const struct mw_view *view)
{
	static const char *const names[] = {
	        "verdict", "requested", "mode",   "outcome", "sensor",  "evasion",
	        "cause",   "reporter",  "policy", "labels",  "reports",
	};
	size_t spared = !mw_has(view, MW_PART_EVIDENCE)  ? 3
	                : !mw_has(view, MW_PART_DETAILS) ? 2
	                                                 : 0;

	mw_write_open(w, "unmapped", '{');
	if (view->kind != MW_RECORD_ALERT)
		mw_write_rest(w, view);
	else
		for (size_t i = 0; i < sizeof(names) / sizeof(*names) - spared; i++)
			mw_write_from(w, names[i], view->emission->record, names[i]);
	if (mw_has(view, MW_PART_WHO)) {
		mw_write_from(w, "job", view->emission->record, "job");
		mw_write_from(w, "container", view->emission->record, "container");
		mw_write_from(w, "unit", view->process, "unit");
		mw_write_from(w, "user_unit", view->process, "user_unit");
		mw_write_from(w, "loginuid", view->user, "loginuid");
	}
	mw_write_left_out(w, view);
	mw_write_close(w, '}');
}

static void profiles(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, "profiles", '[');
	mw_write_word(w, NULL, "host");
	mw_write_word(w, NULL, "security_control");
	if (view->container)
		mw_write_word(w, NULL, "container");
	mw_write_close(w, ']');
}

static void product(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, "product", '{');
	mw_write_word(w, "name", "modelwatch");
	mw_write_word(w, "vendor_name", "modelwatch");
	mw_write_text(w, "version", view->version);
	mw_write_close(w, '}');
}

static void metadata(struct mw_writer *w, const struct mw_view *view)
{
	static const char *const versions[] = {"1.1.0", "1.3.0", "1.5.0", "1.8.0"};

	mw_write_open(w, "metadata", '{');
	mw_write_word(w, "version", versions[view->ocsf]);
	mw_write_text(w, "uid", mw_our(view->emission->uid));
	mw_write_number(w, "sequence", (int64_t)view->emission->sequence);
	mw_write_text(w, "correlation_uid", view->key);
	mw_write_text(w, "event_code", view->rule);
	mw_write_word(w, "log_name", "modelwatch.alerts");
	mw_write_from(w, "original_time", view->emission->record, "time");
	product(w, view);
	profiles(w, view);
	if (view->ocsf >= MW_OCSF_1_8 && mw_is_truncated(w, view)) {
		mw_write_bool(w, "is_truncated", true);
		if (view->whole)
			mw_write_number(w, "untruncated_size",
			                (int64_t)(view->whole + 1023) / 1024);
	}
	mw_write_close(w, '}');
}

void mw_format_ocsf(struct mw_writer *w, const struct mw_view *view)
{
	mw_write_open(w, NULL, '{');
	class(w, view);
	severity(w, view);
	mw_write_number(w, "status_id", is_news_of_nothing(view) ? 0 : 1);
	mw_write_word(w, "status", is_news_of_nothing(view) ? "Unknown" : "New");
	times(w, view);
	if (view->ocsf >= MW_OCSF_1_5)
		mw_write_bool(w, "is_alert", !is_news_of_nothing(view));
	confidence(w, view);
	action(w, view);
	mw_write_shown(w, "message", view->title);
	finding(w, view);
	device(w, view);
	mw_ocsf_actor(w, view);
	mw_ocsf_evidences(w, view);
	mw_ocsf_observables(w, view);
	resources(w, view);
	policy(w, view);
	unmapped(w, view);
	metadata(w, view);
	mw_write_close(w, '}');
}
