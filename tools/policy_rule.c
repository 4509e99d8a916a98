#include "policy_rule.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "../core/effect.h"
#include "policy_values.h"
#include "when.h"

#define NAME_MAX_LEN 100
#define WORD_MAX_LEN 32
#define WHO_COUNT (MW_WHO_LABELS + 1)
#define SECOND INT64_C(1000000000)
#define DAY (INT64_C(24) * 3600)

struct rule {
	struct mw_policy_item item;
	struct mw_condition conditions[MW_FIELD_COUNT];
	struct mw_who_condition who[WHO_COUNT];
	uint64_t seen; /* bit per field of a rule */
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

static int take_verdict(struct mw_source *s, const char *what, struct rule *rule)
{
	int value = one_word(s, what, mw_verdict_parse);

	if (value < 0)
		return value;
	rule->item.image.verdict = (uint8_t)value;
	return 0;
}

static int take_severity(struct mw_source *s, const char *what, struct rule *rule)
{
	int value = one_word(s, what, mw_severity_parse);

	if (value < 0)
		return value;
	rule->item.image.severity = (uint8_t)value;
	return 0;
}

static int take_note(struct mw_source *s, const char *what, uint32_t *ret)
{
	const char *text;
	size_t len;
	int64_t at;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	at = mw_policy_note(s->build, text, len);
	if (at < 0)
		return mw_source_no_room(s, at);
	*ret = (uint32_t)at;
	return 0;
}

static int take_reason(struct mw_source *s, const char *what, struct rule *rule)
{
	return take_note(s, what, &rule->item.reason);
}

static int take_owner(struct mw_source *s, const char *what, struct rule *rule)
{
	return take_note(s, what, &rule->item.owner);
}

/* A day counts to its end. */
static int parse_time(const char *text, size_t len, int64_t *ret)
{
	static const char midnight[] = "T00:00:00Z";
	char day[sizeof("2026-12-31") + sizeof(midnight)];
	int64_t when;
	bool whole_day = len == strlen("2026-12-31");

	if (whole_day) {
		memcpy(day, text, len);
		memcpy(day + len, midnight, sizeof(midnight));
		text = day;
	}
	if (mw_when_rfc3339(text, &when))
		return -EINVAL;
	*ret = when / SECOND + (whole_day ? DAY : 0);
	return 0;
}

/* The file that somebody names now is held to what it says; one of the site that ran out overnight
 * must not stop every job: its rule is void, and alerts say so. */
static int take_expires(struct mw_source *s, const char *what, struct rule *rule)
{
	const char *text;
	size_t len;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	if (parse_time(text, len, &rule->item.image.expires) || !rule->item.image.expires)
		return mw_source_complain(
		        s,
		        "%s: '%.40s' is no day or time until 2261 as RFC 3339 writes it "
		        "(2027-01-31)",
		        what, text);
	if (s->build->sources[rule->item.source].layer == MW_COMMAND_LINE &&
	    rule->item.image.expires <= s->build->now)
		return mw_source_complain(s, "%s: %.40s is in the past: the rule has expired", what,
		                          text);
	return 0;
}

static int take_final(struct mw_source *s, const char *what, struct rule *rule)
{
	const char *text;
	size_t len;
	int error = mw_source_scalar(s, what, &text, &len);

	if (error)
		return error;
	if (strcmp(text, "true") && strcmp(text, "false"))
		return mw_source_complain(s, "%s is true or false", what);
	rule->item.final = *text == 't';
	if (rule->item.final && s->build->sources[rule->item.source].layer != MW_SITE)
		return mw_source_complain(s, "only the site's rules can be final");
	return 0;
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
	if (at < 0 || mw_policy_text(s->build, "", 0) < 0)
		return mw_source_no_room(s, at < 0 ? at : -ENOMEM);
	rule->item.image.name = (uint32_t)at;
	return 0;
}

enum { NAME, VERDICT };

/* The fields that are no conditions of mw_field: they have words (then `parse` knows them), which
 * go to `at` in the image; or a function of their own. */
static const struct field {
	const char *name;
	int (*take)(struct mw_source *s, const char *what, struct rule *rule);
	size_t at;
	parse_word *parse;
} fields[] = {
        [NAME] = {"name", take_name, 0, NULL},
        [VERDICT] = {"verdict", take_verdict, 0, NULL},
        {"severity", take_severity, 0, NULL},
        {"reason", take_reason, 0, NULL},
        {"owner", take_owner, 0, NULL},
        {"expires", take_expires, 0, NULL},
        {"final", take_final, 0, NULL},
        {"effect", NULL, offsetof(struct mw_rule, classes), mw_class_parse},
        {"cause", NULL, offsetof(struct mw_rule, causes), mw_cause_parse},
        {"origin", NULL, offsetof(struct mw_rule, origins), mw_origin_parse},
        {"when", NULL, offsetof(struct mw_rule, all), mw_fact_parse},
        {"unless", NULL, offsetof(struct mw_rule, none), mw_fact_parse},
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

static const char *const whos[WHO_COUNT] = {
        [MW_WHO_USER] = "uid",    [MW_WHO_GROUP] = "group",         [MW_WHO_JOB] = "job",
        [MW_WHO_IMAGE] = "image", [MW_WHO_NAMESPACE] = "namespace", [MW_WHO_LABELS] = "labels",
};

static int take_value(struct mw_source *s, const struct field *field, struct rule *rule)
{
	if (field->take)
		return field->take(s, field->name, rule);
	return words(s, field->name, field->parse,
	             (uint32_t *)(void *)((char *)&rule->item.image + field->at));
}

static int take_condition(struct mw_source *s, enum mw_field field, struct rule *rule)
{
	return mw_policy_condition(s, mw_field_name(field), field,
	                           &rule->conditions[rule->item.image.condition_count++]);
}

static int take_who(struct mw_source *s, enum mw_who who, struct rule *rule)
{
	struct mw_who_condition *condition = &rule->who[rule->item.who_count++];

	condition->who = who;
	return mw_policy_patterns(s, whos[who], &condition->values);
}

static int find_word(const char *word)
{
	int field = mw_field_parse(word);

	for (size_t i = 0; i < FIELDS; i++)
		if (!strcmp(fields[i].name, word))
			return (int)i;
	for (int i = 0; i < WHO_COUNT; i++)
		if (!strcmp(whos[i], word))
			return (int)FIELDS + i;
	return field < 0 ? field : (int)FIELDS + WHO_COUNT + field;
}

static int take_field(struct mw_source *s, struct rule *rule)
{
	const char *word;
	size_t len;
	int i, error = mw_source_scalar(s, "a field's name", &word, &len);

	if (error)
		return error;
	i = find_word(word);
	if (i < 0)
		return mw_source_complain(s, "unknown field '%.32s'", word);
	if (rule->seen >> i & 1)
		return mw_source_complain(s, "'%.32s' is there twice in one rule", word);
	rule->seen |= UINT64_C(1) << i;
	error = mw_source_next(s);
	if (error)
		return error;
	if (i < (int)FIELDS)
		return take_value(s, &fields[i], rule);
	i -= (int)FIELDS;
	if (i < WHO_COUNT)
		return take_who(s, (enum mw_who)i, rule);
	return take_condition(s, (enum mw_field)(i - WHO_COUNT), rule);
}

/* What a rule lacks, and what does not go together in it. */
static int check_rule(struct mw_source *s, struct rule *rule)
{
	struct mw_rule *image = &rule->item.image;
	const char *name = s->build->text.data + image->name;

	if (!(rule->seen >> NAME & 1))
		return mw_source_wrong(s, rule->mark, "the rule has no name");
	if (!(rule->seen >> VERDICT & 1))
		return mw_source_wrong(s, rule->mark, "rule '%s' has no verdict", name);
	if (image->verdict == MW_ALLOW && !rule->item.reason)
		return mw_source_wrong(s, rule->mark,
		                       "rule '%s' allows something: it needs a reason", name);
	if (image->verdict == MW_ALLOW && !rule->item.owner)
		return mw_source_wrong(s, rule->mark,
		                       "rule '%s' allows something: it needs an owner", name);
	if (image->all & image->none)
		return mw_source_wrong(s, rule->mark,
		                       "rule '%s' never holds: 'when' and 'unless' share a fact",
		                       name);
	return 0;
}

/* The rule as it was written, less the comments behind it, which belong to the next. */
static int keep_text(struct mw_source *s, struct rule *rule, size_t from, size_t to)
{
	int64_t at;

	for (;;) {
		size_t line;

		while (to > from && strchr(" \t\r\n", s->text[to - 1]))
			to--;
		for (line = to; line > from && s->text[line - 1] != '\n';)
			line--;
		if (line <= from || s->text[line + strspn(s->text + line, " \t")] != '#')
			break;
		to = line;
	}
	at = mw_policy_note(s->build, s->text + from, to - from);
	if (at < 0)
		return mw_source_no_room(s, at);
	rule->item.yaml = (uint32_t)at;
	rule->item.yaml_len = (uint32_t)(to - from);
	return 0;
}

static int put(struct mw_source *s, struct mw_buffer *buffer, const void *from, size_t count,
               size_t each, uint32_t *ret_first)
{
	int64_t at = mw_buffer_add(buffer, from, count * each, MW_POLICY_MAX_SIZE);

	if (at < 0)
		return mw_source_no_room(s, at);
	*ret_first = (uint32_t)((size_t)at / each);
	return 0;
}

static int add_rule(struct mw_source *s, struct rule *rule)
{
	struct mw_policy_item *item = &rule->item;
	const struct mw_policy_item *other;
	int error;

	error = put(s, &s->build->conditions, rule->conditions, item->image.condition_count,
	            sizeof(*rule->conditions), &item->image.conditions);
	if (!error)
		error = put(s, &s->build->whos, rule->who, item->who_count, sizeof(*rule->who),
		            &item->who);
	if (error)
		return error;
	error = mw_policy_add(s->build, item, &other);
	if (error == -EEXIST)
		return mw_source_wrong(s, rule->mark, "there is already a rule called '%s' (%s:%u)",
		                       mw_policy_item_name(s->build, item),
		                       s->build->sources[other->source].name, other->line);
	if (error == -E2BIG)
		return mw_source_wrong(s, rule->mark, "more than %u rules", MW_POLICY_MAX_RULES);
	return error ? mw_source_no_room(s, error) : 0;
}

static int take_fields(struct mw_source *s, struct rule *rule)
{
	for (;;) {
		int error = mw_source_next(s);

		if (error || s->event.type == YAML_MAPPING_END_EVENT)
			return error;
		error = take_field(s, rule);
		if (error)
			return error;
	}
}

int mw_policy_rule(struct mw_source *s)
{
	struct rule rule = {.mark = s->event.start_mark};
	struct mw_rule *image = &rule.item.image;
	size_t from;
	int error;

	if (s->event.type != YAML_MAPPING_START_EVENT)
		return mw_source_complain(s, "a rule must be a mapping of fields to values");
	image->classes = image->causes = image->origins = UINT32_MAX;
	image->severity = MW_BY_TABLE;
	rule.item.source = (uint32_t)s->build->source_count - 1;
	rule.item.line = (uint32_t)rule.mark.line + 1;
	rule.item.column = (uint32_t)rule.mark.column + 1;
	from = mw_source_place(s, rule.mark);
	error = take_fields(s, &rule);
	if (!error)
		error = check_rule(s, &rule);
	if (!error)
		error = keep_text(s, &rule, from, mw_source_place(s, s->event.end_mark));
	return error ? error : add_rule(s, &rule);
}
