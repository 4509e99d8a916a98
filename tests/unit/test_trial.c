/* `modelwatch sink test`, as the courier answers it: what has become of the record, in words that a
 * terminal may be given, whoever chose them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../courier/trial.h"

static json_t *answer;

/* What the answer says as `key`, until the next one. */
static const char *said(const char *key)
{
	return json_string_value(json_object_get(json_object_get(answer, "test"), key));
}

static void try_with(struct mw_sink_config *sink, const char *name)
{
	const struct mw_sinks_config config = {.sinks = sink, .count = 1};
	json_t *hello = json_pack("{s:s, s:{s:s, s:s, s:s}}", "test", name, "record", "schema",
	                          "modelwatch.alert/1", "id", "i", "severity", "info");

	json_decref(answer);
	answer = mw_trial(&config, hello, "h");
	json_decref(hello);
	assert_non_null(answer);
}

static void only_what_can_be_shown_is_said(void **state)
{
	char path[] = "/no-\x1b[31m\n\xe2\x80\xae\xff/x", name[] = "t";
	struct mw_sink_config sink = {.name = name, .path = path, .timeout_ms = 1000};

	(void)state;
	try_with(&sink, "t");
	assert_string_equal(said("outcome"), "retry");
	assert_string_equal(said("why"),
	                    "/no-\\x1b[31m\\n\\u202e\\xff/x: No such file or directory");
}

static void a_sink_that_is_not_there(void **state)
{
	char name[] = "t";
	struct mw_sink_config sink = {.name = name};

	(void)state;
	try_with(&sink, "other");
	assert_string_equal(said("outcome"), "retry");
	assert_string_equal(said("why"), "there is no sink of that name");
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_what_can_be_shown_is_said),
	        cmocka_unit_test(a_sink_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
