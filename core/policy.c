#include "policy.h"

#include <errno.h>
#include <string.h>

#include "glob.h"

static const char *const fields[] = {
#define X(id, word) [MW_FIELD_##id] = word,
        MW_FIELDS(X)
#undef X
};

const char *mw_field_name(enum mw_field field)
{
	return (unsigned int)field < MW_FIELD_COUNT ? fields[field] : "?";
}

int mw_field_parse(const char *word)
{
	for (int i = 0; i < MW_FIELD_COUNT; i++)
		if (!strcmp(word, fields[i]))
			return i;
	return -EINVAL;
}

uint32_t mw_policy_hash(const char *text)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (uint8_t)(*text == MW_ARGUMENT ? ' ' : *text)) * 16777619u;
	return h ? h : 1;
}

/* The image, its size, and where its parts are to be looked for. */
struct image {
	const struct mw_policy *policy;
	size_t size;
};

static bool holds(const struct image *image, uint32_t at, size_t count, size_t each, size_t align)
{
	return at >= sizeof(*image->policy) && at <= image->size && at % align == 0 &&
	       count <= (image->size - at) / each;
}

/* A list ends before the image does. */
static bool list_is_bounded(const struct image *image, uint32_t list)
{
	size_t i = list;

	if (i < sizeof(*image->policy))
		return false;
	while (i < image->size && mw_policy_text_at(image->policy, 0)[i]) {
		i += strnlen(mw_policy_text_at(image->policy, 0) + i, image->size - i);
		i++;
	}
	return i < image->size;
}

static bool numbers_are_bounded(const struct image *image, uint32_t at)
{
	const struct mw_numbers *numbers;

	if (!holds(image, at, 1, sizeof(*numbers), _Alignof(struct mw_numbers)))
		return false;
	numbers = (const void *)mw_policy_text_at(image->policy, at);
	return numbers->count <= (image->size - at - sizeof(*numbers)) / sizeof(numbers->range[0]);
}

static bool condition_is_valid(const struct image *image, const struct mw_condition *condition)
{
	if (condition->field >= MW_FIELD_COUNT)
		return false;
	return mw_field_is_number(condition->field) ? numbers_are_bounded(image, condition->values)
	                                            : list_is_bounded(image, condition->values);
}

static bool rule_is_valid(const struct image *image, const struct mw_rule *rule)
{
	const struct mw_condition *condition;

	if (rule->verdict >= MW_VERDICT_COUNT || rule->severity > MW_BY_TABLE ||
	    !list_is_bounded(image, rule->name))
		return false;
	if (!holds(image, rule->conditions, rule->condition_count, sizeof(*condition),
	           _Alignof(struct mw_condition)))
		return false;
	condition = (const void *)mw_policy_text_at(image->policy, rule->conditions);
	for (uint32_t i = 0; i < rule->condition_count; i++)
		if (!condition_is_valid(image, &condition[i]))
			return false;
	return true;
}

/* A prefix is of characters that a text has: with its end among them a match would read on. */
static bool entry_is_valid(const struct image *image, const struct mw_index_entry *entry)
{
	return entry->rule < image->policy->rule_count && entry->key_field < MW_FIELD_COUNT &&
	       entry->prefix_len <= MW_KEY_PREFIX &&
	       !memchr(entry->prefix, '\0', entry->prefix_len);
}

static bool index_is_valid(const struct image *image, int class)
{
	const struct mw_index_entry *entry;
	uint32_t at = image->policy->index[class].entries,
	         count = image->policy->index[class].count;

	if (!holds(image, at, count, sizeof(*entry), _Alignof(struct mw_index_entry)))
		return false;
	entry = (const void *)mw_policy_text_at(image->policy, at);
	for (uint32_t i = 0; i < count; i++)
		if (!entry_is_valid(image, &entry[i]))
			return false;
	return true;
}

int mw_policy_check(const struct mw_policy *policy, size_t size)
{
	const struct image image = {policy, size};

	if (size < sizeof(*policy) || size > MW_POLICY_MAX_SIZE ||
	    policy->magic != MW_POLICY_MAGIC || policy->version != MW_POLICY_VERSION ||
	    policy->size != size)
		return -EINVAL;
	if (policy->mode < MW_OBSERVE || policy->mode > MW_KILL ||
	    policy->rule_count > MW_POLICY_MAX_RULES ||
	    !holds(&image, policy->rules, policy->rule_count, sizeof(struct mw_rule),
	           _Alignof(struct mw_rule)) ||
	    (policy->secrets && !list_is_bounded(&image, policy->secrets)))
		return -EINVAL;
	for (uint32_t i = 0; i < policy->rule_count; i++)
		if (!rule_is_valid(&image, &mw_policy_rules(policy)[i]))
			return -EINVAL;
	for (int class = 0; class < MW_CLASS_COUNT; class ++)
		if (!index_is_valid(&image, class))
			return -EINVAL;
	return 0;
}
