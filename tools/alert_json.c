/* The JSON alert, modelwatch.alert/1: docs/alerts.md says what each field means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/address.h"
#include "alert_parts.h"
#include "fields.h"
#include "identity.h"
#include "identity_cache.h"
#include "jsontext.h"

static json_t *facts_of(uint32_t facts)
{
	json_t *list = json_array();

	for (int bit = 0; bit < MW_FACT_COUNT; bit++)
		if (facts >> bit & 1)
			json_array_append_new(list,
			                      json_string(mw_fact_name((enum mw_fact_bit)bit)));
	return list;
}

static json_t *argv_of(const struct mw_record_effect *effect)
{
	struct mw_redact_argv argv = {0};
	json_t *list;

	if (!effect->argc)
		return json_null();
	list = json_array();
	for (uint32_t i = 0; i < effect->argc && i < MW_WIRE_ARGS; i++)
		json_array_append_new(list,
		                      mw_json_arg(&argv, effect->argv[i].s, effect->argv[i].len));
	return list;
}

static json_t *number_of(const struct mw_record_effect *effect)
{
	return effect->number ? json_integer(effect->number) : json_null();
}

static json_t *owner_of(const struct mw_record_effect *effect)
{
	return effect->owner ? json_integer((json_int_t)effect->owner - 1) : json_null();
}

static void network_detail(const struct mw_record_effect *effect, json_t *out)
{
	const struct mw_str target = effect->target;
	struct mw_address address;
	char text[MW_ADDRESS_TEXT];

	json_object_set_new(out, "address", json_null());
	json_object_set_new(out, "port", json_null());
	json_object_set_new(out, "path", json_null());
	if (!target.s)
		return;
	if (effect->facts & MW_FACT_UNIX) {
		json_object_set_new(out, "path", mw_json_str(target));
		return;
	}
	snprintf(text, sizeof(text), "%.*s", (int)target.len, target.s);
	mw_address_split(text, &address);
	json_object_set_new(out, "address", mw_json_text(address.host));
	if (address.port >= 0)
		json_object_set_new(out, "port", json_integer(address.port));
}

/* `op` and `facts` for every class, and what the class needs. */
static json_t *detail_of(const struct mw_record_effect *effect)
{
	json_t *out = json_pack("{s:o}", "op", mw_json_str(effect->op));

	switch (effect->class) {
	case MW_EXEC:
		json_object_set_new(out, "path", mw_json_str(effect->target));
		json_object_set_new(out, "executable", mw_json_str(effect->file));
		json_object_set_new(out, "executable_owner", owner_of(effect));
		json_object_set_new(out, "argv", argv_of(effect));
		json_object_set_new(out, "argv_cut", json_boolean(effect->argv_cut));
		break;
	case MW_CONNECT:
	case MW_SEND:
	case MW_LISTEN:
		network_detail(effect, out);
		break;
	case MW_WRITE:
	case MW_READ:
		json_object_set_new(out, "path", mw_json_str(effect->target));
		json_object_set_new(out, "path2", mw_json_str(effect->target2));
		json_object_set_new(out, "file", mw_json_str(effect->file));
		json_object_set_new(out, "file2", mw_json_str(effect->file2));
		json_object_set_new(out, "number", number_of(effect));
		break;
	case MW_MAP:
		json_object_set_new(out, "library", mw_json_str(effect->target));
		json_object_set_new(out, "file", mw_json_str(effect->file));
		json_object_set_new(out, "number", number_of(effect));
		break;
	case MW_TAMPER:
	case MW_CODE:
	case MW_LIMIT:
	case MW_CLASS_COUNT:
		json_object_set_new(out, "target", mw_json_str(effect->target));
		json_object_set_new(out, "number", number_of(effect));
		break;
	}
	json_object_set_new(out, "facts", facts_of(effect->facts));
	return out;
}

static const char *const digest_states[] = {[MW_DIGEST_PENDING] = "pending",
                                            [MW_DIGEST_DONE] = "done",
                                            [MW_DIGEST_UNAVAILABLE] = "unavailable"};

