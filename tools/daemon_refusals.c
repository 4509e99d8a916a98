/* What a program in the kernel can decide of a policy: where it cannot say exactly what a rule
 * allows, it spares more. */
#include "daemon_refusals.h"

#include <stdbool.h>
#include <string.h>

#include "../core/effect.h"
#include "../core/glob.h"

#define BIT(x) (1u << (x))

/* Causes that the daemon may find where a program in the kernel has found somebody to blame. */
static const uint32_t causes[MW_K_BLAMES] = {
        [MW_K_CALLED] = BIT(MW_BY_CALL),
        [MW_K_BY_PYTHON] = BIT(MW_BY_CALL) | BIT(MW_BY_NATIVE),
};

/* Facts that are never so then: an import's, and, of what the stream itself has called, those of
 * libraries and classes. */
static const uint32_t never[MW_K_BLAMES] = {
        [MW_K_CALLED] = MW_FACT_PYC | MW_FACT_EXTENSION | MW_FACT_UNPROVED | MW_FACT_LIBRARY |
                        MW_FACT_SETSTATE,
        [MW_K_BY_PYTHON] = MW_FACT_PYC | MW_FACT_EXTENSION | MW_FACT_UNPROVED | MW_FACT_SETSTATE,
};

static const uint32_t origins = BIT(MW_FROM_FILE) | BIT(MW_FROM_BYTES);

/* What LSM programs refuse of the class `tamper`, as the daemon calls it. */
static const char *const tampers[] = {"kill",    "ptrace", "process_vm_writev", "pidfd_getfd",
                                      "unshare", "bpf",    "io_uring_setup"};

static const char *patterns(const struct mw_policy *policy, const struct mw_rule *rule,
                            enum mw_field field)
{
	const struct mw_condition *c = (const void *)mw_policy_text_at(policy, rule->conditions);

	for (uint32_t i = 0; i < rule->condition_count; i++)
		if (c[i].field == (uint32_t)field)
			return mw_policy_text_at(policy, c[i].values);
	return NULL;
}

/* False: the rule is about operations that no program in the kernel refuses. */
static bool is_about(const struct mw_policy *policy, const struct mw_rule *rule,
                     enum mw_class class)
{
	const char *ops = patterns(policy, rule, MW_FIELD_OP);

	if (class != MW_TAMPER || !ops)
		return true;
	for (size_t i = 0; i < sizeof(tampers) / sizeof(*tampers); i++)
		if (mw_glob_any(ops, tampers[i]))
			return true;
	return false;
}

static bool may_match(const struct mw_rule *rule, enum mw_k_blame blame)
{
	return rule->causes & causes[blame] && rule->origins & origins &&
	       !(rule->all & never[blame]);
}

static bool must_match(const struct mw_rule *rule, enum mw_k_blame blame)
{
	return !(causes[blame] & ~rule->causes) && !(origins & ~rule->origins) && !rule->all &&
	       !(rule->none & ~never[blame]) && !rule->condition_count && !rule->expires;
}

static bool spare(struct mw_k_refusal *to, const struct mw_k_spared *spared)
{
	if (to->count == MW_K_SPARED ||
	    (!spared->facts && !spared->name_mask.word[0] && !spared->place_len))
		return false;
	to->spared[to->count++] = *spared;
	return true;
}

/* The text, or how it begins, up to what stands for others. Its NUL counts where it ends there. */
static void take_text(const char *text, size_t len, struct mw_k_words *ret,
                      struct mw_k_words *ret_mask)
{
	size_t plain = 0;

	while (plain < len && plain < MW_K_SPELT - 1 && !strchr("*?[\\ ", text[plain]))
		plain++;
	memcpy(ret, text, plain);
	memset(ret_mask, 0xff, plain + (plain == len));
}

/* Names of the folders, innermost first. Those that could have any name cannot be told apart. */
static bool take_place(const char *pattern, const char *slash, struct mw_k_spared *ret)
{
	if (pattern[0] != '/' || strcspn(pattern, "*?[\\\x02") < (size_t)(slash - pattern))
		return false;
	for (const char *end = slash, *start; end > pattern; end = start) {
		start = end - 1;
		while (*start != '/')
			start--;
		if (ret->place_len + (size_t)(end - start) > MW_K_SPELT)
			return false;
		memcpy((char *)&ret->place + ret->place_len, start + 1, (size_t)(end - start) - 1);
		ret->place_len += (uint32_t)(end - start);
	}
	memset(&ret->place_mask, 0xff, ret->place_len);
	return true;
}

/* A folder of this name that lies anywhere, or what lies in it: "**" + "/.nv", or with "/" + "**"
 * behind. */
static bool spare_folder(struct mw_k_refusal *to, const char *pattern)
{
	const char *name = pattern + 3;
	size_t len = strcspn(name, "/*?[\\ \x02");
	struct mw_k_words text = {{0}}, mask = {{0}};

	if (strncmp(pattern, "**/", 3) != 0 || !len || len >= MW_K_SPELT ||
	    (name[len] && strcmp(name + len, "/**") != 0))
		return false;
	take_text(name, len, &text, &mask);
	for (uint32_t i = 0; i < to->folders; i++)
		if (!memcmp(&to->folder[i], &text, sizeof(text)))
			return true;
	if (to->folders == MW_K_FOLDERS)
		return false;
	to->folder[to->folders] = text;
	to->folder_mask[to->folders++] = mask;
	return true;
}

