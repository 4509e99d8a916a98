#include "decide.h"

#include <stdio.h>
#include <string.h>

#include "address.h"
#include "glob.h"

#define ARGV_MAX 1024
#define MODULE_MAX 256
#define PATTERN_MAX 2048

enum match { NO, MAYBE, YES };

/* One question: what the rules ask about is made when the first of them asks. */
struct question {
	const struct mw_policy *policy;
	const struct mw_load_view *load;
	const struct mw_effect *effect;
	uint32_t made, hashed; /* bit per enum mw_field */
	const char *text[MW_FIELD_COUNT];
	uint32_t hash[MW_FIELD_COUNT];
	struct mw_address address;
	char digits[MW_ADDRESS_DIGITS]; /* of a numeric address; empty for a name */
	char argv[ARGV_MAX], module[MODULE_MAX];
};

/* Arguments beyond ARGV_MAX bytes make the text end in "\1", which no pattern of a policy file can
 * contain and only a trailing star matches. A separator inside an argument becomes "\1" too. */
static const char *join_argv(const struct mw_effect *effect, char out[static ARGV_MAX])
{
	size_t n = 0;

	if (!effect->argv)
		return NULL;
	for (size_t i = 0; i < effect->argc && n < ARGV_MAX - 2; i++) {
		if (i)
			out[n++] = MW_ARGUMENT;
		for (const char *p = effect->argv[i]; *p && n < ARGV_MAX - 2; p++)
			out[n++] = *p == MW_ARGUMENT ? '\1' : *p;
	}
	if (n >= ARGV_MAX - 2 || effect->argv_cut)
		out[n++] = '\1';
	out[n] = '\0';
	return out;
}

static bool is_network(const struct mw_effect *effect)
{
	return effect->class == MW_CONNECT || effect->class == MW_SEND ||
	       effect->class == MW_LISTEN;
}

static bool is_file(const struct mw_effect *effect)
{
	return effect->class == MW_WRITE || effect->class == MW_READ || effect->class == MW_MAP;
}

static const char *host_of(struct question *q)
{
	const struct mw_effect *effect = q->effect;

	q->address.port = -1;
	q->digits[0] = '\0';
	if (!is_network(effect) || effect->facts & MW_FACT_UNIX || !effect->target)
		return NULL;
	mw_address_split(effect->target, &q->address);
	if (!mw_address_digits(q->address.host, q->digits))
		q->digits[0] = '\0';
	return q->address.host;
}

/* All of the call before its last dot. */
static const char *module_of(const char *call, char out[static MODULE_MAX])
{
	const char *dot = call ? strrchr(call, '.') : NULL;

	if (!dot || dot == call || (size_t)(dot - call) >= MODULE_MAX)
		return NULL;
	memcpy(out, call, (size_t)(dot - call));
	out[dot - call] = '\0';
	return out;
}

static const char *make_text(struct question *q, enum mw_field field)
{
	const struct mw_effect *effect = q->effect;
	const struct mw_load_view *load = q->load;

	switch (field) {
	case MW_FIELD_OP:
		return effect->op;
	case MW_FIELD_TARGET:
		return effect->target;
	case MW_FIELD_PATH: /* never by how it is spelled, which proves nothing */
		return is_file(effect) ? effect->file : NULL;
	case MW_FIELD_EXECUTABLE:
		if (effect->class != MW_EXEC)
			return NULL;
		return effect->file ? effect->file : effect->target;
	case MW_FIELD_ARGV:
		return join_argv(effect, q->argv);
	case MW_FIELD_ADDRESS:
	case MW_FIELD_PORT:
		return host_of(q);
	case MW_FIELD_UNIX:
		return effect->facts & MW_FACT_UNIX ? effect->target : NULL;
	case MW_FIELD_GLOBAL:
		return load->global;
	case MW_FIELD_ENTRY:
		return load->entry;
	case MW_FIELD_ARTIFACT:
		return load->artifact;
	case MW_FIELD_CALL:
		return load->call;
	case MW_FIELD_MODULE:
		return module_of(load->call, q->module);
	case MW_FIELD_STREAM_SHA256:
		return load->stream_sha256;
	case MW_FIELD_SHA256:
		return load->sha256;
	case MW_FIELD_EXECUTABLE_OWNER:
	case MW_FIELD_COUNT:
		break;
	}
	return NULL;
}

