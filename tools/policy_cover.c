#include "policy_cover.h"

#include <string.h>

#include "../core/effect.h"
#include "../core/glob.h"

#define NETWORK (1u << MW_CONNECT | 1u << MW_SEND | 1u << MW_LISTEN)
#define FILES (1u << MW_WRITE | 1u << MW_READ | 1u << MW_MAP)

/* The classes that have a field at all; 0: every one. */
static const uint32_t classes_with[MW_FIELD_COUNT] = {
        [MW_FIELD_PATH] = FILES,
        [MW_FIELD_EXECUTABLE] = 1u << MW_EXEC,
        [MW_FIELD_EXECUTABLE_OWNER] = 1u << MW_EXEC,
        [MW_FIELD_ARGV] = 1u << MW_EXEC,
        [MW_FIELD_ADDRESS] = NETWORK,
        [MW_FIELD_PORT] = NETWORK,
        [MW_FIELD_UNIX] = NETWORK,
};

static const struct mw_condition *conditions_of(const struct mw_policy_build *build,
                                                const struct mw_policy_item *item)
{
	return (const struct mw_condition *)(const void *)build->conditions.data +
	       item->image.conditions;
}

/* "x**" and "x***" match all that begins with x: patterns that do, too, when they cannot pass what
 * the star does not. */
static bool is_open_prefix(const char *pattern, size_t *ret_len)
{
	size_t len = strcspn(pattern, "*?[\\ ");

	*ret_len = len;
	return !strcmp(pattern + len, "**") || !strcmp(pattern + len, "***");
}

static bool pattern_covers(const char *outer, const char *inner)
{
	size_t len;

	if (!strcmp(outer, inner))
		return true;
	if (mw_glob_is_literal(inner) && !strpbrk(inner, "\\ "))
		return !strchr(outer, MW_ARTIFACT_DIR) && mw_glob(outer, inner);
	return is_open_prefix(outer, &len) && !strncmp(outer, inner, len) &&
	       (!strstr(inner, "***") || !strcmp(outer + len, "***")) && !strchr(inner, ' ');
}

static bool list_covers(const struct mw_policy_build *build, uint32_t outer, uint32_t inner)
{
	const char *text = build->text.data;

	for (const char *in = text + inner; *in; in += strlen(in) + 1) {
		const char *out = text + outer;

		while (*out && !pattern_covers(out, in))
			out += strlen(out) + 1;
		if (!*out)
			return false;
	}
	return true;
}

static const struct mw_numbers *numbers_at(const struct mw_policy_build *build, uint32_t at)
{
	return (const void *)(build->numbers.data + at);
}

static bool numbers_cover(const struct mw_numbers *outer, const struct mw_numbers *inner)
{
	for (uint32_t i = 0; i < inner->count; i++) {
		uint32_t k = 0;

		while (k < outer->count && (outer->range[k].low > inner->range[i].low ||
		                            outer->range[k].high < inner->range[i].high))
			k++;
		if (k == outer->count)
			return false;
	}
	return true;
}

static bool condition_covers(const struct mw_policy_build *build, const struct mw_condition *outer,
                             const struct mw_condition *inner)
{
	if (mw_field_is_number(outer->field))
		return numbers_cover(numbers_at(build, outer->values),
		                     numbers_at(build, inner->values));
	return list_covers(build, outer->values, inner->values);
}

/* Each condition of the outer rule is met by what the inner one asks for. */
static bool conditions_cover(const struct mw_policy_build *build,
                             const struct mw_policy_item *outer, const struct mw_policy_item *inner)
{
	const struct mw_condition *out = conditions_of(build, outer),
	                          *in = conditions_of(build, inner);

	for (uint32_t i = 0; i < outer->image.condition_count; i++) {
		uint32_t k = 0;

		while (k < inner->image.condition_count &&
		       (in[k].field != out[i].field || !condition_covers(build, &out[i], &in[k])))
			k++;
		if (k == inner->image.condition_count)
			return false;
	}
	return true;
}

static bool who_covers(const struct mw_policy_build *build, const struct mw_policy_item *outer,
                       const struct mw_policy_item *inner)
{
	const struct mw_who_condition *whos = (const void *)build->whos.data;

	for (uint32_t i = 0; i < outer->who_count; i++) {
		const struct mw_who_condition *out = &whos[outer->who + i];
		uint32_t k = 0;

		while (k < inner->who_count &&
		       (whos[inner->who + k].who != out->who ||
		        !list_covers(build, out->values, whos[inner->who + k].values)))
			k++;
		if (k == inner->who_count)
			return false;
	}
	return true;
}

static bool lasts(const struct mw_rule *outer, const struct mw_rule *inner, int64_t now)
{
	return !outer->expires ||
	       (outer->expires > now && inner->expires && outer->expires >= inner->expires);
}

bool mw_policy_covers(const struct mw_policy_build *build, const struct mw_policy_item *outer,
                      const struct mw_policy_item *inner)
{
	const struct mw_rule *out = &outer->image, *in = &inner->image;

	return !(in->classes & ~out->classes) && !(in->causes & ~out->causes) &&
	       !(in->origins & ~out->origins) && !(out->all & ~in->all) &&
	       !(out->none & ~in->none) && lasts(out, in, build->now) &&
	       who_covers(build, outer, inner) && conditions_cover(build, outer, inner);
}

const char *mw_policy_futile(const struct mw_policy_build *build, const struct mw_policy_item *item)
{
	const struct mw_condition *condition = conditions_of(build, item);
	const struct mw_rule *rule = &item->image;
	uint32_t classes = rule->classes, network = 0;

	for (uint32_t i = 0; i < rule->condition_count; i++) {
		uint32_t field = condition[i].field;

		if (classes_with[field])
			classes &= classes_with[field];
		network |= field == MW_FIELD_ADDRESS || field == MW_FIELD_PORT ? 1u
		           : field == MW_FIELD_UNIX                            ? 2u
		                                                               : 0;
	}
	if (!(classes & ((1u << MW_CLASS_COUNT) - 1)))
		return "no effect has all the fields that it asks for";
	if (network == 3 || (network == 1 && rule->all & MW_FACT_UNIX) ||
	    (network == 2 && rule->none & MW_FACT_UNIX))
		return "no socket has an address and a path";
	if (rule->expires && rule->expires <= build->now)
		return "it has expired";
	return NULL;
}
