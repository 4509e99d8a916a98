/* modelwatch sink: where alerts go, and whether they arrive. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../courier/sink_config.h"
#include "../courier/sink_shown.h"
#include "courier.h"
#include "daemon_config.h"
#include "main.h"
#include "option_values.h"
#include "sink_read.h"
#include "sink_sample.h"

#define URL_SHOWN 512

struct options {
	const char *policy, *config;
	enum mw_severity severity;
};

enum { POLICY, CONFIG, SEVERITY };

#define POLICY_OPTION                                                                              \
	{                                                                                          \
		.name = "policy", .argument = "FILE", .id = POLICY, .values = MW_FILES,            \
		.help = "read this policy too, as modelwatch run does"                             \
	}
#define CONFIG_OPTION                                                                              \
	{                                                                                          \
		.name = "config", .argument = "FILE", .id = CONFIG, .values = MW_FILES,            \
		.help = "the daemon's configuration (" MW_DAEMON_CONFIG ")"                        \
	}

static const struct mw_option list_options[] = {POLICY_OPTION, CONFIG_OPTION, {0}};
static const struct mw_option test_options[] = {
        POLICY_OPTION,
        CONFIG_OPTION,
        {.name = "severity",
         .argument = "SEVERITY",
         .id = SEVERITY,
         .values = MW_WORDS,
         .words = mw_severities,
         .help = "how severe the test alert says it is (info)"},
        {0},
};

static int take(void *context, int id, const char *value)
{
	struct options *options = context;

	if (id == POLICY)
		options->policy = value;
	if (id == CONFIG)
		options->config = value;
	return id == SEVERITY ? mw_take_severity(value, &options->severity) : 0;
}

static const char *destination(const struct mw_sink_config *sink, char url[static URL_SHOWN])
{
	const char *const all[] = {sink->address, sink->brokers, sink->path};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i])
			return all[i];
	if (!sink->url)
		return "-";
	mw_sink_url_shown(sink->url, url, URL_SHOWN);
	return url;
}

static int print(const json_t *json)
{
	struct mw_sinks_config config;
	char why[512] = "", url[URL_SHOWN];
	int error = mw_sinks_read(json, &config, why, sizeof(why));

	for (size_t i = 0; !error && i < config.count; i++) {
		const struct mw_sink_config *sink = &config.sinks[i];

		printf("%-20s %-9s %-7s from %-9s %s\n", sink->name, mw_sink_type_name(sink->type),
		       mw_format_name(sink->format), mw_severity_name(sink->severity),
		       destination(sink, url));
	}
	if (!error && !config.count)
		puts("no sink is configured: `sinks:` in a policy, or in " MW_DAEMON_CONFIG);
	mw_sinks_free(&config);
	if (error)
		return mw_say("%s", why);
	return fflush(stdout) ? mw_say("cannot write the list") : 0;
}

static int list(int argc, char **argv)
{
	struct options options = {.severity = MW_INFO};
	json_t *config = NULL;
	char **operands;
	int status = mw_options(&mw_cmd_sink_list, argc, argv, take, &options, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch sink list --help", *operands);
	status = mw_sink_read(options.policy, options.config, &config);
	if (!status)
		status = print(config);
	json_decref(config);
	return status;
}

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

/* Returns the exit status: 0 when the receiver has it. */
static int report(const char *name, const json_t *record, const json_t *answer)
{
	const json_t *test = json_object_get(answer, "test");
	const char *outcome = text_of(test, "outcome"), *why = text_of(test, "why");
	double ms = (double)json_integer_value(json_object_get(test, "us")) / 1000;

	if (!strcmp(outcome, "done")) {
		printf("%s: acknowledged in %.1f ms%s%s\n  alert %s\n", name, ms,
		       *text_of(test, "detail") ? ": " : "", text_of(test, "detail"),
		       text_of(record, "id"));
		return fflush(stdout) ? mw_say("cannot write the answer") : 0;
	}
	mw_say("%s: %s: %s", name, !strcmp(outcome, "refused") ? "refused" : "not delivered",
	       *why ? why : "the receiver did not say why");
	return 1;
}

static int send_test(const char *name, const struct options *options)
{
	json_t *config = NULL, *record, *answer = NULL;
	char why[512] = "not enough memory";
	int status = mw_sink_read(options->policy, options->config, &config);

	if (status)
		return status;
	record = mw_sink_sample(options->severity);
	if (record)
		answer = mw_courier_test(config, name, record, why, sizeof(why));
	status = answer ? report(name, record, answer) : mw_say("%s: %s", name, why);
	json_decref(answer);
	json_decref(record);
	json_decref(config);
	return status;
}

static int test(int argc, char **argv)
{
	struct options options = {.severity = MW_INFO};
	char **operands;
	int status = mw_options(&mw_cmd_sink_test, argc, argv, take, &options, &operands);

	if (status != MW_GO_ON)
		return status;
	if (!operands[0] || operands[1])
		return mw_say("name one sink; `modelwatch sink list` shows them");
	return send_test(operands[0], &options);
}

const struct mw_command mw_cmd_sink_list = {
        .name = "modelwatch sink list",
        .help = "where alerts go",
        .synopsis = "",
        .about = "Lists the sinks that are configured: name, type, format, the least severity "
                 "and where it is.",
        .options = list_options,
        .run = list,
};

const struct mw_command mw_cmd_sink_test = {
        .name = "modelwatch sink test",
        .help = "send a marked alert to a sink, and report the acknowledgement",
        .synopsis = "NAME",
        .about = "Sends one alert, whose rule is sink-test and which says that nothing has "
                 "happened, to the sink NAME, and reports how the receiver acknowledges it.",
        .options = test_options,
        .after = "Exit status: 0 when the receiver has it, 1 when it has not, 125 when "
                 "modelwatch failed.",
        .run = test,
};

static const struct mw_command *const commands[] = {&mw_cmd_sink_list, &mw_cmd_sink_test, NULL};

const struct mw_command mw_cmd_sink = {
        .name = "modelwatch sink",
        .help = "where alerts go, and whether they arrive",
        .about = "Shows and tries the sinks that policies and the daemon's configuration name "
                 "(modelwatch-sinks(5)).",
        .commands = commands,
};