static const char *text_of(struct question *q, enum mw_field field)
{
	if (!(q->made >> field & 1)) {
		q->text[field] = make_text(q, field);
		q->made |= 1u << field;
	}
	return q->text[field];
}

static uint32_t hash_of(struct question *q, enum mw_field field, const char *text)
{
	if (!(q->hashed >> field & 1)) {
		q->hash[field] = mw_policy_hash(text);
		q->hashed |= 1u << field;
	}
	return q->hash[field];
}

/* The pattern with the artifact's directory in the place of MW_ARTIFACT_DIR. NULL when there is no
 * artifact, or no room. */
static const char *expand(const struct question *q, const char *pattern,
                          char out[static PATTERN_MAX])
{
	const char *artifact = q->load->artifact, *slash = artifact ? strrchr(artifact, '/') : NULL;
	size_t n = 0;

	if (!slash)
		return strchr(pattern, MW_ARTIFACT_DIR) ? NULL : pattern;
	for (; *pattern; pattern++) {
		if (*pattern == MW_ARTIFACT_DIR)
			n += mw_glob_escape(artifact, (size_t)(slash - artifact), out + n,
			                    PATTERN_MAX - n);
		else
			out[n++] = *pattern;
		if (n + 1 >= PATTERN_MAX)
			return NULL;
	}
	out[n] = '\0';
	return out;
}

static bool expanded_matches(const struct question *q, const char *pattern, const char *text)
{
	char expanded[PATTERN_MAX];

	pattern = expand(q, pattern, expanded);
	return pattern && mw_glob(pattern, text);
}

static bool any_matches(const struct question *q, const struct mw_condition *condition,
                        const char *text)
{
	const char *p = mw_policy_text_at(q->policy, condition->values);

	if (!condition->dynamic)
		return mw_glob_any(p, text);
	for (; *p; p += strlen(p) + 1)
		if (expanded_matches(q, p, text))
			return true;
	return false;
}

/* The second path of a rename or link, when there is one, must match too. */
static bool second_matches(const struct question *q, const struct mw_condition *condition)
{
	const struct mw_effect *effect = q->effect;

	if (!effect->target2 ||
	    (condition->field != MW_FIELD_PATH && condition->field != MW_FIELD_TARGET))
		return true;
	if (condition->field == MW_FIELD_TARGET)
		return any_matches(q, condition, effect->target2);
	return effect->file2 && any_matches(q, condition, effect->file2);
}

static bool is_among(const struct question *q, uint32_t list, int64_t number)
{
	const struct mw_numbers *numbers = (const void *)mw_policy_text_at(q->policy, list);

	for (uint32_t i = 0; i < numbers->count; i++)
		if (number >= numbers->range[i].low && number <= numbers->range[i].high)
			return true;
	return false;
}

static bool number_matches(struct question *q, const struct mw_condition *condition)
{
	if (condition->field == MW_FIELD_EXECUTABLE_OWNER)
		return q->effect->owner &&
		       is_among(q, condition->values, (int64_t)q->effect->owner - 1);
	return text_of(q, MW_FIELD_ADDRESS) && is_among(q, condition->values, q->address.port);
}

static bool text_matches(struct question *q, const struct mw_condition *condition)
{
	enum mw_field field = condition->field;
	const char *text = text_of(q, field);

	if (!text)
		return false;
	if (condition->hash && condition->hash != hash_of(q, field, text))
		return false;
	if (!second_matches(q, condition))
		return false;
	return any_matches(q, condition, text) ||
	       (field == MW_FIELD_ADDRESS && q->digits[0] && any_matches(q, condition, q->digits));
}

static enum match condition_matches(struct question *q, const struct mw_condition *condition)
{
	if (q->load->unknown >> condition->field & 1)
		return MAYBE;
	if (mw_field_is_number(condition->field))
		return number_matches(q, condition) ? YES : NO;
	return text_matches(q, condition) ? YES : NO;
}

