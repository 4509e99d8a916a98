/* modelwatch: one table of subcommands and the dispatch. */
#include "main.h"

#include <stdio.h>
#include <string.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static const struct command commands[] = {
        {"run", mw_cmd_run, "run a command and stop what model files try to do in it"},
        {"policy", mw_cmd_policy, "show, check and test the rules, and explain what they decided"},
        {"doctor", mw_cmd_doctor, "say what works on this machine, and for which interpreters"},
        {"report", mw_cmd_report, "sum up alerts files, on the terminal and as a page"},
        {"why", mw_cmd_why, "tell the whole story of one alert, and what to do next"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	fputs("Usage: modelwatch COMMAND [ARGUMENT...]\n"
	      "       modelwatch --help | --version\n\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n`modelwatch COMMAND --help` says more about each.\n", out);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		usage(stdout);
		return fflush(stdout) ? MW_EXIT_OWN : 0;
	}
	if (!strcmp(word, "--version")) {
		puts("modelwatch " MW_VERSION);
		return fflush(stdout) ? MW_EXIT_OWN : 0;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(word, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (*word)
		fprintf(stderr, "modelwatch: no command '%s'\n\n", word);
	usage(stderr);
	return MW_EXIT_OWN;
}
