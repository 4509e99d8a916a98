#include "policy_source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "policy_rule.h"
#include "policy_secrets.h"
#include "policy_yaml.h"

#define VERSION_WORD "1"

static int take_rules(struct mw_source *s)
{
	int error;

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

/* What a policy has at its top, each once. */
static const struct top {
	const char *name;
	int (*take)(struct mw_source *s);
} tops[] = {{"version", take_version}, {"rules", take_rules}, {"secrets", mw_policy_secrets}};
#define TOPS (sizeof(tops) / sizeof(*tops))

static int take_top(struct mw_source *s, bool seen[static TOPS])
{
	const char *text;
	size_t len, i = 0;
	int error = mw_source_scalar(s, "a field's name", &text, &len);

	if (error)
		return error;
	while (i < TOPS && strcmp(text, tops[i].name))
		i++;
	if (i == TOPS)
		return mw_source_complain(s, "unknown field '%.32s'", text);
	if (seen[i])
		return mw_source_complain(s, "'%s' is there twice", text);
	seen[i] = true;
	error = mw_source_next(s);
	return error ? error : tops[i].take(s);
}

static int take_document(struct mw_source *s)
{
	bool seen[TOPS] = {false};
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
		error = take_top(s, seen);
		if (error)
			return error;
	}
	if (!seen[0])
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

int mw_policy_source(struct mw_policy_build *build, const char *name, const char *text, size_t len,
                     char *error, size_t error_size)
{
	struct mw_source s = {
	        .build = build, .name = name, .error = error, .error_size = error_size};
	int result;

	if (!yaml_parser_initialize(&s.parser)) {
		snprintf(error, error_size, "%s: not enough memory", name);
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&s.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&s.parser, (const unsigned char *)text, len);
	result = take_stream(&s);
	yaml_event_delete(&s.event);
	yaml_parser_delete(&s.parser);
	return result;
}