static enum match rule_matches(struct question *q, const struct mw_rule *rule)
{
	const struct mw_effect *effect = q->effect;
	const struct mw_condition *conditions;
	enum match match = YES;

	if (!(rule->causes >> effect->cause & 1) || !(rule->origins >> q->load->origin & 1))
		return NO;
	if ((effect->facts & rule->all) != rule->all || effect->facts & rule->none)
		return NO;
	conditions = (const void *)mw_policy_text_at(q->policy, rule->conditions);
	for (uint32_t i = 0; i < rule->condition_count && match != NO; i++) {
		enum match one = condition_matches(q, &conditions[i]);

		match = one < match ? one : match;
	}
	return match;
}

/* Whether the rule can be passed over without a look. */
static bool is_other(struct question *q, const struct mw_index_entry *entry)
{
	const char *text;

	if ((!entry->key_hash && !entry->prefix_len) || q->load->unknown >> entry->key_field & 1)
		return false;
	text = text_of(q, entry->key_field);
	if (!text)
		return true;
	if (entry->key_hash)
		return hash_of(q, entry->key_field, text) != entry->key_hash;
	for (uint32_t i = 0; i < entry->prefix_len; i++)
		if (text[i] != entry->prefix[i])
			return true;
	return false;
}

static bool has_expired(const struct mw_rule *rule, const struct mw_load_view *load)
{
	return rule->expires && load->now >= rule->expires;
}

/* Looks through the class's rules. Fills what is said of rules that do not decide, and returns the
 * index of the one that does, or the number of rules. */
static uint32_t find_rule(struct question *q, uint32_t skip, struct mw_decision *ret)
{
	const struct mw_policy *policy = q->policy;
	const struct mw_rule *rules = mw_policy_rules(policy);
	uint32_t count = policy->index[q->effect->class].count;
	const struct mw_index_entry *entry =
	        (const void *)mw_policy_text_at(policy, policy->index[q->effect->class].entries);

	for (uint32_t i = 0; i < count; i++, entry++) {
		enum match match;

		if (entry->rule < skip || is_other(q, entry))
			continue;
		match = rule_matches(q, &rules[entry->rule]);
		if (match == NO)
			continue;
		if (has_expired(&rules[entry->rule], q->load)) {
			if (match == YES && !ret->expired)
				ret->expired = mw_policy_text_at(policy, rules[entry->rule].name);
			ret->ask |= match == MAYBE;
		} else if (match == MAYBE) {
			ret->ask = true;
		} else {
			return entry->rule;
		}
	}
	return policy->rule_count;
}

static enum mw_verdict under_mode(enum mw_verdict rule, enum mw_verdict mode)
{
	if (rule == MW_DENY && mode == MW_KILL)
		return MW_KILL;
	return rule < mode ? rule : mode;
}

void mw_decide_after(const struct mw_policy *policy, uint32_t skip, const struct mw_load_view *load,
                     const struct mw_effect *effect, struct mw_decision *ret)
{
	struct question q;
	enum mw_verdict mode = policy->mode;

	q.policy = policy;
	q.load = load;
	q.effect = effect;
	q.made = q.hashed = 0;
	*ret = (struct mw_decision){
	        .requested = MW_DENY, .own_severity = MW_BY_TABLE, .rule = "none"};
	ret->index = find_rule(&q, skip, ret);
	if (ret->index < policy->rule_count) {
		const struct mw_rule *rule = &mw_policy_rules(policy)[ret->index];

		ret->requested = rule->verdict;
		ret->own_severity = rule->severity;
		ret->rule = mw_policy_text_at(policy, rule->name);
	}
	if (effect->facts & MW_FACT_UNANNOUNCED && ret->requested == MW_OBSERVE)
		ret->requested = MW_ALERT; /* an evasion is always at least an alert */
	ret->verdict = under_mode(ret->requested, mode);
	ret->record = ret->verdict >= (mode == MW_OBSERVE ? MW_OBSERVE : MW_ALERT);
}

void mw_decide(const struct mw_policy *policy, const struct mw_load_view *load,
               const struct mw_effect *effect, struct mw_decision *ret)
{
	mw_decide_after(policy, 0, load, effect, ret);
}