static void set_digest(json_t *artifact, const struct mw_digest *digest)
{
	json_object_set_new(artifact, "sha256",
	                    digest->state == MW_DIGEST_DONE ? json_string(digest->sha256)
	                                                    : json_null());
	json_object_set_new(artifact, "digest_state", json_string(digest_states[digest->state]));
}

static json_t *model_of(const struct mw_model *model)
{
	if (!model->hub)
		return json_null();
	return json_pack("{s:s, s:o, s:o}", "hub", model->hub, "repo", mw_json_text(model->repo),
	                 "revision", mw_json_text(model->revision));
}

json_t *mw_alert_json_artifact(const struct mw_artifact *artifact, const struct mw_location *at,
                               const struct mw_digest *digest)
{
	json_t *size = artifact->fd >= 0 ? json_integer(artifact->status.st_size) : json_null();
	json_t *out = json_pack("{s:o, s:o, s:o}", "path", mw_json_text(artifact->path), "member",
	                        mw_json_text(at->member), "size", size);

	set_digest(out, digest);
	json_object_set_new(out, "stream_sha256", mw_json_text(at->stream_sha256));
	json_object_set_new(out, "model", model_of(&artifact->model));
	return out;
}

static void set_call(const struct mw_alert *alert, json_t *load)
{
	const struct mw_pickle_answer *call = &alert->at->call;
	bool exact = call->found && call->offset == call->offset_end;

	json_object_set_new(load, "call", mw_json_text(call->call));
	json_object_set_new(load, "args", mw_json_text(call->args));
	json_object_set_new(load, "opcode", mw_json_text(call->opcode));
	json_object_set_new(load, "offset",
	                    exact ? json_integer((json_int_t)call->offset) : json_null());
	json_object_set_new(load, "offset_range",
	                    call->found && !exact ? json_pack("[I, I]", (json_int_t)call->offset,
	                                                      (json_int_t)call->offset_end)
	                                          : json_null());
	json_object_set_new(load, "nested", json_boolean(alert->at->nested));
}

static json_t *load_of(const struct mw_alert *alert)
{
	const struct mw_record_load *load = alert->load;
	bool known = load->entry.s && load->entry.len;
	char id[20];
	json_t *out;

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)load->id);
	out = json_pack("{s:o, s:o, s:o, s:o}", "id", load->id ? json_string(id) : json_null(),
	                "entry", known ? mw_json_str(load->entry) : json_null(), "origin",
	                known ? json_string(mw_origin_name(load->origin)) : json_null(), "artifact",
	                mw_alert_json_artifact(&alert->artifact, alert->at, &alert->digest));
	set_call(alert, out);
	/* Of a process or thread that a load started nobody knows whether the load has ended. */
	json_object_set_new(out, "after_load",
	                    alert->record->effect.facts & MW_FACT_SCOPE
	                            ? json_null()
	                            : json_boolean(load->after));
	return out;
}

static json_t *python_stack(const struct mw_record *record)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < record->frame_count && i < MW_WIRE_FRAMES; i++) {
		const struct mw_pyframe *frame = &record->frames[i];

		json_array_append_new(
		        list,
		        json_pack("{s:o, s:o, s:o, s:b}", "function", mw_json_str(frame->function),
		                  "file", mw_json_str(frame->file), "line",
		                  frame->line ? json_integer(frame->line) : json_null(), "inside",
		                  i < record->inside));
	}
	return list;
}

static json_t *native_stack(const struct mw_alert *alert)
{
	json_t *list = json_array();

	for (int i = 0; i < alert->native_count; i++) {
		const struct mw_native_frame *frame = &alert->native[i];

		json_array_append_new(list, json_pack("{s:o, s:o, s:I}", "symbol",
		                                      mw_json_text(frame->symbol), "object",
		                                      mw_json_text(frame->object), "offset",
		                                      (json_int_t)frame->offset));
	}
	return list;
}

