/* modelwatch policy allow: an exception for one alert. It is printed, for somebody to read and to
 * put where it belongs; nothing is changed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "main.h"
#include "policy.h"
#include "policy_narrow.h"
#include "policy_source.h"

enum { REASON, OWNER, EXPIRES, NAME, ALERTS };

static const struct mw_option options_table[] = {
        {.name = "reason", .argument = "TEXT", .id = REASON, .help = "why it is right; needed"},
        {.name = "owner", .argument = "WHO", .id = OWNER, .help = "who answers for it; needed"},
        {.name = "expires",
         .argument = "DAY",
         .id = EXPIRES,
         .help = "until when it holds, that day included; or an RFC 3339 time"},
        {.name = "name",
         .argument = "NAME",
         .id = NAME,
         .help = "of the rule; made from what it matches otherwise"},
        MW_ALERTS_OPTION(ALERTS),
        {0},
};

struct options {
	struct mw_exception exception;
	const char *alerts, *id;
};

static int take(void *context, int id, const char *value)
{
	struct options *options = context;
	const char **const members[] = {
	        [REASON] = &options->exception.reason,
	        [OWNER] = &options->exception.owner,
	        [EXPIRES] = &options->exception.expires,
	        [NAME] = &options->exception.name,
	        [ALERTS] = &options->alerts,
	};

	*members[id] = value;
	return 0;
}

/* Returns MW_GO_ON, or the exit status. */
static int parse(struct options *options, int argc, char **argv)
{
	char **ids;
	int status = mw_options(&mw_cmd_policy_allow, argc, argv, take, options, &ids);

	if (status != MW_GO_ON)
		return status;
	if (!ids[0] || ids[1] || !mw_is_alert_id(ids[0]))
		return mw_say("one ALERT_ID; see modelwatch policy allow --help");
	if (!options->exception.reason || !*options->exception.reason)
		return mw_say("allow wants a --reason");
	if (!options->exception.owner || !*options->exception.owner)
		return mw_say("allow wants an --owner");
	options->id = ids[0];
	return MW_GO_ON;
}

/* What is printed is held against the reader of policies first: names and dates are the user's. */
static int print(const char *rule)
{
	static const char head[] = "version: 1\nrules:\n";
	struct mw_policy_build build = {0};
	char error[1024] = "not enough memory", *text = NULL;
	int result = asprintf(&text, "%s%s", head, rule) < 0 ? -ENOMEM : 0;

	if (!result)
		result = mw_policy_build_start(&build);
	if (!result)
		result = mw_policy_source(&build, "the rule", MW_COMMAND_LINE, text, strlen(text),
		                          error, sizeof(error));
	mw_policy_build_free(&build);
	if (!result)
		fputs(text, stdout);
	free(text);
	if (result)
		return mw_say("%s", error);
	return fflush(stdout) ? mw_say("cannot write the rule") : 0;
}

static int allow(const struct options *options, json_t *found)
{
	const json_t *alert = json_object_iter_value(json_object_iter(found));
	char error[300], *rule;
	int status;

	if (json_object_size(found) != 1) {
		mw_say(json_object_size(found) ? "%s is the beginning of more than one alert"
		                               : "no alert %s",
		       options->id);
		return 1;
	}
	rule = mw_narrow_rule(alert, &options->exception, error, sizeof(error));
	if (!rule) {
		mw_say("no narrow rule can be made: %s", error);
		return 1;
	}
	status = print(rule);
	free(rule);
	return status;
}

static int run(int argc, char **argv)
{
	struct options options = {.id = NULL};
	json_t *found = NULL;
	int error, status = parse(&options, argc, argv);

	if (status != MW_GO_ON)
		return status;
	error = mw_find_alerts(options.alerts, options.id, &found);
	if (error)
		return mw_say("%s: %s", options.alerts ? options.alerts : "the journal",
		              strerror(-error));
	status = allow(&options, found);
	json_decref(found);
	return status;
}

const struct mw_command mw_cmd_policy_allow = {
        .name = "modelwatch policy allow",
        .help = "print the narrowest rule that would let an alert's effect through",
        .synopsis = "ALERT_ID",
        .about = "Prints the narrowest rule that would let the effect of one alert through: of "
                 "this file, by this call, on this target. Changes nothing: what is printed is a "
                 "policy for --policy, or for /etc/modelwatch/policy.d.",
        .options = options_table,
        .after = "Exit status: 0; 1 when there is no such alert, more than one, or one that no "
                 "narrow rule can be made of; 125 when modelwatch was called wrongly or a file "
                 "cannot be read.",
        .run = run,
};
