#include "daemon_message_clean.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../core/words.h"
#include "daemon_message_fields.h"
#include "fields.h"
#include "jsontext.h"

#define LABELS_MAX 64
#define NAME_MAX_LEN 128

static json_t *copy(const struct mw_message_field *fields, const json_t *from);

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

static json_t *set(const json_t *value, const struct mw_message_field *field)
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

static json_t *objects(const json_t *value, const struct mw_message_field *field)
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
static json_t *clean(const struct mw_message_field *field, const json_t *value)
{
	switch (field->kind) {
	case MW_TAKE_TEXT:
		return text(value);
	case MW_TAKE_SHOWN:
		return shown(value, field->max);
	case MW_TAKE_NUMBER:
		return number(value, field->low, INT64_MAX);
	case MW_TAKE_WHOLE:
		return json_is_integer(value) ? json_integer(json_integer_value(value)) : NULL;
	case MW_TAKE_PORT:
		return number(value, 0, UINT16_MAX);
	case MW_TAKE_BOOLEAN:
		return json_boolean(json_is_true(value));
	case MW_TAKE_MAYBE:
		return json_is_boolean(value) ? json_boolean(json_is_true(value)) : json_null();
	case MW_TAKE_WORD:
		return word(value, field->parse);
	case MW_TAKE_CHOICE:
		return json_is_string(value) ? word(value, field->parse) : json_null();
	case MW_TAKE_HEX:
		return hex(value, field->max);
	case MW_TAKE_TEXTS:
		return texts(value, field->max);
	case MW_TAKE_SET:
		return set(value, field);
	case MW_TAKE_RANGE:
		return range(value);
	case MW_TAKE_OBJECT:
		return copy(field->fields, value);
	case MW_TAKE_OPTION:
		return json_is_object(value) ? copy(field->fields, value) : json_null();
	case MW_TAKE_OBJECTS:
		return objects(value, field);
	case MW_TAKE_NAMES:
		return names(value);
	}
	return NULL;
}

/* NULL when it is no object, or something required is missing. */
static json_t *copy(const struct mw_message_field *fields, const json_t *from)
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
	        number < 0 ? NULL
	                   : copy(mw_message_details[number], json_object_get(effect, "detail"));

	return detail ? json_pack("{s:s, s:o}", "class", class, "detail", detail) : NULL;
}

int mw_message_clean(const json_t *from, json_t **ret)
{
	json_t *out = copy(mw_message_alert, from);

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
