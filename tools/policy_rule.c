#include "policy_rule.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NAME_MAX_LEN 100
#define WORD_MAX_LEN 32

struct rule {
	struct mw_rule image;
	bool has_severity, has_reason;
	uint32_t seen; /* bit per entry of `fields` */
	yaml_mark_t mark;
};

typedef int parse_word(const char *word);

static int one_word(struct mw_source *s, const char *what, parse_word *parse)
{
	const char *text;
	size_t len;
	int value, error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	value = len <= WORD_MAX_LEN ? parse(text) : -EINVAL;
	if (value < 0)
		return mw_source_complain(s, "%s: no such word '%.32s'", what, text);
	return value;
}

struct word_set {
	parse_word *parse;
	uint32_t bits;
};

static int take_word(struct mw_source *s, const char *what, void *out)
{
	struct word_set *set = out;
	int bit = one_word(s, what, set->parse);

	if (bit < 0)
		return bit;
	set->bits |= 1u << bit;
	return 0;
}

static int words(struct mw_source *s, const char *what, parse_word *parse, uint32_t *ret)
{
	struct word_set set = {parse, 0};
	int error = mw_source_items(s, what, take_word, &set);

	if (!error)
		*ret = set.bits;
	return error;
}

struct pattern_list {
	uint32_t at;
	bool expand;
};

static int take_pattern(struct mw_source *s, const char *what, void *out)
{
	struct pattern_list *list = out;
	const char *text;
	size_t len;
	int64_t at;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ')
			return mw_source_complain(s, "%s: a pattern has no control characters",
			                          what);
	at = list->expand ? mw_policy_target(s->build, text, len)
	                  : mw_policy_text(s->build, text, len);
	if (at == -EINVAL)
		return mw_source_complain(s, "%s: only {tmp} and {home} can stand in braces", what);
	if (at < 0)
		return mw_source_no_room(s, at);
	if (!list->at)
		list->at = (uint32_t)at;
	return 0;
}

static int patterns(struct mw_source *s, const char *what, bool expand, uint32_t *ret)
{
	struct pattern_list list = {0, expand};
	int error = mw_source_items(s, what, take_pattern, &list);
	int64_t end;

	if (error)
		return error;
	end = mw_policy_text(s->build, "", 0);
	if (end < 0)
		return mw_source_no_room(s, end);
	*ret = list.at;
	return 0;
}

static int take_verdict(struct mw_source *s, const char *what, struct rule *rule)
{
	int value = one_word(s, what, mw_verdict_parse);

	if (value < 0)
		return value;
	rule->image.verdict = (uint8_t)value;
	return 0;
}

static int take_severity(struct mw_source *s, const char *what, struct rule *rule)
{
	int value = one_word(s, what, mw_severity_parse);

	if (value < 0)
		return value;
	rule->image.severity = (uint8_t)value;
	rule->has_severity = true;
	return 0;
}

/* The reason is for the reader of the policy: it has to be there, and is not compiled. */
static int take_reason(struct mw_source *s, const char *what, struct rule *rule)
{
	const char *text;
	size_t len;

	rule->has_reason = true;
	return mw_source_scalar(s, what, &text, &len);
}

static bool is_name(const char *text, size_t len)
{
	static const char *const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                                   "0123456789._-";

	return len <= NAME_MAX_LEN && strspn(text, letters) == len;
}

static int take_name(struct mw_source *s, const char *what, struct rule *rule)
{
	const char *text;
	size_t len;
	int64_t at;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	if (!is_name(text, len))
		return mw_source_complain(
		        s, "a rule's name is at most %d letters, digits, '.', '_' and '-'",
		        NAME_MAX_LEN);
	if (!strcmp(text, "none"))
		return mw_source_complain(s, "'none' is what alerts say when no rule matches");
	at = mw_policy_text(s->build, text, len);
	if (at < 0)
		return mw_source_no_room(s, at);
	rule->image.name = (uint32_t)at;
	return 0;
}

enum { FIELD_NAME, FIELD_VERDICT };

/* A field has words (then `parse` knows them) or patterns, which go to `at` in the rule; or a
 * function of its own. */
