#include "yaml_json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "policy_yaml.h"
#include "text.h"

#define DEPTH_MAX 8

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	const char *name, *text;
	size_t len;
	char *error;
	size_t error_size;
};

static json_t *complain(struct reader *r, yaml_mark_t mark, const char *what)
{
	snprintf(r->error, r->error_size, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1,
	         what);
	return NULL;
}

static bool next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event))
		return true;
	memset(&r->event, 0, sizeof(r->event));
	complain(r, mw_yaml_stopped(&r->parser, r->text, r->len),
	         r->parser.problem ? r->parser.problem : "no valid YAML");
	return false;
}

static json_t *value(struct reader *r, int depth);

static json_t *list(struct reader *r, int depth)
{
	json_t *out = json_array();

	while (out) {
		json_t *item;

		if (!next(r))
			break;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return out;
		item = value(r, depth);
		if (!item)
			break;
		json_array_append_new(out, item);
	}
	json_decref(out);
	return NULL;
}

/* The key in the current event and what follows it. */
static bool pair(struct reader *r, json_t *out, int depth)
{
	char key[64];
	json_t *item;

	if (r->event.type != YAML_SCALAR_EVENT || r->event.data.scalar.length >= sizeof(key)) {
		complain(r, r->event.start_mark, "a field's name is one short word");
		return false;
	}
	snprintf(key, sizeof(key), "%s", (const char *)r->event.data.scalar.value);
	if (json_object_get(out, key)) {
		complain(r, r->event.start_mark, "this field is there twice");
		return false;
	}
	if (!next(r))
		return false;
	item = value(r, depth);
	return item && !json_object_set_new(out, key, item);
}

static json_t *mapping(struct reader *r, int depth)
{
	json_t *out = json_object();
	size_t line = r->event.start_mark.line + 1;

	while (out && next(r)) {
		if (r->event.type == YAML_MAPPING_END_EVENT) {
			json_object_set_new(out, "line", json_integer((json_int_t)line));
			return out;
		}
		if (!pair(r, out, depth))
			break;
	}
	json_decref(out);
	return NULL;
}

static json_t *value(struct reader *r, int depth)
{
	json_t *out;

	if (depth == DEPTH_MAX)
		return complain(r, r->event.start_mark, "it is nested too deeply");
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		out = json_stringn((const char *)r->event.data.scalar.value,
		                   r->event.data.scalar.length);
		return out ? out : complain(r, r->event.start_mark, "this is no text in UTF-8");
	case YAML_SEQUENCE_START_EVENT:
		return list(r, depth + 1);
	case YAML_MAPPING_START_EVENT:
		return mapping(r, depth + 1);
	case YAML_ALIAS_EVENT:
		return complain(r, r->event.start_mark, "aliases (*name) are not allowed");
	default:
		return complain(r, r->event.start_mark, "the document is empty");
	}
}

/* The value of the document, which is the only one. */
static json_t *whole(struct reader *r)
{
	json_t *out = value(r, 0);

	if (!out)
		return NULL;
	if (next(r) && next(r)) { /* the end of the document, and of the stream */
		if (r->event.type == YAML_STREAM_END_EVENT)
			return out;
		complain(r, r->event.start_mark, "there is a second document");
	}
	json_decref(out);
	return NULL;
}

json_t *mw_yaml_json(const char *name, const char *text, size_t len, char *error, size_t error_size)
{
	size_t mark = mw_utf8_mark(text, len);
	struct reader r = {.name = name,
	                   .text = text + mark,
	                   .len = len - mark,
	                   .error = error,
	                   .error_size = error_size};
	json_t *out = NULL;

	snprintf(error, error_size, "%s: not enough memory", name);
	if (!yaml_parser_initialize(&r.parser))
		return NULL;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text, r.len);
	if (next(&r) && next(&r) && next(&r)) /* the start of the stream, and of the document */
		out = whole(&r);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return out;
}
