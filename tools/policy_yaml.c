#include "policy_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/* Text of the file goes to a terminal: nothing that moves the cursor is in it. */
int mw_source_wrong(struct mw_source *s, yaml_mark_t mark, const char *format, ...)
{
	char what[512];
	struct mw_text text;
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	mw_text_start(&text, s->error, s->error_size);
	mw_text_add(&text, "%s:%zu:%zu: ", s->name, mark.line + 1, mark.column + 1);
	mw_text_shown(&text, what, strlen(what), 2 * sizeof(what));
	return -EINVAL;
}

int mw_source_no_room(struct mw_source *s, int64_t error)
{
	mw_source_wrong(s, s->event.start_mark, "%s",
	                error == -EFBIG ? "the compiled policy would be too large"
	                                : "not enough memory");
	return (int)error;
}

yaml_mark_t mw_yaml_stopped(const yaml_parser_t *parser, const char *text, size_t len)
{
	yaml_mark_t mark = {0};

	if (parser->error != YAML_READER_ERROR)
		return parser->problem_mark;
	for (size_t i = 0; i < parser->problem_offset && i < len; i++) {
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* Aliases would let a short text stand for a huge one. */
int mw_source_next(struct mw_source *s)
{
	const yaml_parser_t *p = &s->parser;

	yaml_event_delete(&s->event);
	if (!yaml_parser_parse(&s->parser, &s->event)) {
		memset(&s->event, 0, sizeof(s->event));
		if (p->error == YAML_MEMORY_ERROR)
			return mw_source_no_room(s, -ENOMEM);
		return mw_source_wrong(s, mw_yaml_stopped(p, s->text, s->len), "no valid YAML: %s",
		                       p->problem ? p->problem : "unknown error");
	}
	if (s->event.type == YAML_ALIAS_EVENT)
		return mw_source_complain(s, "aliases (*name) are not allowed");
	return 0;
}

/* The scalar in the current event, which may hold NUL bytes: `what` must not. */
int mw_source_scalar(struct mw_source *s, const char *what, const char **ret, size_t *ret_len)
{
	if (s->event.type != YAML_SCALAR_EVENT)
		return mw_source_complain(s, "%s must be a single value", what);
	*ret = (const char *)s->event.data.scalar.value;
	*ret_len = s->event.data.scalar.length;
	if (!*ret_len)
		return mw_source_complain(s, "%s is empty", what);
	for (size_t i = 0; i < *ret_len; i++)
		if ((unsigned char)(*ret)[i] < ' ' && (*ret)[i] != '\n' && (*ret)[i] != '\t')
			return mw_source_complain(s, "%s has a control character", what);
	return 0;
}

/* A value, or a list of values: one item after the other goes to `take`. Ends on the value's last
 * event. */
int mw_source_items(struct mw_source *s, const char *what, mw_source_take *take, void *out)
{
	bool any = false;
	int error;

	if (s->event.type == YAML_SCALAR_EVENT)
		return take(s, what, out);
	if (s->event.type != YAML_SEQUENCE_START_EVENT)
		return mw_source_complain(s, "%s must be a value or a list of values", what);
	for (;;) {
		error = mw_source_next(s);
		if (error)
			return error;
		if (s->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		error = take(s, what, out);
		if (error)
			return error;
		any = true;
	}
	return any ? 0 : mw_source_complain(s, "%s is an empty list: leave the field out", what);
}

static int take_pair(struct mw_source *s, const char *what, mw_source_take_pair *take, void *out)
{
	char key[128];
	const char *text;
	size_t len;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	if (len >= sizeof(key))
		return mw_source_complain(s, "%s: '%.32s...' is too long a word", what, text);
	memcpy(key, text, len + 1);
	error = mw_source_next(s);
	if (!error)
		error = mw_source_scalar(s, key, &text, &len);
	return error ? error : take(s, key, text, out);
}

int mw_source_pairs(struct mw_source *s, const char *what, mw_source_take_pair *take, void *out)
{
	int error;

	if (s->event.type != YAML_MAPPING_START_EVENT)
		return mw_source_complain(s, "%s must be a mapping of words to values", what);
	for (;;) {
		error = mw_source_next(s);
		if (error || s->event.type == YAML_MAPPING_END_EVENT)
			return error;
		error = take_pair(s, what, take, out);
		if (error)
			return error;
	}
}

/* Marks count characters. */
size_t mw_source_place(struct mw_source *s, yaml_mark_t mark)
{
	while (s->characters < mark.index && s->bytes < s->len) {
		s->bytes++;
		while (s->bytes < s->len && ((unsigned char)s->text[s->bytes] & 0xc0) == 0x80)
			s->bytes++;
		s->characters++;
	}
	return s->bytes;
}
