#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 256 /* what getopt_long returns for the first option; -h is a character */

const char *mw_command_word(const struct mw_command *command)
{
	const char *space = strrchr(command->name, ' ');

	return space ? space + 1 : command->name;
}

int mw_put(const char *text)
{
	fputs(text, stdout);
	if (fflush(stdout) || ferror(stdout))
		return mw_say("cannot write on standard output: %s", strerror(errno));
	return 0;
}

static int help(const struct mw_command *command)
{
	char *text = mw_options_help(command);
	int status = text ? mw_put(text) : mw_say("out of memory");

	free(text);
	return status;
}

static void for_getopt(const struct mw_option *options, struct option *out)
{
	size_t i = 0;

	for (; options && options[i].name && i < MW_OPTIONS_MAX; i++)
		out[i] = (struct option){
		        .name = options[i].name,
		        .has_arg = options[i].argument ? required_argument : no_argument,
		        .val = FIRST + (int)i,
		};
	out[i++] = (struct option){.name = "help", .val = 'h'};
	out[i] = (struct option){.name = NULL};
}

/* An unknown letter is in optopt: its word may hold other letters that are still to be read. */
static int unknown(const struct mw_command *command, const char *word)
{
	if (optopt && optopt < FIRST && optopt != 'h')
		return mw_say("no option -%c; see %s --help", optopt, command->name);
	return mw_say("no option %s; see %s --help", word, command->name);
}

int mw_options(const struct mw_command *command, int argc, char **argv, mw_take *take,
               void *context, char ***ret_operands)
{
	/* A command line that is passed on has options of its own: ours end where it begins. */
	const char *letters = command->operands == MW_COMMAND_WORDS ? "+:h" : ":h";
	struct option long_options[MW_OPTIONS_MAX + 2];
	int c, status = 0;

	for_getopt(command->options, long_options);
	opterr = 0;
	while (!status && (c = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		if (c == 'h')
			return help(command);
		if (c >= FIRST)
			status = take(context, command->options[c - FIRST].id, optarg);
		else if (c == ':')
			status = mw_say("%s wants a value; see %s --help", argv[optind - 1],
			                command->name);
		else
			status = unknown(command, argv[optind - 1]);
	}
	*ret_operands = argv + optind;
	return status ? status : MW_GO_ON;
}

/* Nobody asked for the help, so it goes where errors go. */
static int no_command(const struct mw_command *group, const char *word)
{
	char *text = mw_options_help(group);

	if (*word) {
		mw_say("no %s '%s'", *word == '-' ? "option" : "command", word);
		fputc('\n', stderr);
	}
	fputs(text ? text : "", stderr);
	free(text);
	return MW_EXIT_OWN;
}

int mw_dispatch(const struct mw_command *group, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		return help(group);
	for (size_t i = 0; group->commands[i]; i++) {
		const struct mw_command *command = group->commands[i];

		if (!strcmp(word, mw_command_word(command)))
			return command->commands ? mw_dispatch(command, argc - 1, argv + 1)
			                         : command->run(argc - 1, argv + 1);
	}
	if (group->run && (!*word || *word == '-'))
		return group->run(argc, argv);
	return no_command(group, word);
}
