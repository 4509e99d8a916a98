#include "daemon_message_clean.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../core/effect.h"
#include "../core/wire.h"
#include "../core/words.h"
#include "alert_parts.h"
#include "fields.h"
#include "jsontext.h"

#define LABELS_MAX 64
#define NAME_MAX_LEN 128
#define TITLE_MAX 599

enum kind {
	TEXT,    /* or null */
	SHOWN,   /* one line that may be shown on a terminal; required */
	NUMBER,  /* from `low` up, or null */
	WHOLE,   /* any integer; required */
	PORT,    /* or null */
	BOOLEAN, /* false when it is none */
	MAYBE,   /* boolean or null */
	WORD,    /* that `parse` knows; required */
	ORIGIN,  /* such a word or null */
	HEX,     /* `max` digits, or null */
	TEXTS,   /* at most `max`, or null */
	SET,     /* of words that `parse` knows; what it does not know is dropped */
	RANGE,   /* two numbers, or null */
	OBJECT,  /* required */
	OPTION,  /* an object or null */
	OBJECTS, /* at most `max` */
	NAMES,   /* an object of strings */
};

struct field {
	const char *name;
	enum kind kind;
	size_t max;
	const struct field *fields;
	int (*parse)(const char *word);
	json_int_t low;
};

static int parse_digest_state(const char *word)
{
	return !strcmp(word, "done") || !strcmp(word, "pending") || !strcmp(word, "unavailable")
	               ? 0
	               : -EINVAL;
}

static int parse_mode(const char *word)
{
	int mode = mw_verdict_parse(word);

	return mode == MW_ALLOW ? -EINVAL : mode;
}

static int parse_outcome(const char *word)
{
	for (int o = 0; o < MW_OUTCOME_COUNT; o++)
		if (!strcmp(word, mw_outcome_name((enum mw_outcome)o)))
			return o;
	return -EINVAL;
}

static int parse_sensor(const char *word)
{
	for (int s = 0; s < MW_SENSOR_COUNT; s++)
		if (!strcmp(word, mw_sensor_name((enum mw_sensor)s)))
			return s;
	return -EINVAL;
}

#define COMMON                                                                                     \
	{.name = "op", .kind = TEXT},                                                              \
	{                                                                                          \
		"facts", SET, .max = MW_FACT_COUNT, .parse = mw_fact_parse                         \
	}

static const struct field exec_detail[] = {COMMON,
                                           {.name = "path", .kind = TEXT},
                                           {.name = "executable", .kind = TEXT},
                                           {.name = "executable_owner", .kind = NUMBER},
                                           {.name = "argv", .kind = TEXTS, .max = MW_WIRE_ARGS},
                                           {.name = "argv_cut", .kind = BOOLEAN},
                                           {0}};
static const struct field network_detail[] = {COMMON,
                                              {.name = "address", .kind = TEXT},
                                              {.name = "port", .kind = PORT},
                                              {.name = "path", .kind = TEXT},
                                              {0}};
static const struct field file_detail[] = {COMMON,
                                           {.name = "path", .kind = TEXT},
                                           {.name = "path2", .kind = TEXT},
                                           {.name = "file", .kind = TEXT},
                                           {.name = "file2", .kind = TEXT},
                                           {.name = "number", .kind = NUMBER, .low = INT64_MIN},
                                           {0}};
static const struct field map_detail[] = {COMMON,
                                          {.name = "library", .kind = TEXT},
                                          {.name = "file", .kind = TEXT},
                                          {.name = "number", .kind = NUMBER, .low = INT64_MIN},
                                          {0}};
static const struct field other_detail[] = {COMMON,
                                            {.name = "target", .kind = TEXT},
                                            {.name = "number", .kind = NUMBER, .low = INT64_MIN},
                                            {0}};

static const struct field *const details[MW_CLASS_COUNT] = {
        [MW_EXEC] = exec_detail,      [MW_CONNECT] = network_detail, [MW_SEND] = network_detail,
        [MW_LISTEN] = network_detail, [MW_WRITE] = file_detail,      [MW_READ] = file_detail,
        [MW_MAP] = map_detail,        [MW_TAMPER] = other_detail,    [MW_CODE] = other_detail,
        [MW_LIMIT] = other_detail};

static const struct field model[] = {{.name = "hub", .kind = SHOWN, .max = 200},
                                     {.name = "repo", .kind = TEXT},
                                     {.name = "revision", .kind = TEXT},
                                     {0}};
