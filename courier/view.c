/* A record, looked through once for all formats. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/text.h"
#include "../tools/when.h"
#include "format_parts.h"

#define MATCHED 16384

static const char *const schemas[MW_RECORD_KINDS] = {
        [MW_RECORD_ALERT] = "modelwatch.alert/1",
        [MW_RECORD_LOSS] = "modelwatch.loss/1",
        [MW_RECORD_HEARTBEAT] = "modelwatch.heartbeat/1",
        [MW_RECORD_INVENTORY] = "modelwatch.inventory/1",
};

struct mw_str mw_text_value(const json_t *value)
{
	if (!json_is_string(value))
		return (struct mw_str){NULL, 0};
	return (struct mw_str){json_string_value(value), (uint32_t)json_string_length(value)};
}

struct mw_str mw_text_of(const json_t *object, const char *key)
{
	return mw_text_value(json_object_get(object, key));
}

int64_t mw_number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
	                                                                : -1;
}

struct mw_str mw_our(const char *text)
{
	return (struct mw_str){text, (uint32_t)strlen(text)};
}

struct mw_str mw_base_of(struct mw_str path)
{
	const char *slash = path.s ? memrchr(path.s, '/', path.len) : NULL;
	uint32_t before = slash ? (uint32_t)(slash - path.s) + 1 : 0;

	/* A path that ends in a slash has no name of its own. */
	if (before == path.len)
		return path;
	return (struct mw_str){path.s + before, path.len - before};
}

bool mw_is_address(struct mw_str text)
{
	struct in6_addr address;
	char copy[INET6_ADDRSTRLEN];

	if (!text.s || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.s, text.len);
	copy[text.len] = '\0';
	return inet_pton(AF_INET, copy, &address) == 1 || inet_pton(AF_INET6, copy, &address) == 1;
}

static const json_t *object_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_object(value) ? value : NULL;
}

static int word_of(const json_t *object, const char *key, int (*parse)(const char *))
{
	const char *word = json_string_value(json_object_get(object, key));
	int value = word ? parse(word) : -1;

	return value < 0 ? -1 : value;
}

/* An emission's id is a UUID of version 7: its first 48 bits are milliseconds. */
static int64_t time_of_uid(const char *uid)
{
	char digits[13];

	if (strnlen(uid, MW_UID_TEXT) < 13 || uid[8] != '-')
		return 0;
	memcpy(digits, uid, 8);
	memcpy(digits + 8, uid + 9, 4);
	digits[12] = '\0';
	return strtoll(digits, NULL, 16) * 1000000;
}

static int64_t time_of(const json_t *object, const char *key, int64_t otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));
	int64_t time;

	return text && !mw_when_rfc3339(text, &time) ? time : otherwise;
}

static void read_times(struct mw_view *v)
{
	const json_t *record = v->emission->record;
	int64_t count = mw_number_of(record, "count"), update = mw_number_of(record, "update");

	v->time = time_of(record, "time", time_of_uid(v->emission->uid));
	v->first = time_of(v->group, "first", v->time);
	v->last = time_of(v->kind == MW_RECORD_INVENTORY ? record : v->group, "last", v->time);
	v->has_count = count > 0;
	v->count = v->has_count ? (uint64_t)count : 1;
	v->update = update > 0 ? (uint64_t)update : 0;
}

/* A SHA-256, or nothing. */
static struct mw_str digest_of(const json_t *object, const char *key)
{
	struct mw_str text = mw_text_of(object, key);
	bool is_one = text.s && text.len == 64 && strspn(text.s, "0123456789abcdef") == 64;

	return is_one ? text : (struct mw_str){NULL, 0};
}

static void read_artifact(struct mw_view *v)
{
	v->artifact = object_of(v->load, "artifact");
	v->model = object_of(v->artifact, "model");
	v->path = mw_text_of(v->artifact, "path");
	v->member = mw_text_of(v->artifact, "member");
	v->sha256 = digest_of(v->artifact, "sha256");
	v->stream_sha256 = digest_of(v->artifact, "stream_sha256");
}

static void read_who(struct mw_view *v)
{
	const json_t *record = v->emission->record;

	v->process = object_of(record, "process");
	v->user = object_of(record, "user");
	v->job = object_of(record, "job");
	v->container = object_of(record, "container");
	v->pod = object_of(v->container, "pod");
	v->host = object_of(record, "host");
	v->host_name = mw_text_of(v->host, "name");
	v->policy = object_of(record, "policy");
	v->digest =
	        mw_text_of(v->policy ? v->policy : record, v->policy ? "digest" : "policy_digest");
	v->labels = object_of(record, "labels");
}

/* The file that an effect is about, as exactly as it is known. */
static struct mw_str target_of(const json_t *detail)
{
	static const char *const names[] = {"executable", "file", "library", "path"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct mw_str text = mw_text_of(detail, names[i]);

		if (text.s && text.len)
			return text;
	}
	return (struct mw_str){NULL, 0};
}