static const struct field {
	const char *name;
	int (*take)(struct mw_source *s, const char *what, struct rule *rule);
	size_t at;
	parse_word *parse;
} fields[] = {
        [FIELD_NAME] = {"name", take_name, 0, NULL},
        [FIELD_VERDICT] = {"verdict", take_verdict, 0, NULL},
        {"severity", take_severity, 0, NULL},
        {"reason", take_reason, 0, NULL},
        {"effect", NULL, offsetof(struct mw_rule, classes), mw_class_parse},
        {"cause", NULL, offsetof(struct mw_rule, causes), mw_cause_parse},
        {"origin", NULL, offsetof(struct mw_rule, origins), mw_origin_parse},
        {"when", NULL, offsetof(struct mw_rule, all), mw_fact_parse},
        {"unless", NULL, offsetof(struct mw_rule, none), mw_fact_parse},
        {"op", NULL, offsetof(struct mw_rule, ops), NULL},
        {"target", NULL, offsetof(struct mw_rule, targets), NULL},
        {"argv", NULL, offsetof(struct mw_rule, argv), NULL},
        {"global", NULL, offsetof(struct mw_rule, globals), NULL},
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

static int take_value(struct mw_source *s, const struct field *field, struct rule *rule)
{
	uint32_t *to = (uint32_t *)((char *)&rule->image + field->at);

	if (field->take)
		return field->take(s, field->name, rule);
	if (field->parse)
		return words(s, field->name, field->parse, to);
	return patterns(s, field->name, field->at == offsetof(struct mw_rule, targets), to);
}

static int find_field(const struct mw_source *s)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (!strcmp(fields[i].name, (const char *)s->event.data.scalar.value))
			return (int)i;
	return -1;
}

static int take_field(struct mw_source *s, struct rule *rule)
{
	int error, i = s->event.type == YAML_SCALAR_EVENT ? find_field(s) : -1;

	if (s->event.type != YAML_SCALAR_EVENT)
		return mw_source_complain(s, "a field's name must be a word");
	if (i < 0)
		return mw_source_complain(s, "unknown field '%.32s'",
		                          (const char *)s->event.data.scalar.value);
	if (rule->seen & 1u << i)
		return mw_source_complain(s, "'%s' is there twice in one rule", fields[i].name);
	rule->seen |= 1u << i;
	error = mw_source_next(s);
	return error ? error : take_value(s, &fields[i], rule);
}

/* What a rule lacks, and what does not go together in it. */
static int check_rule(struct mw_source *s, struct rule *rule)
{
	static const uint8_t severity[MW_VERDICT_COUNT] = {MW_INFO, MW_INFO, MW_MEDIUM, MW_HIGH,
	                                                   MW_HIGH};
	const char *name = s->build->text + rule->image.name;

	if (!(rule->seen & 1u << FIELD_NAME))
		return mw_source_wrong(s, rule->mark, "the rule has no name");
	if (!(rule->seen & 1u << FIELD_VERDICT))
		return mw_source_wrong(s, rule->mark, "rule '%s' has no verdict", name);
	if (rule->image.verdict == MW_ALLOW && !rule->has_reason)
		return mw_source_wrong(s, rule->mark,
		                       "rule '%s' allows something: it needs a reason", name);
	if (rule->image.all & rule->image.none)
		return mw_source_wrong(s, rule->mark,
		                       "rule '%s' never holds: 'when' and 'unless' share a fact",
		                       name);
	if (!rule->has_severity)
		rule->image.severity = severity[rule->image.verdict];
	return 0;
}

static int add_rule(struct mw_source *s, const struct rule *rule)
{
	int error = mw_policy_add(s->build, &rule->image);

	if (error == -EEXIST)
		return mw_source_wrong(s, rule->mark, "there is already a rule called '%s'",
		                       s->build->text + rule->image.name);
	if (error == -E2BIG)
		return mw_source_wrong(s, rule->mark, "more than %u rules", MW_POLICY_MAX_RULES);
	if (error)
		return mw_source_no_room(s, error);
	return 0;
}

int mw_policy_rule(struct mw_source *s)
{
	struct rule rule = {.mark = s->event.start_mark};
	int error;

	rule.image.classes = rule.image.causes = rule.image.origins = UINT32_MAX;
	if (s->event.type != YAML_MAPPING_START_EVENT)
		return mw_source_complain(s, "a rule must be a mapping of fields to values");
	for (;;) {
		error = mw_source_next(s);
		if (error)
			return error;
		if (s->event.type == YAML_MAPPING_END_EVENT)
			break;
		error = take_field(s, &rule);
		if (error)
			return error;
	}
	error = check_rule(s, &rule);
	return error ? error : add_rule(s, &rule);
}
