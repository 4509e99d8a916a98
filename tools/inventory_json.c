#include "inventory_json.h"

#include <stdio.h>
#include <string.h>

#include "alert_parts.h"
#include "identity.h"
#include "identity_cache.h"
#include "jsontext.h"
#include "when.h"

static json_t *weights_only(enum mw_answer_known answer)
{
	return answer == MW_NOT_KNOWN ? json_null() : json_boolean(answer == MW_YES);
}

/* What is known from the load alone. */
static json_t *name_artifact(const struct mw_record_load *load)
{
	const struct mw_digest digest = {.state = MW_DIGEST_PENDING};
	const struct mw_location at = {.nested = false};
	struct mw_artifact artifact = {.fd = -1};

	if (load->path.len < sizeof(artifact.path))
		snprintf(artifact.path, sizeof(artifact.path), "%.*s", (int)load->path.len,
		         load->path.s ? load->path.s : "");
	mw_model_of(artifact.path, &artifact.model);
	return mw_alert_json_artifact(&artifact, &at, &digest);
}

/* How a load goes on is not known to who is told of its beginning. */
static json_t *load_of(const struct mw_inventory_load *which)
{
	const struct mw_record *record = which->record;
	const struct mw_record_load *load = &record->load;
	json_int_t globals = load->globals > INT64_MAX ? INT64_MAX : (json_int_t)load->globals;
	json_t *out =
	        json_pack("{s:o, s:s, s:o, s:n, s:n, s:n, s:n}", "entry", mw_json_str(load->entry),
	                  "origin", mw_origin_name(load->origin), "artifact", name_artifact(load),
	                  "outcome", "weights_only", "globals", "duration_ns");

	if (!out || which->begins)
		return out;
	json_object_set_new(out, "outcome",
	                    json_string(record->done.raised ? "raised" : "returned"));
	json_object_set_new(out, "weights_only", weights_only(record->done.weights_only));
	json_object_set_new(out, "globals", json_integer(globals));
	json_object_set_new(out, "duration_ns", json_integer(0));
	return out;
}

void mw_inventory_now(char ret[static 40])
{
	mw_when_text(mw_when_now(), ret);
}

json_t *mw_inventory_json(const struct mw_inventory_load *load,
                          struct mw_identity_cache *identities, const char *policy_digest,
                          json_t *labels)
{
	char id[40], now[40];
	json_t *out, *who = mw_identity_gather(identities, load->who);

	mw_alert_stamp(id, now);
	out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "schema", "modelwatch.inventory/1", "id",
	                id, "time", now, "last", now, "sensor",
	                mw_sensor_name(load->begins ? MW_KERNEL : MW_PYTHON), "load",
	                load_of(load));
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

void mw_inventory_set_artifact(json_t *record, const struct mw_artifact *artifact,
                               const struct mw_location *at, const struct mw_digest *digest)
{
	json_t *load = json_object_get(record, "load");

	if (load)
		json_object_set_new(load, "artifact", mw_alert_json_artifact(artifact, at, digest));
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
	if (json_is_integer(json_object_get(load, "duration_ns")))
		json_object_set_new(load, "duration_ns", json_integer((json_int_t)duration));
	if (several_streams)
		json_object_set_new(json_object_get(load, "artifact"), "stream_sha256",
		                    json_null());
}
