/* modelwatch policy test: the policy against a table of what it has to decide. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "policy.h"
#include "question.h"
#include "yaml_json.h"

static const struct mw_option options[] = {MW_POLICY_OPTION(0), {0}};

static const char *const words[] = {"name",      "line",   "effect", "cause",   "origin", "facts",
                                    "mode",      "expect", "rule",   "expired", "user",   "job",
                                    "container", "labels", "path2",  "target2"};

struct tester {
	struct mw_effective policy;
	const char *file;
	unsigned int cases, failed;
};

static int wrong(const struct tester *t, const json_t *one, const char *what, const char *which)
{
	return mw_say("%s:%lld: %s%s%s", t->file,
	              (long long)json_integer_value(json_object_get(one, "line")), what,
	              *which ? " " : "", which);
}

static bool is_known(const char *key)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(key, words[i]))
			return true;
	return mw_field_parse(key) >= 0;
}

/* `text` with the directories that words in braces stand for; a new reference. */
static json_t *expand(const struct mw_policy_build *rules, const char *text)
{
	const struct {
		const char *word, *directory;
	} all[] = {{"{home}", rules->home}, {"{tmp}", rules->tmp}, {"{cwd}", rules->cwd}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strncmp(text, all[i].word, strlen(all[i].word)))
			return json_sprintf("%s%s", all[i].directory, text + strlen(all[i].word));
	return json_string(text);
}

static int prepare(struct tester *t, json_t *one)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(one, next, key, value)
	{
		if (!is_known(key))
			return wrong(t, one, "unknown field", key);
		if (json_is_string(value))
			json_object_set_new(one, key,
			                    expand(&t->policy.rules, json_string_value(value)));
	}
	if (!json_object_get(one, "expect"))
		return wrong(t, one, "the case has no", "expect");
	return 0;
}

/* Numbers of a subject are written as text in YAML. */
static void take_numbers(json_t *subject)
{
	json_t *user = json_object_get(subject, "user"), *uid = json_object_get(user, "uid");
	json_t *groups = json_object_get(user, "groups");

	if (json_is_string(uid))
		json_object_set_new(user, "uid",
		                    json_integer(strtoll(json_string_value(uid), NULL, 10)));
	for (size_t i = 0; i < json_array_size(groups); i++)
		json_array_set_new(
		        groups, i,
		        json_integer(strtoll(json_string_value(json_array_get(groups, i)) ?: "-1",
		                             NULL, 10)));
}

static void judge(struct tester *t, const json_t *one, const struct mw_decision *decision)
{
	const char *expect = json_string_value(json_object_get(one, "expect"));
	const char *rule = json_string_value(json_object_get(one, "rule"));
	const char *name = json_string_value(json_object_get(one, "name"));
	const char *expired = json_string_value(json_object_get(one, "expired"));
	char place[1024];

	t->cases++;
	if (expect && !strcmp(expect, mw_verdict_name(decision->verdict)) &&
	    (!rule || !strcmp(rule, decision->rule)) &&
	    (!expired || (decision->expired && !strcmp(expired, decision->expired))))
		return;
	t->failed++;
	mw_effective_place(&t->policy, decision->rule, place, sizeof(place));
	printf("%s:%lld: %s: expected %s%s%s, but it is %s by rule %s%s%s%s\n", t->file,
	       (long long)json_integer_value(json_object_get(one, "line")), name ? name : "a case",
	       expect ? expect : "?", rule ? " by rule " : "", rule ? rule : "",
	       mw_verdict_name(decision->verdict), decision->rule, *place ? " (" : "", place,
	       *place ? ")" : "");
}

static int ask(struct tester *t, json_t *one)
{
	struct mw_question question;
	struct mw_decision decision;
	const char *which, *word = json_string_value(json_object_get(one, "mode"));
	int mode = word ? mw_verdict_parse(word) : MW_DENY, status = prepare(t, one);

	if (status)
		return status;
	if (mode < MW_OBSERVE)
		return wrong(t, one, "the case has a wrong", "mode");
	if (mw_question_read(one, &question, &which))
		return wrong(t, one, "the case has a wrong", which);
	take_numbers(one);
	status = mw_effective_for(&t->policy, one, mode);
	if (status)
		return status;
	mw_decide(t->policy.image, &question.load, &question.effect, &decision);
	judge(t, one, &decision);
	return 0;
}

static int ask_all(struct tester *t, const json_t *table)
{
	const json_t *cases = json_object_get(table, "cases");
	const char *version = json_string_value(json_object_get(table, "version"));

	if (!version || strcmp(version, "1") || !json_is_array(cases))
		return mw_say("%s: a table of cases is 'version: 1' and a list of 'cases'",
		              t->file);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		json_t *one = json_array_get(cases, i);
		int status = json_is_object(one)
		                     ? ask(t, one)
		                     : mw_say("%s: case %zu is no mapping", t->file, i + 1);

		if (status)
			return status;
	}
	return 0;
}

static int test_file(struct tester *t)
{
	char error[1024], *text = NULL;
	size_t len = 0;
	json_t *table;
	int status;

	if (mw_policy_text_of(t->file, &text, &len, error, sizeof(error)))
		return mw_say("%s", error);
	table = mw_yaml_json(t->file, text, len, error, sizeof(error));
	status = table ? ask_all(t, table) : mw_say("%s", error);
	json_decref(table);
	free(text);
	return status;
}

static int test(const char *policy, char **files)
{
	struct tester t = {.cases = 0};
	int status = mw_effective_read(&t.policy, policy);

	for (; !status && *files; files++) {
		t.file = *files;
		status = test_file(&t);
	}
	if (!status)
		printf("%u cases, %u failed\n", t.cases, t.failed);
	mw_effective_free(&t.policy);
	if (fflush(stdout))
		return MW_EXIT_OWN;
	return status ? status : t.failed ? 1 : 0;
}

static int take(void *context, int id, const char *value)
{
	const char **policy = context;

	(void)id;
	*policy = value;
	return 0;
}

static int run(int argc, char **argv)
{
	const char *policy = NULL;
	char **files;
	int status = mw_options(&mw_cmd_policy_test, argc, argv, take, &policy, &files);

	if (status != MW_GO_ON)
		return status;
	if (!*files)
		return mw_say("no CASES; see modelwatch policy test --help");
	return test(policy, files);
}

const struct mw_command mw_cmd_policy_test = {
        .name = "modelwatch policy test",
        .help = "hold the policy against a table of effects and verdicts",
        .synopsis = "CASES...",
        .about = "Asks the policy that a run would have about each case in the files CASES, and "
                 "says which it decides otherwise than they expect. modelwatch-policy(5) says how "
                 "cases are written.",
        .options = options,
        .operands = MW_FILES,
        .after = "Exit status: 0; 1 when a case fails; 125 when a file is no table of cases, or "
                 "the policy is wrong.",
        .run = run,
};
