/* The script for fish: three lists and the lines from the tables, with completion.fish between. */
#include "completion.h"

#define QUOTE "\\'"

extern const char mw_completion_fish_functions[];

static void put_name(FILE *out, const struct mw_command *command)
{
	fprintf(out, " '%s'", command->name);
}

static void put_with_value(FILE *out, const struct mw_command *command)
{
	for (const struct mw_option *o = command->options; o && o->name; o++)
		if (o->argument)
			fprintf(out, " '%s --%s'", command->name, o->name);
}

static void put_with_line(FILE *out, const struct mw_command *command)
{
	if (command->operands == MW_COMMAND_WORDS)
		put_name(out, command);
}

static void begin(FILE *out, const struct mw_command *command)
{
	fprintf(out, "complete -c modelwatch -n '__modelwatch_at \"%s\"'", command->name);
}

/* What is completed: with -x no files beside. */
static void put_values(FILE *out, enum mw_values values, const char *const *words)
{
	switch (values) {
	case MW_WORDS:
		fputs(" -x -a '", out);
		mw_completion_words(out, words);
		fputc('\'', out);
		break;
	case MW_FILES:
		fputs(" -r -F", out);
		break;
	case MW_DIRECTORIES:
		fputs(" -x -a '(__modelwatch_directories)'", out);
		break;
	default:
		fputs(" -x", out);
	}
}

static void put_option(FILE *out, const struct mw_command *command, const struct mw_option *option)
{
	begin(out, command);
	fprintf(out, " -l %s", option->name);
	if (option->argument)
		put_values(out, option->values, option->words);
	fputs(" -d ", out);
	mw_completion_quoted(out, option->help, QUOTE);
	fputc('\n', out);
}

static void put_operands(FILE *out, const struct mw_command *command)
{
	if (command->operands == MW_COMMAND_WORDS) {
		fprintf(out,
		        "complete -c modelwatch -n '__modelwatch_at_line \"%s\"' -x "
		        "-a '(__modelwatch_line)'\n",
		        command->name);
	} else if (command->operands == MW_WORDS) {
		begin(out, command);
		put_values(out, command->operands, command->words);
		fputc('\n', out);
	} else if (command->operands == MW_FILES) {
		begin(out, command);
		fputs(" -F\n", out);
	} else if (command->operands == MW_DIRECTORIES) {
		begin(out, command);
		fputs(" -a '(__modelwatch_directories)'\n", out);
	}
}

static void put_command(FILE *out, const struct mw_command *command)
{
	for (size_t i = 0; command->commands && command->commands[i]; i++) {
		begin(out, command);
		fprintf(out, " -a %s -d ", mw_command_word(command->commands[i]));
		mw_completion_quoted(out, command->commands[i]->help, QUOTE);
		fputc('\n', out);
	}
	for (const struct mw_option *o = command->options; o && o->name; o++)
		put_option(out, command, o);
	begin(out, command);
	fputs(" -s h -l help -d 'this text'\n", out);
	put_operands(out, command);
}

static void put_list(FILE *out, const char *name, const struct mw_command *root,
                     void (*visit)(FILE *out, const struct mw_command *command))
{
	fprintf(out, "set -g __modelwatch_%s", name);
	mw_completion_each(out, root, visit);
	fputc('\n', out);
}

void mw_completion_fish(FILE *out, const struct mw_command *root)
{
	fputs("# Completion of modelwatch for fish; printed by `modelwatch completion fish`.\n\n"
	      "# Every command; the options that want a value; the commands that run others.\n",
	      out);
	put_list(out, "commands", root, put_name);
	put_list(out, "with_value", root, put_with_value);
	put_list(out, "with_line", root, put_with_line);
	fputs(mw_completion_fish_functions, out);
	mw_completion_each(out, root, put_command);
}