static const struct field artifact[] = {
        {.name = "path", .kind = TEXT},
        {.name = "member", .kind = TEXT},
        {.name = "size", .kind = NUMBER},
        {.name = "sha256", .kind = HEX, .max = 64},
        {.name = "digest_state", .kind = WORD, .parse = parse_digest_state},
        {.name = "stream_sha256", .kind = HEX, .max = 64},
        {.name = "model", .kind = OPTION, .fields = model},
        {0}};
static const struct field load[] = {{.name = "id", .kind = HEX, .max = 16},
                                    {.name = "entry", .kind = TEXT},
                                    {.name = "origin", .kind = ORIGIN, .parse = mw_origin_parse},
                                    {.name = "artifact", .kind = OBJECT, .fields = artifact},
                                    {.name = "call", .kind = TEXT},
                                    {.name = "args", .kind = TEXT},
                                    {.name = "opcode", .kind = TEXT},
                                    {.name = "offset", .kind = NUMBER},
                                    {.name = "offset_range", .kind = RANGE},
                                    {.name = "nested", .kind = BOOLEAN},
                                    {.name = "after_load", .kind = MAYBE},
                                    {0}};
static const struct field python_frame[] = {{.name = "function", .kind = TEXT},
                                            {.name = "file", .kind = TEXT},
                                            {.name = "line", .kind = NUMBER, .low = 1},
                                            {.name = "inside", .kind = BOOLEAN},
                                            {0}};
static const struct field native_frame[] = {{.name = "symbol", .kind = TEXT},
                                            {.name = "object", .kind = TEXT},
                                            {.name = "offset", .kind = WHOLE},
                                            {0}};
static const struct field policy[] = {{.name = "digest", .kind = HEX, .max = 64},
                                      {.name = "rule", .kind = SHOWN, .max = 200},
                                      {.name = "expired", .kind = TEXT},
                                      {0}};

static const struct field alert[] = {
        {.name = "rule", .kind = SHOWN, .max = 200},
        {.name = "title", .kind = SHOWN, .max = TITLE_MAX},
        {.name = "severity", .kind = WORD, .parse = mw_severity_parse},
        {.name = "verdict", .kind = WORD, .parse = mw_verdict_parse},
        {.name = "requested", .kind = WORD, .parse = mw_verdict_parse},
        {.name = "mode", .kind = WORD, .parse = parse_mode},
        {.name = "outcome", .kind = WORD, .parse = parse_outcome},
        {.name = "sensor", .kind = WORD, .parse = parse_sensor},
        {.name = "seen_by", .kind = SET, .max = MW_SENSOR_COUNT, .parse = parse_sensor},
        {.name = "evasion", .kind = BOOLEAN},
        {.name = "cause", .kind = WORD, .parse = mw_cause_parse},
        {.name = "load", .kind = OBJECT, .fields = load},
        {.name = "python_stack", .kind = OBJECTS, .max = MW_WIRE_FRAMES, .fields = python_frame},
        {.name = "native_stack", .kind = OBJECTS, .max = MW_ALERT_NATIVE, .fields = native_frame},
        {.name = "policy", .kind = OBJECT, .fields = policy},
        {.name = "labels", .kind = NAMES},
        {0},
};

static json_t *copy(const struct field *fields, const json_t *from);

static json_t *text(const json_t *value)
{
	return json_is_string(value)
	               ? mw_json_bytes(json_string_value(value), json_string_length(value))
	               : json_null();
}

static json_t *number(const json_t *value, json_int_t low, json_int_t high)
{
	json_int_t n = json_integer_value(value);

	return json_is_integer(value) && n >= low && n <= high ? json_integer(n) : json_null();
}

static json_t *hex(const json_t *value, size_t digits)
{
	const char *s = json_string_value(value);

	if (!s || strlen(s) != digits || strspn(s, "0123456789abcdef") != digits)
		return json_null();
	return json_string(s);
}

/* NULL: not known. */
static json_t *word(const json_t *value, int (*parse)(const char *))
{
	const char *s = json_string_value(value);

	return s && parse(s) >= 0 ? json_string(s) : NULL;
}

static json_t *shown(const json_t *value, size_t max)
{
	return json_string_length(value) ? mw_shown(value, max) : NULL;
}

