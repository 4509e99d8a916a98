#include "question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "when.h"

static const char *text(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

/* The number of the word at `key`, or `otherwise` when there is none. */
static int word(const json_t *json, const char *key, int (*parse)(const char *), int otherwise)
{
	const json_t *value = json_object_get(json, key);

	if (!value)
		return otherwise;
	return json_is_string(value) ? parse(json_string_value(value)) : -EINVAL;
}

static int read_facts(const json_t *facts, uint32_t *ret)
{
	size_t count = json_is_array(facts) ? json_array_size(facts) : facts ? 1 : 0;

	*ret = 0;
	for (size_t i = 0; i < count; i++) {
		const json_t *fact = json_is_array(facts) ? json_array_get(facts, i) : facts;
		int bit = json_is_string(fact) ? mw_fact_parse(json_string_value(fact)) : -EINVAL;

		if (bit < 0)
			return -EINVAL;
		*ret |= 1u << bit;
	}
	return 0;
}

static int read_argv(const json_t *argv, struct mw_question *ret)
{
	size_t count = json_array_size(argv);

	if (!argv || json_is_null(argv))
		return 0;
	if (!json_is_array(argv))
		return -EINVAL;
	ret->effect.argv_cut = count > MW_QUESTION_ARGS;
	ret->effect.argc = ret->effect.argv_cut ? MW_QUESTION_ARGS : count;
	for (size_t i = 0; i < ret->effect.argc; i++) {
		ret->argv[i] = json_string_value(json_array_get(argv, i));
		if (!ret->argv[i])
			return -EINVAL;
	}
	ret->effect.argv = ret->argv;
	return 0;
}

/* A user id, as the sensors have it: one more, and 0 when it is not known. */
static int read_owner(const char *owner, uint64_t *ret)
{
	char *end;

	*ret = owner ? strtoul(owner, &end, 10) + 1 : 0;
	return owner && (*end || end == owner) ? -EINVAL : 0;
}

/* What the effect is on, from the field of its class. */
static void read_target(const json_t *json, struct mw_question *ret)
{
	struct mw_effect *effect = &ret->effect;
	const char *address = text(json, "address"), *port = text(json, "port");

	effect->target = text(json, "target");
	effect->file = text(json, "path") ? text(json, "path") : text(json, "executable");
	effect->file2 = text(json, "path2");
	effect->target2 = text(json, "target2") ? text(json, "target2") : effect->file2;
	if (text(json, "unix")) {
		effect->facts |= MW_FACT_UNIX;
		effect->target = text(json, "unix");
	} else if (address) {
		bool six = strchr(address, ':') && port;

		snprintf(ret->target, sizeof(ret->target), "%s%s%s%s%s", six ? "[" : "", address,
		         six ? "]" : "", port ? ":" : "", port ? port : "");
		effect->target = ret->target;
	}
	if (!effect->target)
		effect->target = effect->file;
}

int mw_question_read(const json_t *json, struct mw_question *ret, const char **ret_wrong)
{
	int class = word(json, *ret_wrong = "effect", mw_class_parse, -EINVAL), cause, origin;

	*ret = (struct mw_question){.load = {.now = mw_when_now() / 1000000000}};
	if (class < 0)
		return -EINVAL;
	cause = word(json, *ret_wrong = "cause", mw_cause_parse, MW_BY_CALL);
	if (cause < 0)
		return -EINVAL;
	origin = word(json, *ret_wrong = "origin", mw_origin_parse, MW_FROM_FILE);
	if (origin < 0)
		return -EINVAL;
	*ret_wrong = "facts";
	if (read_facts(json_object_get(json, "facts"), &ret->effect.facts))
		return -EINVAL;
	*ret_wrong = "argv";
	if (read_argv(json_object_get(json, "argv"), ret))
		return -EINVAL;
	*ret_wrong = "executable_owner";
	if (read_owner(text(json, "executable_owner"), &ret->effect.owner))
		return -EINVAL;
	ret->effect.class = (enum mw_class) class;
	ret->effect.cause = (enum mw_cause)cause;
	ret->effect.op = text(json, "op");
	read_target(json, ret);
	ret->load.origin = (enum mw_origin)origin;
	ret->load.entry = text(json, "entry");
	ret->load.artifact = text(json, "artifact");
	ret->load.global = text(json, "global") ? text(json, "global") : text(json, "call");
	ret->load.call = text(json, "call");
	ret->load.stream_sha256 = text(json, "stream_sha256");
	ret->load.sha256 = text(json, "sha256");
	return 0;
}

/* Copies the field at `path` of the alert as `key`; a number becomes text. */
static void copy(const json_t *alert, const char *path, json_t *out, const char *key)
{
	const json_t *value = mw_field(alert, path);
	char number[24];

	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		json_object_set_new(out, key, json_string(number));
	} else if (value) {
		json_object_set_new(out, key, json_deep_copy(value));
	}
}

json_t *mw_question_of_alert(const json_t *alert)
{
	static const struct {
		const char *path, *key;
	} fields[] = {
	        {"effect.class", "effect"},
	        {"cause", "cause"},
	        {"load.origin", "origin"},
	        {"effect.detail.facts", "facts"},
	        {"effect.detail.op", "op"},
	        {"effect.detail.target", "target"},
	        {"effect.detail.argv", "argv"},
	        {"effect.detail.executable", "executable"},
	        {"effect.detail.executable_owner", "executable_owner"},
	        {"effect.detail.address", "address"},
	        {"effect.detail.port", "port"},
	        {"load.entry", "entry"},
	        {"load.artifact.path", "artifact"},
	        {"load.artifact.sha256", "sha256"},
	        {"load.artifact.stream_sha256", "stream_sha256"},
	        {"load.call", "call"},
	};
	int class = word(mw_field(alert, "effect"), "class", mw_class_parse, -EINVAL);
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		copy(alert, fields[i].path, out, fields[i].key);
	if (class == MW_CONNECT || class == MW_SEND || class == MW_LISTEN) {
		copy(alert, "effect.detail.path", out, "unix");
		return out;
	}
	copy(alert, "effect.detail.library", out, "target");
	copy(alert, "effect.detail.path", out, "target");
	copy(alert, "effect.detail.path2", out, "target2");
	copy(alert, "effect.detail.file", out, "path");
	copy(alert, "effect.detail.file2", out, "path2");
	return out;
}
