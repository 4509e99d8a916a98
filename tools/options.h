/* What a subcommand says about itself, once: parsing, --help and shell completion come from it.
 *
 * A command has commands below it, or does something itself; with `run` and commands, it does that
 * when none of them is named. All of it is constant data; the commands make a tree, whose root is
 * mw_root (main.h). */
#ifndef MW_TOOLS_OPTIONS_H
#define MW_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "say.h"

#define MW_OPTIONS_MAX 32 /* of one command */

/* What a value, or an operand, is one of: what completion offers. */
enum mw_values {
	MW_ANYTHING, /* nothing is known about it */
	MW_WORDS,
	MW_FILES,
	MW_DIRECTORIES,
	MW_COMMAND_WORDS, /* of operands only: a command and its arguments, parsed no further */
};

struct mw_option {
	const char *name;     /* without the dashes; NULL ends a table */
	const char *argument; /* how help calls the value; NULL: it takes none */
	const char *help;     /* sentence without a capital and a full stop; help wraps it */
	int id;               /* what take() is told */
	bool repeats;
	enum mw_values values;
	const char *const *words; /* with MW_WORDS: ends with NULL */
};

/* --help and -h are understood by every command and stand in no table. */
struct mw_command {
	const char *name; /* with those above it: "modelwatch policy show" */
	const char *help; /* sentence without a capital and a full stop, for the list of commands */
	const char *about, *after; /* paragraphs, before and after the options; help wraps them */
	const struct mw_option *options;          /* or NULL */
	const struct mw_command *const *commands; /* below it, ends with NULL; or NULL */

	/* Of what does something itself: */
	const char *synopsis; /* its operands, as help shows them; "" when it takes none */
	enum mw_values operands;
	const char *const *words;          /* with MW_WORDS */
	int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit status */
};

/* Takes one option; `value` is NULL when it takes none. Returns 0, or the exit status after an
 * error, which has been said. */
typedef int mw_take(void *context, int id, const char *value);

enum { MW_GO_ON = -1 };

/* Reads the options in `argv` and hands each to `take`, in their order. Returns MW_GO_ON with the
 * operands, which end with NULL, in `*ret_operands`; otherwise the command is done and this is its
 * exit status: after an error, which has been said, or when help was asked for and given. */
int mw_options(const struct mw_command *command, int argc, char **argv, mw_take *take,
               void *context, char ***ret_operands);

/* Runs the command below `group` that argv[1] names, or gives the help of `group` when that is
 * asked for. Returns the exit status. */
int mw_dispatch(const struct mw_command *group, int argc, char **argv);

/* The last word of a command's name, by which it is called. */
const char *mw_command_word(const struct mw_command *command);

/* What --help says, in lines of at most 80 columns; the caller frees it. NULL: out of memory. */
char *mw_options_help(const struct mw_command *command);

/* Writes `text` on standard output. Returns the exit status: 0, or MW_EXIT_OWN, which was said. */
int mw_put(const char *text);

#endif
