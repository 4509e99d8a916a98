#include "policy_source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../courier/sink_config.h"
#include "policy_floor.h"
#include "policy_limits.h"
#include "policy_rule.h"
#include "policy_secrets.h"
#include "policy_yaml.h"
#include "text.h"

#define VERSION_WORD "1"

static int take_rules(struct mw_source *s)
{
	int error;

	if (s->event.type == YAML_SCALAR_EVENT && !s->event.data.scalar.length)
		return 0; /* nothing behind the colon */
	if (s->event.type != YAML_SEQUENCE_START_EVENT)
		return mw_source_complain(s, "'rules' must be a list");
	for (;;) {
		error = mw_source_next(s);
		if (error)
			return error;
		if (s->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		error = mw_policy_rule(s);
		if (error)
			return error;
	}
}

static int take_version(struct mw_source *s)
{
	const char *text;
	size_t len;
	int error = mw_source_scalar(s, "version", &text, &len);

	if (!error && strcmp(text, VERSION_WORD))
		error = mw_source_complain(
		        s, "version '%.16s' is not known: this program reads version " VERSION_WORD,
		        text);
	return error;
}

static int take_mode(struct mw_source *s)
{
	const char *text;
	size_t len;
	int mode, error = mw_source_scalar(s, "mode", &text, &len);

	if (error)
		return error;
	mode = mw_verdict_parse(text);
	if (mode < MW_OBSERVE)
		return mw_source_complain(
		        s, "mode '%.16s' is not known: it is observe, alert, deny or kill", text);
	s->build->mode = mode;
	return 0;
}

static int take_label(struct mw_source *s, const char *key, const char *value, void *out)
{
	(void)out;
	return json_object_set_new(s->build->labels, key, json_string(value))
	               ? mw_source_no_room(s, -ENOMEM)
	               : 0;
}

static int take_labels(struct mw_source *s)
{
	return mw_source_pairs(s, "labels", take_label, NULL);
}

static int take_sinks(struct mw_source *s)
{
	return mw_sinks_take_sinks(s, s->build->sinks);
}

static int take_spool(struct mw_source *s)
{
	return mw_sinks_take_spool(s, s->build->sinks);
}

static const struct part {
	const char *name;
	int (*take)(struct mw_source *s);
} parts[] = {
        {"version", take_version},      {"mode", take_mode},
        {"labels", take_labels},        {"rules", take_rules},
        {"secrets", mw_policy_secrets}, {"limits", mw_policy_limits},
        {"floor", mw_policy_floor},     {"sinks", take_sinks},
        {"spool", take_spool},
};
#define PARTS (sizeof(parts) / sizeof(*parts))

static int take_part(struct mw_source *s, unsigned int *seen)
{
	const char *text;
	size_t len, i = 0;
	int error = mw_source_scalar(s, "a field's name", &text, &len);

	if (error)
		return error;
	while (i < PARTS && strcmp(parts[i].name, text))
		i++;
	if (i == PARTS)
		return mw_source_complain(s, "unknown field '%.32s'", text);
	if (*seen >> i & 1)
		return mw_source_complain(s, "'%s' is there twice", text);
	*seen |= 1u << i;
	error = mw_source_next(s);
	return error ? error : parts[i].take(s);
}

static int take_document(struct mw_source *s)
{
	unsigned int seen = 0;
	int error = mw_source_next(s);

	if (error)
		return error;
	if (s->event.type != YAML_MAPPING_START_EVENT)
		return mw_source_complain(s, "a policy starts with 'version: " VERSION_WORD "'");
	for (;;) {
		error = mw_source_next(s);
		if (error)
			return error;
		if (s->event.type == YAML_MAPPING_END_EVENT)
			break;
		error = take_part(s, &seen);
		if (error)
			return error;
	}
	if (!(seen & 1))
		return mw_source_complain(s, "'version: " VERSION_WORD "' is missing");
	return mw_source_next(s);
}

/* Stream start, one document, stream end. */
static int take_stream(struct mw_source *s)
{
	int error = mw_source_next(s);

	if (!error)
		error = mw_source_next(s);
	if (!error && s->event.type != YAML_DOCUMENT_START_EVENT)
		return mw_source_complain(
		        s, "the policy is empty: it starts with 'version: " VERSION_WORD "'");
	if (!error)
		error = take_document(s);
	if (!error)
		error = mw_source_next(s);
	if (!error && s->event.type != YAML_STREAM_END_EVENT)
		error = mw_source_complain(s, "a policy is one document");
	return error;
}

int mw_policy_source(struct mw_policy_build *build, const char *name, enum mw_layer layer,
                     const char *text, size_t len, char *error, size_t error_size)
{
	size_t mark = mw_utf8_mark(text, len);
	struct mw_source s = {.build = build,
	                      .name = name,
	                      .text = text + mark,
	                      .len = len - mark,
	                      .error = error,
	                      .error_size = error_size};
	int result = mw_policy_begin(build, name, layer);

	if (!result && !yaml_parser_initialize(&s.parser))
		result = -ENOMEM;
	if (result) {
		snprintf(error, error_size, "%s: %s", name,
		         result == -E2BIG ? "too many files" : "not enough memory");
		return result;
	}
	yaml_parser_set_encoding(&s.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&s.parser, (const unsigned char *)s.text, s.len);
	result = take_stream(&s);
	yaml_event_delete(&s.event);
	yaml_parser_delete(&s.parser);
	return result;
}
