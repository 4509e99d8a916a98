#include "sink_keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/quantity.h"

#define COUNT_MAX 1000000
#define WAIT_MAX (3600 * 1000)

/* One key on its way into its field. */
struct reading {
	const struct mw_key *key;
	const json_t *value;
	void *field;
	unsigned int type;
	void *out;
	const char *where;
	char *why;
	size_t why_size;
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reading *r, const char *format,
                                                       ...)
{
	int used = snprintf(r->why, r->why_size, "%s: %s: ", r->where, r->key->name);
	va_list args;

	va_start(args, format);
	if (used > 0 && (size_t)used < r->why_size)
		vsnprintf(r->why + used, r->why_size - (size_t)used, format, args);
	va_end(args);
	return -EINVAL;
}

static int take_text(const struct reading *r, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*(char **)r->field);
	*(char **)r->field = copy;
	return 0;
}

static int take_file(const struct reading *r, const char *text)
{
	return *text == '/' ? take_text(r, text) : wrong(r, "'%s' does not begin with '/'", text);
}

static int take_bool(const struct reading *r, const char *text)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return wrong(r, "'%s' is neither true nor false", text);
	*(bool *)r->field = *text == 't';
	return 0;
}

static int take_count(const struct reading *r, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n > COUNT_MAX)
		return wrong(r, "'%s' is no whole number up to %d", text, COUNT_MAX);
	*(int *)r->field = (int)n;
	return 0;
}

static int take_wait(const struct reading *r, const char *text)
{
	uint64_t ms;

	if (mw_quantity_parse_time(text, &ms) || ms > WAIT_MAX)
		return wrong(r, "'%s' is no time up to 1h: a number and ms, s, m or h", text);
	*(int *)r->field = (int)ms;
	return 0;
}

static int take_time(const struct reading *r, const char *text)
{
	*(uint64_t *)r->field = 0;
	if (strcmp(text, "off") != 0 && mw_quantity_parse_time(text, r->field))
		return wrong(r, "'%s' is no time: a number and ms, s, m or h, or off", text);
	return 0;
}

static int take_bytes(const struct reading *r, const char *text)
{
	*(uint64_t *)r->field = 0;
	if (strcmp(text, "off") != 0 && mw_quantity_parse_bytes(text, r->field))
		return wrong(r, "'%s' is no size: a number and KiB, MiB, GiB, or off", text);
	return 0;
}

static int take_word(const struct reading *r, const char *text)
{
	int word = r->key->word(text);

	if (word < 0)
		return wrong(r, "'%s' is not known: it is %s", text, r->key->words);
	*(int *)r->field = word;
	return 0;
}

static int (*const scalars[])(const struct reading *r, const char *text) = {
        [MW_KEY_TEXT] = take_text,   [MW_KEY_FILE] = take_file, [MW_KEY_BOOL] = take_bool,
        [MW_KEY_COUNT] = take_count, [MW_KEY_TIME] = take_time, [MW_KEY_BYTES] = take_bytes,
        [MW_KEY_WORD] = take_word,   [MW_KEY_WAIT] = take_wait,
};

/* A single value is a list of one. */
static int take_list(const struct reading *r)
{
	json_t *list = json_is_array(r->value) ? json_copy((json_t *)(uintptr_t)r->value)
	                                       : json_pack("[O]", r->value);
	const json_t *item;
	size_t i;

	if (!list)
		return -ENOMEM;
	json_array_foreach(list, i, item)
	{
		if (json_is_string(item))
			continue;
		json_decref(list);
		return wrong(r, "it is a list of words");
	}
	json_decref(*(json_t **)r->field);
	*(json_t **)r->field = list;
	return 0;
}

static int take_map(const struct reading *r)
{
	json_t *map = json_copy((json_t *)(uintptr_t)r->value);
	const char *name;
	const json_t *value;

	if (!map)
		return -ENOMEM;
	json_object_foreach(map, name, value)
	{
		if (json_is_string(value))
			continue;
		json_decref(map);
		return wrong(r, "it is a mapping of words to values");
	}
	json_decref(*(json_t **)r->field);
	*(json_t **)r->field = map;
	return 0;
}

static int take(const struct reading *r)
{
	enum mw_key_kind kind = r->key->kind;
	bool is_object = kind == MW_KEY_MAP || kind == MW_KEY_TABLE;

	if (is_object && !json_is_object(r->value))
		return wrong(r, "it is a mapping of words to values");
	if (kind == MW_KEY_TABLE)
		return mw_keys_read(r->key->below, r->value, r->type, r->out, r->where, r->why,
		                    r->why_size);
	if (kind == MW_KEY_MAP)
		return take_map(r);
	if (kind == MW_KEY_LIST)
		return take_list(r);
	if (!json_is_string(r->value) || !json_string_length(r->value))
		return wrong(r, "it is a single value");
	return scalars[kind](r, json_string_value(r->value));
}

static const struct mw_key *find(const struct mw_key *keys, const char *name)
{
	while (keys->name && strcmp(keys->name, name) != 0)
		keys++;
	return keys->name ? keys : NULL;
}

int mw_keys_read(const struct mw_key *keys, const json_t *from, unsigned int type, void *out,
                 const char *where, char *why, size_t why_size)
{
	struct reading r = {
	        .type = type, .out = out, .where = where, .why = why, .why_size = why_size};
	const char *name;
	json_t *value;
	int error = 0;

	json_object_foreach((json_t *)(uintptr_t)from, name, value)
	{
		if (error)
			break;
		r.key = find(keys, name);
		if (!r.key || (r.key->of && !(r.key->of & type))) {
			snprintf(why, why_size, "%s: there is no key '%.40s' here", where, name);
			return -EINVAL;
		}
		r.value = value;
		r.field = (char *)out + r.key->at;
		error = take(&r);
		if (error == -ENOMEM)
			snprintf(why, why_size, "%s: not enough memory", where);
	}
	return error;
}

void mw_keys_free(const struct mw_key *keys, void *out)
{
	for (; keys->name; keys++) {
		void *field = (char *)out + keys->at;

		if (keys->kind == MW_KEY_TEXT || keys->kind == MW_KEY_FILE)
			free(*(char **)field);
		else if (keys->kind == MW_KEY_LIST || keys->kind == MW_KEY_MAP)
			json_decref(*(json_t **)field);
		else if (keys->kind == MW_KEY_TABLE)
			mw_keys_free(keys->below, out);
	}
}
