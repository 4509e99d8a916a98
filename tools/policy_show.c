/* modelwatch policy show: the rules in the order in which they are tried. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../courier/sink_config.h"
#include "../courier/sink_shown.h"
#include "main.h"
#include "policy.h"
#include "policy_floor.h"
#include "policy_limits.h"
#include "subject.h"
#include "when.h"

#define SECOND INT64_C(1000000000)

static const struct mw_option options[] = {MW_POLICY_OPTION(0), {0}};

/* The rule's own lines, moved to where they belong in a list. */
static void print_rule(const struct mw_policy_build *rules, const struct mw_policy_item *item)
{
	const char *line = rules->notes.data + item->yaml, *end = line + item->yaml_len;
	size_t indent = item->column - 1;

	fputs("  - ", stdout);
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline ? newline : end;

		printf("%.*s\n", (int)(stop - line), line);
		line = newline ? newline + 1 : end;
		for (size_t i = 0; i < indent && line < end && *line == ' '; i++)
			line++;
		if (line < end)
			fputs("    ", stdout);
	}
}

static void print_place(const struct mw_effective *effective, const struct mw_policy_item *item,
                        const json_t *subject)
{
	const struct mw_policy_build *rules = &effective->rules;
	char expired[MW_WHEN_TEXT];

	printf("\n  # %s:%u%s%s%s", rules->sources[item->source].name, item->line,
	       item->image.verdict >= MW_ALERT && item->image.severity == MW_BY_TABLE
	               ? ", severity by the table"
	               : "",
	       item->final ? ", final" : "",
	       mw_policy_is_for(rules, item, subject) ? "" : ", not for this user and job");
	if (item->image.expires && item->image.expires <= rules->now) {
		mw_when_text(item->image.expires * SECOND, expired);
		printf(", expired since %.10s: it does nothing", expired);
	}
	putchar('\n');
}

/* YAML takes JSON as it is. What may be a secret in a sink is not shown. */
static void print_sinks(const json_t *config)
{
	const json_t *spool = json_object_get(config, "spool");
	const char *name;
	json_t *sink;

	if (mw_sinks_any(config))
		printf("sinks:\n");
	json_object_foreach(json_object_get(config, "sinks"), name, sink)
	{
		json_t *whole = json_pack("{s:s}", "name", name), *shown = mw_sink_shown(sink);

		json_object_update(whole, shown);
		printf("  - ");
		json_dumpf(whole, stdout, 0);
		printf("\n");
		json_decref(shown);
		json_decref(whole);
	}
	if (json_object_size(spool)) {
		printf("spool: ");
		json_dumpf(spool, stdout, 0);
		printf("\n");
	}
}

static void print(const struct mw_effective *effective, const json_t *subject)
{
	const struct mw_policy_build *rules = &effective->rules;
	const char *key;
	json_t *value;

	printf("# Read, from the first word to the last:\n");
	for (size_t i = 0; i < rules->source_count; i++)
		printf("#   %s\n", rules->sources[i].name);
	printf("version: 1\nmode: %s\n",
	       mw_verdict_name(rules->mode ? (enum mw_verdict)rules->mode : MW_DENY));
	if (json_object_size(rules->labels))
		printf("labels:\n");
	json_object_foreach(rules->labels, key, value)
	{
		char *text = json_dumps(value, JSON_ENCODE_ANY);
		json_t *name = json_string(key);
		char *quoted = json_dumps(name, JSON_ENCODE_ANY);

		printf("  %s: %s\n", quoted ? quoted : "", text ? text : "");
		free(quoted);
		free(text);
		json_decref(name);
	}
	mw_policy_limits_show(&rules->limits, stdout);
	mw_policy_floor_show(&rules->floor, stdout);
	print_sinks(rules->sinks);
	printf("rules:\n");
	for (size_t i = 0; i < mw_policy_count(rules); i++) {
		const struct mw_policy_item *item = &mw_policy_items(rules)[effective->order[i]];

		print_place(effective, item, subject);
		print_rule(rules, item);
	}
}

static int show(const char *file)
{
	struct mw_effective effective;
	json_t *subject;
	int status = mw_effective_read(&effective, file);

	if (!status) {
		subject = mw_subject_self(effective.rules.labels);
		print(&effective, subject);
		json_decref(subject);
		if (fflush(stdout))
			status = mw_say("cannot write the policy");
	}
	mw_effective_free(&effective);
	return status;
}

static int take(void *context, int id, const char *value)
{
	const char **file = context;

	(void)id;
	*file = value;
	return 0;
}

static int run(int argc, char **argv)
{
	const char *file = NULL;
	char **operands;
	int status = mw_options(&mw_cmd_policy_show, argc, argv, take, &file, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("policy show takes no %s", *operands);
	return show(file);
}

const struct mw_command mw_cmd_policy_show = {
        .name = "modelwatch policy show",
        .help = "the policy in effect, with where each rule comes from",
        .synopsis = "",
        .about = "Prints the policy that a run would have, in the order in which its rules are "
                 "tried: the first that matches decides. A comment before each says where it comes "
                 "from.",
        .options = options,
        .run = run,
};
