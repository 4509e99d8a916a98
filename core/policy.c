#include "policy.h"

#include <errno.h>
#include <string.h>

#define ARGV_MAX 1024

/* Which characters a star of 1, 2 or 3 asterisks passes over. */
static bool passes(int stars, char c)
{
	return c && (stars > 2 || c != MW_ARGUMENT) && (stars > 1 || c != '/');
}

static bool same(char pattern, char c)
{
	if (pattern == '?')
		return passes(1, c);
	return c && (pattern == c || (pattern == ' ' && c == MW_ARGUMENT));
}

/* For each kind of star the last one seen is where matching goes on after a mismatch: a later star
 * of the same kind subsumes an earlier one, and a longer star everything inside it. */
bool mw_glob(const char *pattern, const char *text)
{
	const char *after[4] = {NULL, NULL, NULL, NULL}; /* the star in the pattern */
	const char *from[4] = {NULL, NULL, NULL, NULL};  /* where it matches up to */

	for (;;) {
		int kind = 0;

		while (kind < 3 && pattern[kind] == '*')
			kind++;
		if (kind) {
			pattern += kind;
			after[kind] = pattern;
			from[kind] = text;
			for (int k = 1; k < kind; k++)
				after[k] = NULL;
			continue;
		}
		if (!*text && !*pattern)
			return true;
		if (same(*pattern, *text)) {
			pattern++;
			text++;
			continue;
		}
		for (kind = 1; kind <= 3; kind++)
			if (after[kind] && passes(kind, *from[kind]))
				break;
		if (kind > 3)
			return false;
		pattern = after[kind];
		text = ++from[kind];
		for (int k = 1; k < kind; k++)
			after[k] = NULL;
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
 * contain and only a trailing star matches. A separator inside an argument becomes "\1" too. */
static void join_argv(const struct mw_effect *effect, char out[static ARGV_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < effect->argc && n < ARGV_MAX - 2; i++) {
		if (i)
			out[n++] = MW_ARGUMENT;
		for (const char *p = effect->argv[i]; *p && n < ARGV_MAX - 2; p++)
			out[n++] = *p == MW_ARGUMENT ? '\1' : *p;
	}
	if (n >= ARGV_MAX - 2)
		out[n++] = '\1';
	out[n] = '\0';
}

static bool argv_matches(const struct mw_policy *policy, uint32_t list,
                         const struct mw_effect *effect)
{
	char text[ARGV_MAX] = "";

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
	    image->rule_count > (size - image->rules) / sizeof(*rules) ||
	    !list_is_bounded(image, size, image->secrets))
		return -EINVAL;
	rules = (const struct mw_rule *)at(image, image->rules);
	for (uint32_t i = 0; i < image->rule_count; i++)
		if (!rule_is_valid(image, size, &rules[i]))
			return -EINVAL;
	return 0;
}
