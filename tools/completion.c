/* modelwatch completion: a script that teaches a shell our commands and options. */
#include "completion.h"

#include <string.h>

#include "main.h"

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static void (*const writers[])(FILE *out, const struct mw_command *root) = {
        mw_completion_bash,
        mw_completion_zsh,
        mw_completion_fish,
};

void mw_completion_each(FILE *out, const struct mw_command *command,
                        void (*visit)(FILE *out, const struct mw_command *command))
{
	visit(out, command);
	for (size_t i = 0; command->commands && command->commands[i]; i++)
		mw_completion_each(out, command->commands[i], visit);
}

void mw_completion_quoted(FILE *out, const char *text, const char *quote)
{
	fputc('\'', out);
	for (; *text; text++)
		if (*text == '\'')
			fputs(quote, out);
		else
			fputc(*text, out);
	fputc('\'', out);
}

void mw_completion_words(FILE *out, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", words[i]);
}

/* There are no options but --help. */
static int take(void *context, int id, const char *value)
{
	(void)context;
	(void)id;
	(void)value;
	return 0;
}

static int run(int argc, char **argv)
{
	char **operands;
	int status = mw_options(&mw_cmd_completion, argc, argv, take, NULL, &operands);

	if (status != MW_GO_ON)
		return status;
	if (!operands[0] || operands[1])
		return mw_say("name one shell: bash, zsh or fish");
	for (size_t i = 0; shells[i]; i++)
		if (!strcmp(operands[0], shells[i])) {
			writers[i](stdout, &mw_root);
			return mw_put("");
		}
	return mw_say("no script for '%s': it is bash, zsh or fish", operands[0]);
}

const struct mw_command mw_cmd_completion = {
        .name = "modelwatch completion",
        .help = "print a completion script for a shell",
        .synopsis = "bash|zsh|fish",
        .about = "Prints a script that lets the shell complete the commands, options and values of "
                 "modelwatch. `make install` puts one for each shell where the shell looks for it; "
                 "for this shell alone:\n\n"
                 "  source <(modelwatch completion bash)\n"
                 "  source <(modelwatch completion zsh)\n"
                 "  modelwatch completion fish | source",
        .operands = MW_WORDS,
        .words = shells,
        .after = "Exit status: 0; 125 when there is no such shell or the script could not be "
                 "written.",
        .run = run,
};
