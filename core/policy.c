#include "policy.h"

#include <errno.h>
#include <string.h>

#define ARGV_MAX 1024

/* Backtracks to the last star only: a later star subsumes an earlier one of the same kind, so one
 * saved position is enough for each kind. */
bool mw_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *star_text = NULL;
	const char *deep = NULL, *deep_text = NULL;

	for (;;) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			deep = pattern += 2;
			deep_text = text;
			star = NULL;
		} else if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
		} else if (*text && (*pattern == *text || (*pattern == '?' && *text != '/'))) {
			pattern++;
			text++;
		} else if (!*text && !*pattern) {
			return true;
		} else if (star && *star_text && *star_text != '/') {
			text = ++star_text;
			pattern = star;
		} else if (deep && *deep_text) {
			text = ++deep_text;
			pattern = deep;
			star = NULL;
		} else {
			return false;
		}
	}
}

static const char *at(const struct mw_policy *policy, uint32_t offset)
{
	return (const char *)policy + offset;
}

static bool any_matches(const struct mw_policy *policy, uint32_t list, const char *text)
{
	if (!list)
		return true;
	if (!text)
		return false;
	for (const char *p = at(policy, list); *p; p += strlen(p) + 1)
		if (mw_glob(p, text))
			return true;
	return false;
}

/* Arguments beyond ARGV_MAX bytes make the text end in "\1", which no pattern of a policy file can
 * contain: an overlong command line never matches a rule that allows a short one. */
static void join_argv(const struct mw_effect *effect, char out[static ARGV_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < effect->argc && n < ARGV_MAX - 2; i++) {
		size_t len = strnlen(effect->argv[i], ARGV_MAX - 2 - n);

		if (i)
			out[n++] = ' ';
		if (len > ARGV_MAX - 2 - n)
			len = ARGV_MAX - 2 - n;
		memcpy(out + n, effect->argv[i], len);
		n += len;
	}
	if (n >= ARGV_MAX - 2)
		out[n++] = '\1';
	out[n] = '\0';
}

static bool argv_matches(const struct mw_policy *policy, uint32_t list,
                         const struct mw_effect *effect)
{
	char text[ARGV_MAX];

	if (!list)
		return true;
	if (!effect->argv)
		return false;
	join_argv(effect, text);
	return any_matches(policy, list, text);
}

static bool rule_matches(const struct mw_policy *policy, const struct mw_rule *rule,
                         const struct mw_load_view *load, const struct mw_effect *effect)
{
	if (!(rule->classes >> effect->class & 1) || !(rule->causes >> effect->cause & 1) ||
	    !(rule->origins >> load->origin & 1))
		return false;
	if ((effect->facts & rule->all) != rule->all || effect->facts & rule->none)
		return false;
	return any_matches(policy, rule->ops, effect->op) &&
	       any_matches(policy, rule->targets, effect->target) &&
	       (!effect->target2 || any_matches(policy, rule->targets, effect->target2)) &&
	       any_matches(policy, rule->globals, load->global) &&
	       argv_matches(policy, rule->argv, effect);
}

static enum mw_verdict under_mode(enum mw_verdict rule, enum mw_verdict mode)
{
	if (rule == MW_DENY && mode == MW_KILL)
		return MW_KILL;
	return rule < mode ? rule : mode;
}

void mw_decide(const struct mw_policy *policy, const struct mw_load_view *load,
               const struct mw_effect *effect, struct mw_decision *ret)
{
	const struct mw_rule *rules = (const struct mw_rule *)at(policy, policy->rules);
	enum mw_verdict mode = policy->mode;

	ret->requested = MW_DENY;
	ret->severity = MW_HIGH;
	ret->rule = "none";
	for (uint32_t i = 0; i < policy->rule_count; i++) {
		if (rule_matches(policy, &rules[i], load, effect)) {
			ret->requested = rules[i].verdict;
			ret->severity = rules[i].severity;
			ret->rule = at(policy, rules[i].name);
			break;
		}
	}
	if (effect->facts & MW_FACT_UNANNOUNCED && ret->requested == MW_OBSERVE)
		ret->requested = MW_ALERT; /* an evasion is always at least an alert */
	ret->verdict = under_mode(ret->requested, mode);
	ret->record = ret->verdict >= (mode == MW_OBSERVE ? MW_OBSERVE : MW_ALERT);
}

/* A list ends before the image does, so that any_matches() stays inside. */
static bool list_is_bounded(const struct mw_policy *image, size_t size, uint32_t list)
{
	size_t i = list;

	if (!list)
		return true;
	while (i < size && at(image, 0)[i]) {
		i += strnlen(at(image, 0) + i, size - i);
		i++;
	}
	return i < size;
}

static bool rule_is_valid(const struct mw_policy *image, size_t size, const struct mw_rule *rule)
{
	return rule->verdict < MW_VERDICT_COUNT && rule->severity < MW_SEVERITY_COUNT &&
	       rule->name && rule->name < size &&
	       memchr(at(image, rule->name), 0, size - rule->name) &&
	       list_is_bounded(image, size, rule->ops) &&
	       list_is_bounded(image, size, rule->targets) &&
	       list_is_bounded(image, size, rule->argv) &&
	       list_is_bounded(image, size, rule->globals);
}

int mw_policy_check(const struct mw_policy *image, size_t size)
{
	const struct mw_rule *rules;

	if (size < sizeof(*image) || size > MW_POLICY_MAX_SIZE || image->magic != MW_POLICY_MAGIC ||
	    image->version != MW_POLICY_VERSION || image->size != size)
		return -EINVAL;
	if (image->mode < MW_OBSERVE || image->mode > MW_KILL ||
	    image->rule_count > MW_POLICY_MAX_RULES || image->rules % _Alignof(struct mw_rule) ||
	    image->rules < sizeof(*image) || image->rules > size ||
	    image->rule_count > (size - image->rules) / sizeof(*rules))
		return -EINVAL;
	rules = (const struct mw_rule *)at(image, image->rules);
	for (uint32_t i = 0; i < image->rule_count; i++)
		if (!rule_is_valid(image, size, &rules[i]))
			return -EINVAL;
	return 0;
}
