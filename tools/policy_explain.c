/* modelwatch policy explain: which rule decided an alert, and which would without it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "find.h"
#include "main.h"
#include "policy.h"
#include "question.h"

#define NEXT_SHOWN 3

enum { POLICY, ALERTS };

static const struct mw_option options_table[] = {
        MW_POLICY_OPTION(POLICY),
        MW_ALERTS_OPTION(ALERTS),
        {0},
};

struct options {
	const char *policy, *alerts, *what;
};

struct explainer {
	struct mw_effective policy;
	const char *prefix; /* of the IDs that count; NULL: all */
	json_t *found;      /* the latest updates, by ID */
};

/* By the table it may depend on whether the effect is prevented. */
static void print_severity(const struct mw_decision *decision, enum mw_class class, bool evasion)
{
	struct mw_severity_facts facts = {.own = decision->own_severity,
	                                  .requested = decision->requested,
	                                  .class = class,
	                                  .outcome = MW_PREVENTED,
	                                  .evasion = evasion};
	const char *prevented = mw_severity_name(mw_severity(&facts)), *happened;

	facts.outcome = MW_OBSERVED;
	happened = mw_severity_name(mw_severity(&facts));
	if (decision->own_severity < MW_BY_TABLE)
		printf(", severity %s\n", happened);
	else if (decision->requested < MW_DENY || !strcmp(prevented, happened))
		printf(", severity %s by the table\n", happened);
	else
		printf(", severity %s by the table, %s if it is not prevented\n", prevented,
		       happened);
}

static void print_rule(const struct explainer *e, const char *what,
                       const struct mw_decision *decision, enum mw_class class, bool evasion)
{
	char place[1024];

	mw_effective_place(&e->policy, decision->rule, place, sizeof(place));
	printf("  %-9s %s by rule %s%s%s%s", what, mw_verdict_name(decision->requested),
	       decision->rule, *place ? " (" : "", place, *place ? ")" : "");
	print_severity(decision, class, evasion);
	if (decision->expired)
		printf("            rule %s would have decided, but it has expired\n",
		       decision->expired);
}

static void print_reason(const struct explainer *e, const struct mw_decision *decision)
{
	const struct mw_policy_build *rules = &e->policy.rules;

	for (size_t i = 0; i < mw_policy_count(rules); i++) {
		const struct mw_policy_item *item = &mw_policy_items(rules)[i];

		if (strcmp(mw_policy_item_name(rules, item), decision->rule))
			continue;
		if (item->reason)
			printf("            because: %s\n", rules->notes.data + item->reason);
		if (item->owner)
			printf("            owner: %s\n", rules->notes.data + item->owner);
	}
}

static void print_then(const json_t *alert)
{
	json_t *rule = mw_shown_field(alert, "rule", 100),
	       *title = mw_shown_field(alert, "title", 600);
	json_t *requested = mw_shown_field(alert, "requested", 16);

	printf("%s\n  %-9s %s by rule %s\n", json_string_value(title) ?: "", "then",
	       json_string_value(requested) ?: "?", json_string_value(rule) ?: "?");
	json_decref(rule);
	json_decref(title);
	json_decref(requested);
}

static int explain(struct explainer *e, const char *id, const json_t *alert)
{
	json_t *json = mw_question_of_alert(alert);
	const char *mode = mw_field_text(alert, "mode"), *which;
	int parsed = mode ? mw_verdict_parse(mode) : -1, status;
	struct mw_question question;
	struct mw_decision decision;

	if (mw_question_read(json, &question, &which)) {
		json_decref(json);
		mw_say("alert %s has a wrong %s", id, which);
		return 1;
	}
	status = mw_effective_for(&e->policy, alert, parsed >= MW_OBSERVE ? parsed : 0);
	printf("alert %s: ", id);
	print_then(alert);
	for (uint32_t shown = 0, skip = 0; !status && shown <= NEXT_SHOWN; shown++) {
		mw_decide_after(e->policy.image, skip, &question.load, &question.effect, &decision);
		print_rule(e, shown ? "next" : "now", &decision, question.effect.class,
		           json_is_true(mw_field(alert, "evasion")));
		if (!shown)
			print_reason(e, &decision);
		if (decision.index >= e->policy.image->rule_count)
			break;
		skip = decision.index + 1;
	}
	json_decref(json);
	return status;
}

static int explain_found(struct explainer *e)
{
	const char *id;
	json_t *alert;
	int worst = 0;

	if (!json_object_size(e->found)) {
		mw_say("no alert %s", e->prefix ? e->prefix : "there");
		return 1;
	}
	json_object_foreach(e->found, id, alert)
	{
		int status = explain(e, id, alert);

		if (status == MW_EXIT_OWN)
			return status;
		worst = status ? status : worst; /* the others are explained all the same */
	}
	return worst;
}

static int find(struct explainer *e, const struct options *options)
{
	bool id = mw_is_alert_id(options->what);
	const char *file = id ? options->alerts : options->what;
	int error = mw_find_alerts(file, id ? options->what : NULL, &e->found);

	e->prefix = id ? options->what : NULL;
	return error ? mw_say("%s: %s", file ? file : "the journal", strerror(-error)) : 0;
}

static int take(void *context, int id, const char *value)
{
	struct options *options = context;

	if (id == POLICY)
		options->policy = value;
	else
		options->alerts = value;
	return 0;
}

static int run(int argc, char **argv)
{
	struct explainer e = {.found = NULL};
	struct options options = {.what = NULL};
	char **operands;
	int status = mw_options(&mw_cmd_policy_explain, argc, argv, take, &options, &operands);

	if (status != MW_GO_ON)
		return status;
	if (!operands[0] || operands[1])
		return mw_say("one ALERT_ID or FILE; see modelwatch policy explain --help");
	options.what = operands[0];
	status = mw_effective_read(&e.policy, options.policy);
	if (!status)
		status = find(&e, &options);
	if (!status)
		status = explain_found(&e);
	mw_effective_free(&e.policy);
	json_decref(e.found);
	return fflush(stdout) ? MW_EXIT_OWN : status;
}

const struct mw_command mw_cmd_policy_explain = {
        .name = "modelwatch policy explain",
        .help = "which rule decided an alert, and which would next",
        .synopsis = "ALERT_ID | FILE",
        .about = "Says which rule of the policy that a run would have decides about an alert, or "
                 "about all alerts in FILE, where that rule stands, and which ones would decide if "
                 "it were not there.",
        .options = options_table,
        .operands = MW_FILES,
        .after = "Exit status: 0; 1 when there is no such alert, or one that is not as modelwatch "
                 "writes them; 125 when a file cannot be read or the policy is wrong.",
        .run = run,
};