static void set_what(const struct mw_alert *alert, json_t *out)
{
	const struct mw_record_effect *effect = &alert->record->effect;
	const char *sensor = mw_sensor_name(effect->sensor);
	enum mw_outcome outcome = mw_alert_prevented(alert) ? MW_PREVENTED : MW_OBSERVED;

	json_object_set_new(out, "severity",
	                    json_string(mw_severity_name(mw_alert_severity(alert))));
	json_object_set_new(out, "effect",
	                    json_pack("{s:s, s:o}", "class", mw_class_name(effect->class), "detail",
	                              detail_of(effect)));
	json_object_set_new(out, "verdict", json_string(mw_verdict_name(alert->decision->verdict)));
	json_object_set_new(out, "requested",
	                    json_string(mw_verdict_name(alert->decision->requested)));
	json_object_set_new(out, "mode", json_string(mw_verdict_name(alert->options->mode)));
	json_object_set_new(out, "outcome", json_string(mw_outcome_name(outcome)));
	json_object_set_new(out, "sensor", json_string(sensor));
	json_object_set_new(out, "seen_by", json_pack("[s]", sensor));
	json_object_set_new(out, "evasion", json_boolean(effect->facts & MW_FACT_UNANNOUNCED));
	json_object_set_new(out, "cause", json_string(mw_cause_name(effect->cause)));
}

static void set_who(const struct mw_alert *alert, json_t *out)
{
	const struct mw_identity_hint found = {
	        .pid = alert->pid, .tid = (pid_t)alert->record->tid, .uid = MW_IDENTITY_NO_UID};
	json_t *who =
	        mw_identity_gather(alert->options->identities, alert->hint ? alert->hint : &found);

	json_object_update(out, who);
	json_decref(who);
	json_object_set_new(out, "host", mw_identity_host());
}

static json_t *policy_of(const struct mw_alert *alert)
{
	const struct mw_decision *decision = alert->decision;
	const char *own = decision->own_severity < MW_BY_TABLE
	                          ? mw_severity_name(decision->own_severity)
	                          : NULL;

	return json_pack("{s:o, s:s, s:s?, s:s?}", "digest",
	                 mw_json_text(alert->options->policy_digest), "rule", decision->rule,
	                 "severity", own, "expired", decision->expired);
}

json_t *mw_alert_json(const struct mw_alert *alert)
{
	json_t *out = json_pack("{s:s, s:s, s:i, s:s, s:s, s:o}", "schema", "modelwatch.alert/1",
	                        "id", alert->id, "update", 0, "time", alert->time, "rule",
	                        alert->decision->rule, "title", mw_json_text(alert->title));

	if (out) {
		set_what(alert, out);
		json_object_set_new(out, "load", load_of(alert));
		json_object_set_new(out, "python_stack", python_stack(alert->record));
		json_object_set_new(out, "native_stack", native_stack(alert));
		set_who(alert, out);
		json_object_set_new(out, "policy", policy_of(alert));
		json_object_set_new(out, "version", json_string(MW_VERSION));
		json_object_set(out, "labels", alert->options->labels);
		json_object_set_new(out, "count", json_integer(1));
		json_object_set_new(out, "reporter", json_null());
		json_object_set_new(out, "reports", json_array());
	}
	return out;
}

void mw_alert_json_digest(json_t *alert, const struct mw_digest *digest)
{
	set_digest(json_object_get(json_object_get(alert, "load"), "artifact"), digest);
}

bool mw_alert_json_seen(json_t *alert, enum mw_sensor sensor)
{
	json_t *seen = json_object_get(alert, "seen_by");
	const char *name = mw_sensor_name(sensor);

	for (size_t i = 0; i < json_array_size(seen); i++)
		if (!strcmp(json_string_value(json_array_get(seen, i)), name))
			return false;
	return !json_array_append_new(seen, json_string(name));
}

void mw_alert_json_severity(json_t *alert)
{
	int own = mw_field_word(alert, "policy.severity", mw_severity_parse);
	int requested = mw_field_word(alert, "requested", mw_verdict_parse);
	const struct mw_severity_facts facts = {
	        .own = own < 0 ? MW_BY_TABLE : (enum mw_severity)own,
	        .requested = requested < 0 ? MW_DENY : (enum mw_verdict)requested,
	        .class = (enum mw_class)mw_field_word(alert, "effect.class", mw_class_parse),
	        .outcome = (enum mw_outcome)mw_field_word(alert, "outcome", mw_outcome_parse),
	        .evasion = json_is_true(mw_field(alert, "evasion")),
	};

	json_object_set_new(alert, "severity", json_string(mw_severity_name(mw_severity(&facts))));
}
