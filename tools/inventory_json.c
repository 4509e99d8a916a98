#include "inventory_json.h"

#include <string.h>

#include "alert_parts.h"
#include "identity.h"
#include "jsontext.h"
#include "when.h"

static json_t *weights_only(enum mw_answer_known answer)
{
	return answer == MW_NOT_KNOWN ? json_null() : json_boolean(answer == MW_YES);
}

static json_t *load_of(const struct mw_record *record, const struct mw_artifact *artifact,
                       const struct mw_location *at, const struct mw_digest *digest)
{
	const struct mw_record_load *load = &record->load;
	json_int_t globals = load->globals > INT64_MAX ? INT64_MAX : (json_int_t)load->globals;

	return json_pack("{s:o, s:s, s:o, s:s, s:o, s:I}", "entry", mw_json_str(load->entry),
	                 "origin", mw_origin_name(load->origin), "artifact",
	                 mw_alert_json_artifact(artifact, at, digest), "outcome",
	                 record->done.raised ? "raised" : "returned", "weights_only",
	                 weights_only(record->done.weights_only), "globals", globals);
}

void mw_inventory_now(char ret[static 40])
{
	mw_when_text(mw_when_now(), ret);
}

json_t *mw_inventory_json(const struct mw_record *record, const struct mw_artifact *artifact,
                          const struct mw_location *at, const struct mw_digest *digest, json_t *who,
                          const char *policy_digest, json_t *labels)
{
	char id[40], now[40];
	json_t *out;

	mw_alert_stamp(id, now);
	out = json_pack("{s:s, s:s, s:s, s:s, s:o}", "schema", "modelwatch.inventory/1", "id", id,
	                "time", now, "last", now, "load", load_of(record, artifact, at, digest));
	if (out && who)
		json_object_update(out, who);
	json_decref(who);
	if (!out)
		return NULL;
	json_object_set_new(out, "host", mw_identity_host());
	json_object_set_new(out, "policy",
	                    json_pack("{s:o}", "digest", mw_json_text(policy_digest)));
	json_object_set_new(out, "version", json_string(MW_VERSION));
	json_object_set(out, "labels", labels);
	json_object_set_new(out, "count", json_integer(1));
	return out;
}

void mw_inventory_set_digest(json_t *record, const struct mw_digest *digest)
{
	struct mw_digest last = *digest;

	if (last.state == MW_DIGEST_PENDING)
		last.state = MW_DIGEST_UNAVAILABLE;
	if (record)
		mw_alert_json_digest(record, &last);
}

void mw_inventory_set_sum(json_t *record, uint64_t count, uint64_t duration, const char *last,
                          bool several_streams)
{
	json_t *load = json_object_get(record, "load");

	if (!load)
		return;
	json_object_set_new(record, "count", json_integer((json_int_t)count));
	json_object_set_new(record, "last", json_string(last));
	json_object_set_new(load, "duration_ns", json_integer((json_int_t)duration));
	if (several_streams)
		json_object_set_new(json_object_get(load, "artifact"), "stream_sha256",
		                    json_null());
}
