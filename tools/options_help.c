/* The text of --help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define COLUMNS 80
#define NAME_MAX_WIDTH 22 /* a longer name has a line to itself */

/* Words of `text`, from column `at` on and indented by `indent` on further lines. A newline in it
 * stays one. */
static void wrap(FILE *out, const char *text, size_t at, size_t indent)
{
	bool first = true;

	while (*text) {
		size_t len = strcspn(text, " \n");

		if (!first && at + 1 + len > COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
			first = true;
		}
		at += (size_t)fprintf(out, "%s%.*s", first ? "" : " ", (int)len, text);
		first = false;
		text += len;
		if (*text == '\n') {
			fprintf(out, "\n%*s", text[1] && text[1] != '\n' ? (int)indent : 0, "");
			at = indent;
			first = true;
		}
		text += *text != '\0';
	}
	fputc('\n', out);
}

static void row(FILE *out, const char *name, const char *text, size_t width)
{
	size_t indent = 2 + width + 2;

	if (strlen(name) > width)
		fprintf(out, "  %s\n%*s", name, (int)indent, "");
	else
		fprintf(out, "  %-*s  ", (int)width, name);
	wrap(out, text, indent, indent);
}

static void option_name(const struct mw_option *option, char *out, size_t size)
{
	snprintf(out, size, "--%s%s%s", option->name, option->argument ? "=" : "",
	         option->argument ? option->argument : "");
}

/* As wide as the widest name that is not too wide. */
static size_t options_width(const struct mw_option *options)
{
	size_t width = strlen("-h, --help");
	char name[128];

	for (; options && options->name; options++) {
		option_name(options, name, sizeof(name));
		if (strlen(name) > width && strlen(name) <= NAME_MAX_WIDTH)
			width = strlen(name);
	}
	return width;
}

static void put_options(FILE *out, const struct mw_option *options)
{
	size_t width = options_width(options);
	char name[128];

	fputs("\nOptions:\n", out);
	for (; options && options->name; options++) {
		option_name(options, name, sizeof(name));
		row(out, name, options->help, width);
	}
	row(out, "-h, --help", "this text", width);
}

static void put_commands(FILE *out, const struct mw_command *const *commands)
{
	size_t width = 0;

	for (size_t i = 0; commands[i]; i++)
		if (strlen(mw_command_word(commands[i])) > width)
			width = strlen(mw_command_word(commands[i]));
	fputs("\nCommands:\n", out);
	for (size_t i = 0; commands[i]; i++)
		row(out, mw_command_word(commands[i]), commands[i]->help, width);
}

static void put_help(FILE *out, const struct mw_command *command)
{
	const char *begin = "Usage:";

	if (command->run || !command->commands) {
		fprintf(out, "%s %s [OPTION...]%s%s\n", begin, command->name,
		        *command->synopsis ? " " : "", command->synopsis);
		begin = "      ";
	}
	if (command->commands)
		fprintf(out, "%s %s COMMAND [ARGUMENT...]\n", begin, command->name);
	if (command->about)
		wrap(out, command->about, 0, 0);
	if (command->commands)
		put_commands(out, command->commands);
	put_options(out, command->options);
	if (command->after) {
		fputc('\n', out);
		wrap(out, command->after, 0, 0);
	}
}

char *mw_options_help(const struct mw_command *command)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	put_help(out, command);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}