static bool spare_path(struct mw_k_refusal *to, const char *pattern, uint32_t facts)
{
	struct mw_k_spared spared = {.facts = facts};
	const char *slash = strrchr(pattern, '/');

	if (spare_folder(to, pattern))
		return true;
	if (!slash || strstr(slash, "**") || !take_place(pattern, slash, &spared))
		return false;
	take_text(slash + 1, strlen(slash + 1), &spared.name, &spared.name_mask);
	return spare(to, &spared);
}

/* By the name of the program that the first argument calls. */
static bool spare_program(struct mw_k_refusal *to, const char *pattern, uint32_t facts)
{
	struct mw_k_spared spared = {.facts = facts};
	size_t len = strcspn(pattern, " ");
	const char *name = pattern + len;

	while (name > pattern && name[-1] != '/')
		name--;
	if (strcspn(name, "*?[\\") < (size_t)(pattern + len - name))
		return false;
	take_text(name, (size_t)(pattern + len - name), &spared.name, &spared.name_mask);
	return spare(to, &spared);
}

/* By the path of its address. */
static bool spare_socket(struct mw_k_refusal *to, const char *pattern, uint32_t facts)
{
	struct mw_k_spared spared = {.facts = facts};

	take_text(pattern, strlen(pattern), &spared.name, &spared.name_mask);
	return spared.name_mask.word[0] && spare(to, &spared);
}

/* What of a class tells its rules apart. */
static const struct {
	enum mw_field field;
	bool (*spare)(struct mw_k_refusal *to, const char *pattern, uint32_t facts);
} kinds[MW_CLASS_COUNT] = {
        [MW_EXEC] = {MW_FIELD_ARGV, spare_program},
        [MW_WRITE] = {MW_FIELD_PATH, spare_path},
        [MW_CONNECT] = {MW_FIELD_UNIX, spare_socket},
};

/* Facts of the rule that a program in the kernel can establish. */
static uint32_t facts_of(const struct mw_rule *rule, enum mw_class class)
{
	uint32_t facts = 0;

	if (rule->all & MW_FACT_DEVICE && class == MW_WRITE)
		facts |= MW_K_IS_DEVICE;
	if (rule->all & MW_FACT_INTERPRETER && class == MW_EXEC)
		facts |= MW_K_IS_INTERPRETER;
	if (rule->all & MW_FACT_UNIX && class == MW_CONNECT)
		facts |= MW_K_IS_UNIX;
	if (rule->none & MW_FACT_CALLED)
		facts |= MW_K_UNCALLED;
	return facts;
}

/* Has all that the rule may allow spared. False: that cannot be said in the kernel. */
static bool spare_rule(const struct mw_policy *policy, const struct mw_rule *rule,
                       enum mw_class class, struct mw_k_refusal *to)
{
	const struct mw_k_spared by_facts = {.facts = facts_of(rule, class)};
	const char *list = kinds[class].spare ? patterns(policy, rule, kinds[class].field) : NULL;

	if (by_facts.facts & MW_K_IS_INTERPRETER || !list)
		return spare(to, &by_facts);
	for (; *list; list += strlen(list) + 1)
		if (!kinds[class].spare(to, list, by_facts.facts))
			return false;
	return true;
}

/* What the daemon takes for no effect: values in shared memory are opened for writing where they
 * are only looked up; and the shim of a run tells its monitor what a load does. */
static void spare_others(enum mw_class class, struct mw_k_refusal *ret)
{
	if (class == MW_WRITE)
		spare_path(ret, "/dev/shm/*", MW_K_LOOKS_UP);
	if (class == MW_CONNECT)
		spare_socket(ret, "/tmp/modelwatch-*", MW_K_IS_UNIX);
}

/* Returns the rule by which it is not refused, or NULL. */
static const struct mw_rule *decide(const struct mw_policy *policy, enum mw_class class,
                                    enum mw_k_blame blame, struct mw_k_refusal *ret)
{
	const struct mw_index_entry *entry =
	        (const void *)mw_policy_text_at(policy, policy->index[class].entries);

	*ret = (struct mw_k_refusal){.refuse = blame != MW_K_NOBODY};
	spare_others(class, ret);
	for (uint32_t i = 0; ret->refuse && i < policy->index[class].count; i++) {
		const struct mw_rule *rule = mw_policy_rules(policy) + entry[i].rule;

		if (!may_match(rule, blame) || !is_about(policy, rule, class))
			continue;
		if (rule->verdict >= MW_DENY && must_match(rule, blame))
			break;
		if (rule->verdict < MW_DENY &&
		    (must_match(rule, blame) || !spare_rule(policy, rule, class, ret))) {
			ret->refuse = 0;
			return rule;
		}
	}
	return NULL;
}

void mw_daemon_refusals(const struct mw_policy *policy, struct mw_k_refusal ret[MW_REFUSALS])
{
	for (uint32_t class = 0; class < MW_CLASS_COUNT; class ++)
		for (uint32_t blame = 0; blame < MW_K_BLAMES; blame++)
			decide(policy, (enum mw_class) class, (enum mw_k_blame)blame,
			       &ret[mw_k_refusal_key(class, blame)]);
}

const char *mw_daemon_unrefused(const struct mw_policy *policy, enum mw_class class,
                                enum mw_k_blame blame, bool *ret_says)
{
	struct mw_k_refusal refusal;
	const struct mw_rule *rule = decide(policy, class, blame, &refusal);

	*ret_says = rule && must_match(rule, blame);
	return rule ? mw_policy_text_at(policy, rule->name) : NULL;
}
