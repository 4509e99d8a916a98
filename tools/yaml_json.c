#include "yaml_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define DEPTH_MAX 8

static int value(struct mw_source *s, int depth, json_t **ret);

static int list(struct mw_source *s, int depth, json_t *out)
{
	json_t *item;
	int error;

	for (;;) {
		error = mw_source_next(s);
		if (error || s->event.type == YAML_SEQUENCE_END_EVENT)
			return error;
		error = value(s, depth, &item);
		if (error)
			return error;
		if (json_array_append_new(out, item))
			return mw_source_no_room(s, -ENOMEM);
	}
}

/* The key in the current event and what follows it. */
static int pair(struct mw_source *s, json_t *out, int depth)
{
	char key[64];
	json_t *item;
	int error;

	if (s->event.type != YAML_SCALAR_EVENT || s->event.data.scalar.length >= sizeof(key))
		return mw_source_complain(s, "a field's name is one short word");
	snprintf(key, sizeof(key), "%s", (const char *)s->event.data.scalar.value);
	if (json_object_get(out, key))
		return mw_source_complain(s, "this field is there twice");
	error = mw_source_next(s);
	if (!error)
		error = value(s, depth, &item);
	if (error)
		return error;
	return json_object_set_new(out, key, item)
	               ? mw_source_complain(s, "this is no text in UTF-8")
	               : 0;
}

static int mapping(struct mw_source *s, int depth, json_t *out)
{
	json_int_t line = (json_int_t)s->event.start_mark.line + 1;
	int error;

	do {
		error = mw_source_next(s);
		if (!error && s->event.type == YAML_MAPPING_END_EVENT)
			return json_object_set_new(out, "line", json_integer(line))
			               ? mw_source_no_room(s, -ENOMEM)
			               : 0;
		if (!error)
			error = pair(s, out, depth);
	} while (!error);
	return error;
}

static int fill(struct mw_source *s, int depth, json_t **ret)
{
	if (s->event.type == YAML_SEQUENCE_START_EVENT) {
		*ret = json_array();
		return *ret ? list(s, depth + 1, *ret) : mw_source_no_room(s, -ENOMEM);
	}
	*ret = json_object();
	return *ret ? mapping(s, depth + 1, *ret) : mw_source_no_room(s, -ENOMEM);
}

static int value(struct mw_source *s, int depth, json_t **ret)
{
	int error;

	if (depth == DEPTH_MAX)
		return mw_source_complain(s, "it is nested too deeply");
	if (s->event.type == YAML_SCALAR_EVENT) {
		*ret = json_stringn((const char *)s->event.data.scalar.value,
		                    s->event.data.scalar.length);
		return *ret ? 0 : mw_source_complain(s, "this is no text in UTF-8");
	}
	if (s->event.type != YAML_SEQUENCE_START_EVENT && s->event.type != YAML_MAPPING_START_EVENT)
		return mw_source_complain(s, "the document is empty");
	error = fill(s, depth, ret);
	if (error) {
		json_decref(*ret);
		*ret = NULL;
	}
	return error;
}

int mw_source_json(struct mw_source *s, json_t **ret)
{
	return value(s, 0, ret);
}

/* The value of the document, which is the only one. */
static int whole(struct mw_source *s, json_t **ret)
{
	int error = 0;

	for (int i = 0; i < 3 && !error; i++) /* the start of the stream, and of the document */
		error = mw_source_next(s);
	if (!error)
		error = mw_source_json(s, ret);
	for (int i = 0; i < 2 && !error; i++) /* the ends of both */
		error = mw_source_next(s);
	if (!error && s->event.type != YAML_STREAM_END_EVENT)
		error = mw_source_complain(s, "there is a second document");
	return error;
}

json_t *mw_yaml_json(const char *name, const char *text, size_t len, char *error, size_t error_size)
{
	size_t mark = mw_utf8_mark(text, len);
	struct mw_source s = {.name = name,
	                      .text = text + mark,
	                      .len = len - mark,
	                      .error = error,
	                      .error_size = error_size};
	json_t *out = NULL;

	snprintf(error, error_size, "%s: not enough memory", name);
	if (!yaml_parser_initialize(&s.parser))
		return NULL;
	yaml_parser_set_encoding(&s.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&s.parser, (const unsigned char *)s.text, s.len);
	if (whole(&s, &out)) {
		json_decref(out);
		out = NULL;
	}
	yaml_event_delete(&s.event);
	yaml_parser_delete(&s.parser);
	return out;
}
