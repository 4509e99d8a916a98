/* Completion scripts for shells, from the tables of the commands. */
#ifndef MW_TOOLS_COMPLETION_H
#define MW_TOOLS_COMPLETION_H

#include <stdio.h>

#include "options.h"

void mw_completion_bash(FILE *out, const struct mw_command *root);
void mw_completion_zsh(FILE *out, const struct mw_command *root);
void mw_completion_fish(FILE *out, const struct mw_command *root);

/* Calls `visit` for `command` and every command below it. */
void mw_completion_each(FILE *out, const struct mw_command *command,
                        void (*visit)(FILE *out, const struct mw_command *command));

/* `text` as one word of a shell: between single quotes, a quote in it as `quote` says. */
void mw_completion_quoted(FILE *out, const char *text, const char *quote);

/* Words with a blank between two. */
void mw_completion_words(FILE *out, const char *const *words);

#endif
