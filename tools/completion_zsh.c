/* The script for zsh: a function for each command, by _arguments. */
#include "completion.h"

#define QUOTE "'\\''"

/* The name of a command's function. */
static void put_function(FILE *out, const struct mw_command *command)
{
	fputc('_', out);
	for (const char *c = command->name; *c; c++)
		fputc(*c == ' ' ? '_' : *c, out);
}

/* Text inside a specification of _arguments, between single quotes. */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			fputs(QUOTE, out);
		else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
}

static void put_values(FILE *out, enum mw_values values, const char *const *words)
{
	switch (values) {
	case MW_WORDS:
		fputc('(', out);
		mw_completion_words(out, words);
		fputc(')', out);
		break;
	case MW_FILES:
		fputs("_files", out);
		break;
	case MW_DIRECTORIES:
		fputs("_files -/", out);
		break;
	default:
		fputc(' ', out);
	}
}

static void put_option(FILE *out, const struct mw_option *option)
{
	fprintf(out, "\t\t'%s--%s%s[", option->repeats ? "*" : "", option->name,
	        option->argument ? "=" : "");
	put_text(out, option->help);
	fputc(']', out);
	if (option->argument) {
		fputc(':', out);
		put_text(out, option->argument);
		fputc(':', out);
		put_values(out, option->values, option->words);
	}
	fputs("' \\\n", out);
}

static void put_operands(FILE *out, const struct mw_command *command)
{
	if (command->commands) {
		fputs("\t\t'1: :->command' '*:: :->words' && ret=0\n", out);
	} else if (command->operands == MW_COMMAND_WORDS) {
		fputs("\t\t'(-)1:command: _command_names -e' '*:: :_normal' && ret=0\n", out);
	} else if (*command->synopsis) {
		fputs("\t\t'*:", out);
		put_text(out, command->synopsis);
		fputc(':', out);
		put_values(out, command->operands, command->words);
		fputs("' && ret=0\n", out);
	} else {
		fputs("\t\t&& ret=0\n", out);
	}
}

/* The commands below: their names, or the function of the one that was named. */
static void put_below(FILE *out, const struct mw_command *command)
{
	fputs("\tcase $state in\n\tcommand)\n\t\tlocal -a commands=(\n", out);
	for (size_t i = 0; command->commands[i]; i++) {
		fprintf(out, "\t\t\t%s:", mw_command_word(command->commands[i]));
		mw_completion_quoted(out, command->commands[i]->help, QUOTE);
		fputc('\n', out);
	}
	fprintf(out,
	        "\t\t)\n\t\t_describe -t commands '%s command' commands && ret=0\n"
	        "\t\t;;\n\twords)\n\t\tcase $words[1] in\n",
	        command->name);
	for (size_t i = 0; command->commands[i]; i++) {
		fprintf(out, "\t\t%s) ", mw_command_word(command->commands[i]));
		put_function(out, command->commands[i]);
		fputs(" && ret=0 ;;\n", out);
	}
	fputs("\t\tesac\n\t\t;;\n\tesac\n", out);
}

static void put_command(FILE *out, const struct mw_command *command)
{
	put_function(out, command);
	fputs("()\n{\n"
	      "\tlocal curcontext=$curcontext state state_descr line ret=1\n"
	      "\tlocal -A opt_args\n"
	      "\t_arguments -S -C \\\n",
	      out);
	for (const struct mw_option *o = command->options; o && o->name; o++)
		put_option(out, o);
	fputs("\t\t'(- *)'{-h,--help}'[this text]' \\\n", out);
	put_operands(out, command);
	if (command->commands)
		put_below(out, command);
	fputs("\treturn ret\n}\n\n", out);
}

void mw_completion_zsh(FILE *out, const struct mw_command *root)
{
	fputs("#compdef modelwatch\n"
	      "# Completion of modelwatch for zsh; printed by `modelwatch completion zsh`.\n\n",
	      out);
	mw_completion_each(out, root, put_command);
	fputs("# Loaded from $fpath this file is the function itself; otherwise it was sourced.\n"
	      "if [[ $funcstack[1] == _modelwatch ]]; then\n"
	      "\t_modelwatch \"$@\"\n"
	      "else\n"
	      "\tcompdef _modelwatch modelwatch\n"
	      "fi\n",
	      out);
}
