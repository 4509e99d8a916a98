/* modelwatch policy check: what is wrong with a file, before anybody depends on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "policy.h"
#include "policy_cover.h"
#include "policy_for_daemon.h"

/* Beyond so many pairs of rules a look at all would take minutes. */
#define PAIRS_MAX 100000000u

enum { SITE, FOR };

static const char *const places[] = {"run", "daemon", NULL};

static const struct mw_option options[] = {
        {.name = "site", .id = SITE, .help = "FILE is the site's: its rules may be final"},
        {.name = "for",
         .argument = "WHERE",
         .id = FOR,
         .values = MW_WORDS,
         .words = places,
         .help = "daemon: also which effects the kernel would refuse, and which rules keep it from "
                 "refusing others; run (the default)"},
        {0},
};

static void finding(const struct mw_policy_build *rules, const struct mw_policy_item *item,
                    const char *what, const struct mw_policy_item *other)
{
	printf("%s:%u:%u: rule '%s' %s", rules->sources[item->source].name, item->line,
	       item->column, mw_policy_item_name(rules, item), what);
	if (other)
		printf(" '%s' (%s:%u)", mw_policy_item_name(rules, other),
		       rules->sources[other->source].name, other->line);
	putchar('\n');
}

/* The first rule before the one at `place` in the order that leaves nothing for it. */
static const struct mw_policy_item *shadow(const struct mw_policy_build *rules,
                                           const uint32_t *order, size_t place, uint64_t *pairs)
{
	const struct mw_policy_item *items = mw_policy_items(rules);

	for (size_t i = 0; i < place && *pairs < PAIRS_MAX; i++) {
		++*pairs;
		if (mw_policy_covers(rules, &items[order[i]], &items[order[place]]))
			return &items[order[i]];
	}
	return NULL;
}

/* The built-in rules are the first source; what covers them is meant to. */
static unsigned int look(const struct mw_policy_build *rules, const uint32_t *order)
{
	unsigned int found = 0;
	uint64_t pairs = 0;

	for (size_t i = 0; i < mw_policy_count(rules); i++) {
		const struct mw_policy_item *item = &mw_policy_items(rules)[order[i]], *other;
		const char *why = mw_policy_futile(rules, item);

		if (rules->sources[item->source].layer == MW_BUILT_IN)
			continue;
		if (why) {
			char text[100];

			snprintf(text, sizeof(text), "never matches: %s", why);
			finding(rules, item, text, NULL);
			found++;
			continue;
		}
		other = shadow(rules, order, i, &pairs);
		if (other) {
			finding(rules, item, "is shadowed by", other);
			found++;
		}
	}
	if (pairs >= PAIRS_MAX)
		puts("too many rules: not all were looked at for shadows");
	return found;
}

static int check(const char *file, enum mw_layer layer)
{
	struct mw_policy_build rules;
	char error[1024] = "not enough memory";
	uint32_t *order = NULL;
	int status = 0;

	if (mw_policy_build_start(&rules) ||
	    mw_policy_read_built_in(&rules, error, sizeof(error)) ||
	    mw_policy_read_file(&rules, file, layer, error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		status = MW_EXIT_OWN;
	}
	if (!status)
		order = mw_policy_order(&rules);
	if (order)
		status = look(&rules, order) ? 1 : 0;
	free(order);
	mw_policy_build_free(&rules);
	return status;
}

struct asked {
	enum mw_layer layer;
	bool for_daemon;
};

static int take(void *context, int id, const char *value)
{
	struct asked *asked = context;

	if (id == SITE)
		asked->layer = MW_SITE;
	else if (strcmp(value, "daemon") != 0 && strcmp(value, "run") != 0)
		return mw_say("--for=%s: it is run or daemon", value);
	else
		asked->for_daemon = *value == 'd';
	return 0;
}

static int run(int argc, char **argv)
{
	struct asked asked = {.layer = MW_COMMAND_LINE};
	char **files;
	int status = mw_options(&mw_cmd_policy_check, argc, argv, take, &asked, &files);

	if (status != MW_GO_ON)
		return status;
	if (!*files)
		return mw_say("no FILE; see modelwatch policy check --help");
	for (status = 0; *files; files++) {
		int one = check(*files, asked.layer);

		if (asked.for_daemon && one != MW_EXIT_OWN &&
		    mw_policy_for_daemon(*files, asked.layer))
			one = MW_EXIT_OWN;
		status = one > status ? one : status;
	}
	return fflush(stdout) ? MW_EXIT_OWN : status;
}

const struct mw_command mw_cmd_policy_check = {
        .name = "modelwatch policy check",
        .help = "what is wrong, shadowed or without effect in a file",
        .synopsis = "FILE...",
        .about = "Says what is wrong with each FILE, line and column first, which rules can never "
                 "match, and which are shadowed: an earlier rule matches all that they do.",
        .options = options,
        .operands = MW_FILES,
        .after = "Exit status: 0; 1 when a rule has no effect; 125 when a FILE is no policy.",
        .run = run,
};