static json_t *texts(const json_t *value, size_t max)
{
	struct mw_redact_argv argv = {0};
	json_t *list;

	if (!json_is_array(value))
		return json_null();
	list = json_array();
	for (size_t i = 0; i < json_array_size(value) && i < max; i++) {
		const json_t *one = json_array_get(value, i);

		json_array_append_new(list, json_is_string(one)
		                                    ? mw_json_arg(&argv, json_string_value(one),
		                                                  json_string_length(one))
		                                    : json_null());
	}
	return list;
}

static bool contains(const json_t *list, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value))
			return true;
	return false;
}

static json_t *set(const json_t *value, const struct field *field)
{
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(value); i++) {
		json_t *one = word(json_array_get(value, i), field->parse);

		if (one && json_array_size(list) < field->max && !contains(list, one))
			json_array_append(list, one);
		json_decref(one);
	}
	return list;
}

static json_t *range(const json_t *value)
{
	json_t *list = json_pack("[o, o]", number(json_array_get(value, 0), 0, INT64_MAX),
	                         number(json_array_get(value, 1), 0, INT64_MAX));

	if (json_array_size(value) == 2 && !json_is_null(json_array_get(list, 0)) &&
	    !json_is_null(json_array_get(list, 1)))
		return list;
	json_decref(list);
	return json_null();
}

static json_t *objects(const json_t *value, const struct field *field)
{
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(value) && i < field->max; i++) {
		json_t *one = copy(field->fields, json_array_get(value, i));

		if (one)
			json_array_append_new(list, one);
	}
	return list;
}

static json_t *names(const json_t *value)
{
	json_t *out = json_object();
	const char *name;
	json_t *one;

	json_object_foreach((json_t *)(uintptr_t)value, name, one)
	{
		if (json_object_size(out) == LABELS_MAX)
			break;
		if (strlen(name) <= NAME_MAX_LEN && json_is_string(one))
			json_object_set_new(out, name, text(one));
	}
	return out;
}

/* NULL when what is required is missing. */
static json_t *clean(const struct field *field, const json_t *value)
{
	switch (field->kind) {
	case TEXT:
		return text(value);
	case SHOWN:
		return shown(value, field->max);
	case NUMBER:
		return number(value, field->low, INT64_MAX);
	case WHOLE:
		return json_is_integer(value) ? json_integer(json_integer_value(value)) : NULL;
	case PORT:
		return number(value, 0, UINT16_MAX);
	case BOOLEAN:
		return json_boolean(json_is_true(value));
	case MAYBE:
		return json_is_boolean(value) ? json_boolean(json_is_true(value)) : json_null();
	case WORD:
		return word(value, field->parse);
	case ORIGIN:
		return json_is_string(value) ? word(value, field->parse) : json_null();
	case HEX:
		return hex(value, field->max);
	case TEXTS:
		return texts(value, field->max);
	case SET:
		return set(value, field);
	case RANGE:
		return range(value);
	case OBJECT:
		return copy(field->fields, value);
	case OPTION:
		return json_is_object(value) ? copy(field->fields, value) : json_null();
	case OBJECTS:
		return objects(value, field);
	case NAMES:
		return names(value);
	}
	return NULL;
}

/* NULL when it is no object, or something required is missing. */
static json_t *copy(const struct field *fields, const json_t *from)
{
	json_t *out = json_is_object(from) ? json_object() : NULL;

	for (; out && fields->name; fields++) {
		if (!json_object_set_new(out, fields->name,
		                         clean(fields, json_object_get(from, fields->name))))
			continue;
		json_decref(out);
		out = NULL;
	}
	return out;
}

static json_t *effect_of(const json_t *from)
{
	const json_t *effect = json_object_get(from, "effect");
	const char *class = mw_field_text(effect, "class");
	int number = class ? mw_class_parse(class) : -EINVAL;
	json_t *detail =
	        number < 0 ? NULL : copy(details[number], json_object_get(effect, "detail"));

	return detail ? json_pack("{s:s, s:o}", "class", class, "detail", detail) : NULL;
}

int mw_message_clean(const json_t *from, json_t **ret)
{
	json_t *out = copy(alert, from);

	if (!out)
		return -EBADMSG;
	if (json_object_set_new(out, "effect", effect_of(from)) ||
	    !json_array_size(json_object_get(out, "seen_by"))) {
		json_decref(out);
		return -EBADMSG;
	}
	*ret = out;
	return 0;
}
