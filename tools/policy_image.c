#include "policy_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where the parts of the image begin, and what is in them. */
struct layout {
	const struct mw_policy_build *build;
	struct mw_policy *image;
	const uint32_t *chosen; /* items, in order */
	uint32_t count;
	size_t rules, conditions, numbers, entries, text, size;
};

/* The literal text that tells most about an effect is the key of a rule; what only the monitor
 * knows can be none. */
static const uint8_t worth[MW_FIELD_COUNT] = {
        [MW_FIELD_OP] = 1,         [MW_FIELD_ENTRY] = 2, [MW_FIELD_GLOBAL] = 3,
        [MW_FIELD_EXECUTABLE] = 4, [MW_FIELD_UNIX] = 5,  [MW_FIELD_ARTIFACT] = 6,
        [MW_FIELD_TARGET] = 7,     [MW_FIELD_PATH] = 8,  [MW_FIELD_ARGV] = 9,
};

static const struct mw_rule *rule_at(const struct layout *l, uint32_t i)
{
	return &mw_policy_items(l->build)[l->chosen[i]].image;
}

static const struct mw_condition *conditions_of(const struct layout *l, const struct mw_rule *rule)
{
	return (const struct mw_condition *)(const void *)l->build->conditions.data +
	       rule->conditions;
}

static size_t aligned(size_t at)
{
	return (at + 7) & ~(size_t)7;
}

static uint32_t class_count(const struct layout *l, int class)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < l->count; i++)
		count += rule_at(l, i)->classes >> class & 1;
	return count;
}

static void plan(struct layout *l)
{
	size_t entries = 0;

	for (int class = 0; class < MW_CLASS_COUNT; class ++)
		entries += class_count(l, class);
	l->rules = aligned(sizeof(struct mw_policy));
	l->conditions = l->rules + l->count * sizeof(struct mw_rule);
	l->numbers = aligned(l->conditions + l->build->conditions.len);
	l->entries = aligned(l->numbers + l->build->numbers.len);
	l->text = l->entries + entries * sizeof(struct mw_index_entry);
	l->size = l->text + l->build->text.len;
}

static void copy(struct layout *l, size_t at, const struct mw_buffer *from)
{
	if (from->len)
		memcpy((char *)l->image + at, from->data, from->len);
}

static void put_conditions(struct layout *l)
{
	size_t count = l->build->conditions.len / sizeof(struct mw_condition);
	struct mw_condition *condition = (void *)((char *)l->image + l->conditions);

	copy(l, l->conditions, &l->build->conditions);
	for (size_t i = 0; i < count; i++) {
		size_t base = mw_field_is_number(condition[i].field) ? l->numbers : l->text;

		condition[i].values += (uint32_t)base;
		l->image->fields |= 1u << condition[i].field;
	}
}

static void put_rules(struct layout *l)
{
	struct mw_rule *rules = (void *)((char *)l->image + l->rules);

	for (uint32_t i = 0; i < l->count; i++) {
		rules[i] = *rule_at(l, i);
		rules[i].name += (uint32_t)l->text;
		rules[i].conditions = (uint32_t)(l->conditions +
		                                 rules[i].conditions * sizeof(struct mw_condition));
	}
}

/* What every text begins with that matches the only pattern of the condition; 0: nothing is known.
 */
static uint32_t prefix_of(const struct layout *l, const struct mw_condition *condition,
                          char out[static MW_KEY_PREFIX])
{
	const char *pattern = l->build->text.data + condition->values;
	size_t len = strcspn(pattern, "*?[\\ ");

	if (mw_field_is_number(condition->field) || condition->field == MW_FIELD_ADDRESS ||
	    condition->dynamic || pattern[strlen(pattern) + 1])
		return 0;
	if (len > MW_KEY_PREFIX)
		len = MW_KEY_PREFIX;
	memcpy(out, pattern, len);
	return (uint32_t)len;
}

/* A condition on one text counts for more than one on a beginning. */
static unsigned int value_of(const struct mw_condition *condition, uint32_t prefix_len)
{
	unsigned int value = worth[condition->field];

	return !value ? 0 : condition->hash ? 100 + value : prefix_len ? value : 0;
}

static struct mw_index_entry entry_of(const struct layout *l, uint32_t i)
{
	struct mw_index_entry entry = {.rule = i};
	const struct mw_rule *rule = rule_at(l, i);
	const struct mw_condition *condition = conditions_of(l, rule);
	unsigned int best = 0;

	for (uint32_t k = 0; k < rule->condition_count; k++) {
		char prefix[MW_KEY_PREFIX] = "";
		uint32_t len = prefix_of(l, &condition[k], prefix);

		if (value_of(&condition[k], len) <= best)
			continue;
		best = value_of(&condition[k], len);
		entry.key_field = condition[k].field;
		entry.key_hash = condition[k].hash;
		entry.prefix_len = len;
		memcpy(entry.prefix, prefix, sizeof(prefix));
	}
	return entry;
}

static void put_index(struct layout *l)
{
	size_t at = l->entries;

	for (int class = 0; class < MW_CLASS_COUNT; class ++) {
		l->image->index[class].entries = (uint32_t)at;
		for (uint32_t i = 0; i < l->count; i++) {
			struct mw_index_entry entry;

			if (!(rule_at(l, i)->classes >> class & 1))
				continue;
			entry = entry_of(l, i);
			memcpy((char *)l->image + at, &entry, sizeof(entry));
			at += sizeof(entry);
			l->image->index[class].count++;
		}
	}
}

static int make(struct layout *l, enum mw_verdict mode, const uint8_t digest[static 32])
{
	plan(l);
	if (l->size > MW_POLICY_MAX_SIZE)
		return -EFBIG;
	l->image = calloc(1, l->size);
	if (!l->image)
		return -ENOMEM;
	*l->image = (struct mw_policy){.magic = MW_POLICY_MAGIC,
	                               .version = MW_POLICY_VERSION,
	                               .size = (uint32_t)l->size,
	                               .mode = mode,
	                               .rule_count = l->count,
	                               .rules = (uint32_t)l->rules};
	if (l->build->secrets)
		l->image->secrets = l->build->secrets + (uint32_t)l->text;
	l->image->limits = l->build->limits;
	l->image->floor = l->build->floor;
	memcpy(l->image->digest, digest, sizeof(l->image->digest));
	put_rules(l);
	put_conditions(l);
	put_index(l);
	copy(l, l->numbers, &l->build->numbers);
	copy(l, l->text, &l->build->text);
	return 0;
}

int mw_policy_image(const struct mw_policy_build *build, const json_t *subject,
                    enum mw_verdict mode, const uint8_t digest[static 32], struct mw_policy **ret,
                    size_t *ret_size)
{
	uint32_t *order = mw_policy_order(build);
	struct layout l = {.build = build, .chosen = order};
	size_t all = mw_policy_count(build);
	int error;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < all; i++)
		if (mw_policy_is_for(build, &mw_policy_items(build)[order[i]], subject))
			order[l.count++] = order[i];
	error = make(&l, mode, digest);
	free(order);
	if (error)
		return error;
	*ret = l.image;
	*ret_size = l.size;
	return 0;
}
