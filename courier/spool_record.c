/* What the spool needs to know of a record. Whoever made it may be hostile: what is missing or of
 * another type counts as unknown. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/fields.h"
#include "../tools/sha256.h"
#include "../tools/text.h"
#include "../tools/uuid.h"
#include "../tools/when.h"
#include "spool_parts.h"

static const struct {
	const char *schema;
	enum mw_spool_kind kind;
	enum mw_severity severity;
} kinds[] = {
        {"modelwatch.alert/1", MW_SPOOL_ALERT, MW_CRITICAL}, /* of a severity that is unknown */
        {"modelwatch.loss/1", MW_SPOOL_LOSS, MW_HIGH},
        {"modelwatch.inventory/1", MW_SPOOL_INVENTORY, MW_INFO},
        {"modelwatch.heartbeat/1", MW_SPOOL_HEARTBEAT, MW_INFO},
};

static int kind_of(const json_t *record)
{
	const char *schema = mw_field_text(record, "schema");

	for (size_t i = 0; schema && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(schema, kinds[i].schema))
			return (int)i;
	return -EINVAL;
}

/* At most 2^31, so that no sum of them runs over. */
static int64_t number(const json_t *record, const char *name, int64_t otherwise)
{
	json_int_t n = json_integer_value(json_object_get(record, name));

	return n < 0 || !json_is_integer(json_object_get(record, name)) ? otherwise
	       : n > INT32_MAX                                          ? INT32_MAX
	                                                                : n;
}

/* SHA-256 of JSON, whose reference is taken. */
static int digest(json_t *json, char ret[static MW_SPOOL_KEY])
{
	char *text =
	        json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
	int error = text ? mw_sha256(text, strlen(text), ret) : -ENOMEM;

	free(text);
	json_decref(json);
	return error;
}

/* What the effect was about, as it was said: other words are another target. */
static json_t *target(const json_t *record)
{
	static const char *const names[] = {"op",      "path", "path2",   "argv",
	                                    "address", "port", "library", "target"};
	const json_t *detail = mw_field(record, "effect.detail");
	json_t *ret = json_object(), *value;

	for (size_t i = 0; ret && i < sizeof(names) / sizeof(*names); i++) {
		value = json_object_get(detail, names[i]);
		if (value && !json_is_null(value))
			json_object_set(ret, names[i], value);
	}
	return ret;
}

static json_t *take(const json_t *record, const char *path)
{
	json_t *field = (json_t *)mw_field(record, path);

	return field ? json_incref(field) : json_null();
}

/* The same on every host: no process, user, path of the artifact or time. Where there is no stream,
 * the artifact's path has to do. */
static int key_of(const json_t *record, char ret[static MW_SPOOL_KEY])
{
	json_t *stream = take(record, "load.artifact.stream_sha256");

	if (json_is_null(stream))
		stream = take(record, "load.artifact.path");
	return digest(json_pack("[o, o, o, o, o]", take(record, "rule"), stream,
	                        take(record, "load.call"), take(record, "effect.class"),
	                        target(record)),
	              ret);
}

/* What must not hide in a group on this host: another artifact, user or container, what was not
 * prevented among what was, an evasion, what a user says of himself. */
static int group_of(const json_t *record, const char *key, char ret[static MW_SPOOL_KEY])
{
	return digest(json_pack("[s, o, o, o, o, o, o, o, o]", key,
	                        take(record, "load.artifact.path"),
	                        take(record, "load.artifact.member"), take(record, "user.uid"),
	                        take(record, "container.id"), take(record, "outcome"),
	                        take(record, "requested"), take(record, "evasion"),
	                        take(record, "reporter")),
	              ret);
}

static int artifact_of(const json_t *record, char ret[static MW_SPOOL_KEY])
{
	json_t *stream = take(record, "load.artifact.stream_sha256");

	return digest(json_is_null(stream) ? take(record, "load.artifact.path") : stream, ret);
}

static int read_alert(const json_t *record, struct mw_spool_facts *ret)
{
	const char *rule = mw_field_text(record, "rule");
	int severity = mw_field_word(record, "severity", mw_severity_parse);
	int verdict = mw_field_word(record, "requested", mw_verdict_parse);
	int error;

	if (rule)
		mw_utf8_clean(rule, strlen(rule), ret->rule, sizeof(ret->rule));
	if (severity >= 0)
		ret->severity = (enum mw_severity)severity;
	ret->observed = verdict >= 0 && verdict <= MW_OBSERVE;
	ret->update = number(record, "update", 0);
	ret->count = number(record, "count", 1);
	error = key_of(record, ret->key);
	if (!error)
		error = group_of(record, ret->key, ret->group);
	return error ? error : artifact_of(record, ret->artifact);
}

int mw_spool_facts(const json_t *record, int64_t now, struct mw_spool_facts *ret)
{
	const char *id = mw_field_text(record, "id"), *time = mw_field_text(record, "time");
	int kind = kind_of(record);

	if (kind < 0)
		return kind;
	*ret = (struct mw_spool_facts){
	        .kind = kinds[kind].kind,
	        .severity = kinds[kind].severity,
	        .time = now,
	        .count = 1,
	};
	if (time)
		mw_when_rfc3339(time, &ret->time);
	if (id && *id && strlen(id) < sizeof(ret->id))
		strcpy(ret->id, id);
	else
		mw_uuid(now, ret->id);
	return ret->kind == MW_SPOOL_ALERT ? read_alert(record, ret) : 0;
}
