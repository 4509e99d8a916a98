/* The script for bash: two functions from the tables, and those of completion.bash. */
#include "completion.h"

extern const char mw_completion_bash_functions[];

static void put_values(FILE *out, enum mw_values values, const char *const *words)
{
	static const char *const names[] = {
	        [MW_ANYTHING] = "anything",       [MW_WORDS] = "words ",       [MW_FILES] = "files",
	        [MW_DIRECTORIES] = "directories", [MW_COMMAND_WORDS] = "line",
	};

	fputs(names[values], out);
	if (values == MW_WORDS)
		mw_completion_words(out, words);
}

static void put_command(FILE *out, const struct mw_command *command)
{
	fprintf(out, "\t'%s')\n\t\tcommands='", command->name);
	for (size_t i = 0; command->commands && command->commands[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", mw_command_word(command->commands[i]));
	fputs("'\n\t\toptions='", out);
	for (const struct mw_option *o = command->options; o && o->name; o++)
		fprintf(out, "--%s%s ", o->name, o->argument ? "=" : "");
	fputs("--help -h'\n\t\toperands='", out);
	put_values(out, command->operands, command->words);
	fputs("'\n\t\t;;\n", out);
}

static void put_option_values(FILE *out, const struct mw_command *command)
{
	for (const struct mw_option *o = command->options; o && o->name; o++) {
		if (!o->argument)
			continue;
		fprintf(out, "\t'%s --%s') values='", command->name, o->name);
		put_values(out, o->values, o->words);
		fputs("' ;;\n", out);
	}
}

void mw_completion_bash(FILE *out, const struct mw_command *root)
{
	fputs("# Completion of modelwatch for bash; printed by `modelwatch completion bash`.\n\n"
	      "# Sets the commands below COMMAND, its options, and what its operands are.\n"
	      "_modelwatch_command() # COMMAND\n{\n"
	      "\tcommands='' options='' operands=''\n"
	      "\tcase $1 in\n",
	      out);
	mw_completion_each(out, root, put_command);
	fputs("\tesac\n}\n\n"
	      "# Sets what the value of OPTION is; to nothing when it takes none.\n"
	      "_modelwatch_values() # COMMAND OPTION\n{\n"
	      "\tvalues=''\n"
	      "\tcase \"$1 $2\" in\n",
	      out);
	mw_completion_each(out, root, put_option_values);
	fputs("\tesac\n}\n", out);
	fputs(mw_completion_bash_functions, out);
}