/* What is longer than any record of ours has it is nobody's path, and slow to match. */
static const char *matchable(struct mw_str text)
{
	return text.len <= MATCHED ? text.s : NULL;
}

static void read_techniques(struct mw_view *v)
{
	const struct mw_deed deed = {
	        .class = v->class,
	        .cause = v->cause,
	        .op = matchable(mw_text_of(v->detail, "op")),
	        .program = matchable(mw_base_of(v->target)),
	        .path = matchable(v->target),
	        .target = matchable(mw_text_of(v->detail, "target")),
	        .port = v->port,
	        .from_hub = v->model != NULL,
	};

	v->techniques = mw_techniques(&deed);
}

static void read_effect(struct mw_view *v)
{
	int64_t port;

	v->effect = object_of(v->emission->record, "effect");
	v->detail = object_of(v->effect, "detail");
	v->class = word_of(v->effect, "class", mw_class_parse);
	v->target = target_of(v->detail);
	v->address = mw_text_of(v->detail, "address");
	port = mw_number_of(v->detail, "port");
	v->port = port >= 0 && port <= UINT16_MAX ? (int)port : -1;
	v->program_argv = json_object_get(v->detail, "argv");
}

static void read_alert(struct mw_view *v)
{
	const json_t *record = v->emission->record;

	v->rule = mw_text_of(record, "rule");
	v->severity = word_of(record, "severity", mw_severity_parse);
	v->cause = word_of(record, "cause", mw_cause_parse);
	v->outcome = word_of(record, "outcome", mw_outcome_parse);
	v->verdict = word_of(record, "verdict", mw_verdict_parse);
	read_effect(v);
	read_techniques(v);
	v->title = mw_text_of(record, "title");
	if (!v->title.s)
		v->title = mw_our("A load had an effect that it should not have");
}

static void shown(struct mw_text *t, struct mw_str s, size_t max)
{
	if (s.s)
		mw_text_shown(t, s.s, s.len, max);
}

static bool is_stopping(const json_t *record)
{
	const char *state = json_string_value(json_object_get(record, "state"));

	return state && !strcmp(state, "stopping");
}

/* Titles of records that bring none. */
static void make_title(struct mw_view *v)
{
	const json_t *record = v->emission->record;
	struct mw_text t;

	mw_text_start(&t, v->title_room, sizeof(v->title_room));
	switch (v->kind) {
	case MW_RECORD_LOSS:
		mw_text_add(&t, "modelwatch could not tell everything: ");
		shown(&t, mw_text_of(record, "reason"), 300);
		if (v->has_count || mw_number_of(record, "lost") >= 0)
			mw_text_add(&t, ", %lld times",
			            v->has_count ? (long long)v->count
			                         : (long long)mw_number_of(record, "lost"));
		break;
	case MW_RECORD_HEARTBEAT:
		mw_text_add(&t, "modelwatch ");
		shown(&t, v->version, 40);
		mw_text_add(&t, is_stopping(record) ? " stops, in the mode "
		                                    : " is at work in the mode ");
		shown(&t, v->mode, 20);
		break;
	case MW_RECORD_INVENTORY:
		shown(&t, mw_text_of(v->load, "entry"), 60);
		mw_text_add(&t, " loaded ");
		shown(&t, v->path.s ? v->path : mw_our("bytes"), 400);
		break;
	case MW_RECORD_ALERT:
	case MW_RECORD_KINDS:
		break;
	}
	v->title = (struct mw_str){v->title_room, (uint32_t)t.len};
}

/* What was lost may have been an alert, the worst of them. */
static int severity_of_others(const struct mw_view *v)
{
	if (v->kind != MW_RECORD_LOSS)
		return MW_INFO;
	return mw_number_of(v->emission->record, "lost") > 0 ? MW_HIGH : MW_MEDIUM;
}

static int kind_of(const json_t *record)
{
	const char *schema = json_string_value(json_object_get(record, "schema"));

	for (int i = 0; schema && i < MW_RECORD_KINDS; i++)
		if (!strcmp(schema, schemas[i]))
			return i;
	return -EINVAL;
}

int mw_view_read(const struct mw_emission *emission, struct mw_view *ret)
{
	const json_t *record = emission->record;
	int kind = kind_of(record);

	if (kind < 0)
		return kind;
	memset(ret, 0, offsetof(struct mw_view, title_room));
	ret->emission = emission;
	ret->kind = (enum mw_record_kind)kind;
	ret->class = ret->cause = ret->outcome = ret->verdict = ret->port = -1;
	ret->id = mw_text_of(record, "id");
	if (!ret->id.s)
		ret->id = mw_our(emission->uid);
	ret->version = mw_text_of(record, "version");
	ret->mode = mw_text_of(record, "mode");
	ret->group = object_of(record, "group");
	ret->key = mw_text_of(ret->group, "key");
	ret->load = object_of(record, "load");
	read_times(ret);
	read_artifact(ret);
	read_who(ret);
	if (kind == MW_RECORD_ALERT) {
		read_alert(ret);
	} else {
		ret->severity = severity_of_others(ret);
		make_title(ret);
	}
	return 0;
}
