/* modelwatch policy allow: an exception for one alert. It is printed, for somebody to read and to
 * put where it belongs; nothing is changed. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "main.h"
#include "policy.h"
#include "policy_narrow.h"
#include "policy_source.h"

static const char usage[] =
        "Usage: modelwatch policy allow --reason=TEXT --owner=WHO [OPTION...] ALERT_ID\n"
        "Prints the narrowest rule that would let the effect of one alert through: of this file, "
        "by\n"
        "this call, on this target. Changes nothing: what is printed is a policy for --policy, or\n"
        "for /etc/modelwatch/policy.d.\n\n"
        "  --reason=TEXT   why it is right\n"
        "  --owner=WHO     who answers for it\n"
        "  --expires=DAY   until when it holds, that day included; or an RFC 3339 time\n"
        "  --name=NAME     of the rule; made from what it matches otherwise\n"
        "  --alerts=FILE   where the alert was written; by default the journal,\n"
        "                  ${XDG_STATE_HOME:-$HOME/.local/state}/modelwatch/alerts.jsonl\n"
        "  -h, --help      this text\n\n"
        "Exit status: 0; 1 when there is no such alert, more than one, or one that no narrow rule\n"
        "can be made of; 125 when modelwatch was called wrongly or a file cannot be read.\n";

static const struct option long_options[] = {{"reason", required_argument, NULL, 'r'},
                                             {"owner", required_argument, NULL, 'o'},
                                             {"expires", required_argument, NULL, 'e'},
                                             {"name", required_argument, NULL, 'n'},
                                             {"alerts", required_argument, NULL, 'a'},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

struct options {
	struct mw_exception exception;
	const char *alerts, *id;
	bool help;
};

static int set_option(struct options *options, int option, char **argv)
{
	switch (option) {
	case 'r':
		options->exception.reason = optarg;
		return 0;
	case 'o':
		options->exception.owner = optarg;
		return 0;
	case 'e':
		options->exception.expires = optarg;
		return 0;
	case 'n':
		options->exception.name = optarg;
		return 0;
	case 'a':
		options->alerts = optarg;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	default:
		return mw_policy_say("what is %s? See modelwatch policy allow --help",
		                     argv[optind - 1]);
	}
}

static int parse(struct options *options, int argc, char **argv)
{
	int option, status = 0;

	*options = (struct options){.help = false};
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
		status = set_option(options, option, argv);
	if (status || options->help)
		return status;
	if (argc - optind != 1 || !mw_is_alert_id(argv[optind]))
		return mw_policy_say("one ALERT_ID; see modelwatch policy allow --help");
	if (!options->exception.reason || !*options->exception.reason)
		return mw_policy_say("allow wants a --reason");
	if (!options->exception.owner || !*options->exception.owner)
		return mw_policy_say("allow wants an --owner");
	options->id = argv[optind];
	return 0;
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
		return mw_policy_say("%s", error);
	return fflush(stdout) ? mw_policy_say("cannot write the rule") : 0;
}

static int allow(const struct options *options, json_t *found)
{
	const json_t *alert = json_object_iter_value(json_object_iter(found));
	char error[300], *rule;
	int status;

	if (json_object_size(found) != 1) {
		mw_policy_say(json_object_size(found) ? "%s is the beginning of more than one alert"
		                                      : "no alert %s",
		              options->id);
		return 1;
	}
	rule = mw_narrow_rule(alert, &options->exception, error, sizeof(error));
	if (!rule) {
		mw_policy_say("no narrow rule can be made: %s", error);
		return 1;
	}
	status = print(rule);
	free(rule);
	return status;
}

int mw_policy_allow(int argc, char **argv)
{
	struct options options;
	json_t *found = NULL;
	int error, status = parse(&options, argc, argv);

	if (status)
		return status;
	if (options.help) {
		fputs(usage, stdout);
		return fflush(stdout) ? MW_EXIT_OWN : 0;
	}
	error = mw_find_alerts(options.alerts, options.id, &found);
	if (error)
		return mw_policy_say("%s: %s", options.alerts ? options.alerts : "the journal",
		                     strerror(-error));
	status = allow(&options, found);
	json_decref(found);
	return status;
}
