/* The table of a subcommand: what is parsed, what is said, what help looks like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <getopt.h>

#include "../../tools/options.h"

static const struct mw_option options[] = {
        {.name = "mode", .argument = "MODE", .id = 7, .help = "how"},
        {.name = "a-name-that-is-too-long", .argument = "FOR-A-COLUMN", .id = 8, .help = "short"},
        {.name = "quiet",
         .id = 9,
         .help = "many words that do not fit on one line of eighty columns and so have to be "
                 "broken where a blank is"},
        {0},
};

static const struct mw_command leaf = {
        .name = "modelwatch leaf",
        .help = "a leaf",
        .synopsis = "[FILE...]",
        .about = "About it.",
        .options = options,
};

static const struct mw_command line = {
        .name = "modelwatch line",
        .synopsis = "COMMAND",
        .options = options,
        .operands = MW_COMMAND_WORDS,
};

struct taken {
	int ids[8];
	const char *values[8];
	size_t count;
};

static int take(void *context, int id, const char *value)
{
	struct taken *taken = context;

	taken->ids[taken->count] = id;
	taken->values[taken->count++] = value;
	return value && !strcmp(value, "bad") ? 3 : 0;
}

static int parse(const struct mw_command *command, char **argv, struct taken *taken,
                 char ***operands)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	*taken = (struct taken){.count = 0};
	optind = 0; /* getopt begins anew */
	return mw_options(command, argc, argv, take, taken, operands);
}

static void test_options_and_operands_mix(void **state)
{
	char *argv[] = {"leaf", "a", "--mode=x", "b", "--quiet", "--mode", "y", NULL};
	struct taken taken;
	char **operands;

	(void)state;
	assert_int_equal(parse(&leaf, argv, &taken, &operands), MW_GO_ON);
	assert_int_equal(taken.count, 3);
	assert_int_equal(taken.ids[0], 7);
	assert_string_equal(taken.values[0], "x");
	assert_int_equal(taken.ids[1], 9);
	assert_null(taken.values[1]);
	assert_string_equal(taken.values[2], "y");
	assert_string_equal(operands[0], "a");
	assert_string_equal(operands[1], "b");
	assert_null(operands[2]);
}

static void test_a_command_keeps_its_options(void **state)
{
	char *argv[] = {"line", "--quiet", "ls", "--mode=x", NULL};
	struct taken taken;
	char **operands;

	(void)state;
	assert_int_equal(parse(&line, argv, &taken, &operands), MW_GO_ON);
	assert_int_equal(taken.count, 1);
	assert_string_equal(operands[0], "ls");
	assert_string_equal(operands[1], "--mode=x");
}

static void test_errors_end_the_parsing(void **state)
{
	char *unknown[] = {"leaf", "--nonsense", "--quiet", NULL};
	char *letter[] = {"leaf", "-x", NULL};
	char *none[] = {"leaf", "--mode", NULL};
	char *needless[] = {"leaf", "--quiet=x", NULL};
	char *refused[] = {"leaf", "--mode=bad", "--quiet", NULL};
	struct taken taken;
	char **operands;

	(void)state;
	assert_int_equal(parse(&leaf, unknown, &taken, &operands), MW_EXIT_OWN);
	assert_int_equal(taken.count, 0);
	assert_int_equal(parse(&leaf, letter, &taken, &operands), MW_EXIT_OWN);
	assert_int_equal(parse(&leaf, none, &taken, &operands), MW_EXIT_OWN);
	assert_int_equal(parse(&leaf, needless, &taken, &operands), MW_EXIT_OWN);
	assert_int_equal(parse(&leaf, refused, &taken, &operands), 3);
	assert_int_equal(taken.count, 1);
}

static void test_help_is_aligned(void **state)
{
	char *text = mw_options_help(&leaf);

	(void)state;
	assert_string_equal(text, "Usage: modelwatch leaf [OPTION...] [FILE...]\n"
	                          "About it.\n\n"
	                          "Options:\n"
	                          "  --mode=MODE  how\n"
	                          "  --a-name-that-is-too-long=FOR-A-COLUMN\n"
	                          "               short\n"
	                          "  --quiet      many words that do not fit on one line of eighty "
	                          "columns and so\n"
	                          "               have to be broken where a blank is\n"
	                          "  -h, --help   this text\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_options_and_operands_mix),
	        cmocka_unit_test(test_a_command_keeps_its_options),
	        cmocka_unit_test(test_errors_end_the_parsing),
	        cmocka_unit_test(test_help_is_aligned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
