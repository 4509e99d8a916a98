/* modelwatch policy: one table of subcommands. */
#include "policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
        {"show", mw_policy_show, "the policy in effect, with where each rule comes from"},
        {"check", mw_policy_check_files, "what is wrong, shadowed or without effect in a file"},
        {"test", mw_policy_test, "hold the policy against a table of effects and verdicts"},
        {"explain", mw_policy_explain, "which rule decided an alert, and which would next"},
        {"allow", mw_policy_allow,
         "print the narrowest rule that would let an alert's effect through"},
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

int mw_policy_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("modelwatch policy: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return MW_EXIT_OWN;
}

static void usage(FILE *out)
{
	fputs("Usage: modelwatch policy COMMAND [ARGUMENT...]\n\nCommands:\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n`modelwatch policy COMMAND --help` says more about each; modelwatch-policy(5) "
	      "says\n"
	      "what a policy is.\n",
	      out);
}

int mw_cmd_policy(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		usage(stdout);
		return fflush(stdout) ? MW_EXIT_OWN : 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(word, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (*word)
		mw_policy_say("no command '%.64s'", word);
	usage(stderr);
	return MW_EXIT_OWN;
}

int mw_effective_read(struct mw_effective *effective, const char *file)
{
	char error[1024] = "not enough memory";

	*effective = (struct mw_effective){0};
	if (mw_policy_build_start(&effective->rules) ||
	    mw_policy_read(&effective->rules, file, error, sizeof(error)))
		return mw_policy_say("%s", error);
	effective->order = mw_policy_order(&effective->rules);
	return effective->order ? 0 : mw_policy_say("not enough memory");
}

void mw_effective_free(struct mw_effective *effective)
{
	mw_policy_build_free(&effective->rules);
	free(effective->image);
	free(effective->order);
}

int mw_effective_for(struct mw_effective *effective, const json_t *subject, int mode)
{
	char error[1024];

	free(effective->image);
	effective->image = NULL;
	if (mw_policy_compile(&effective->rules, subject, mode, &effective->image, &effective->size,
	                      error, sizeof(error)))
		return mw_policy_say("%s", error);
	return 0;
}

void mw_effective_place(const struct mw_effective *effective, const char *rule, char *out,
                        size_t size)
{
	const struct mw_policy_build *rules = &effective->rules;

	*out = '\0';
	for (size_t i = 0; i < mw_policy_count(rules); i++) {
		const struct mw_policy_item *item = &mw_policy_items(rules)[i];

		if (!strcmp(mw_policy_item_name(rules, item), rule))
			snprintf(out, size, "%s:%u", rules->sources[item->source].name, item->line);
	}
}
