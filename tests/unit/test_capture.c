#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../tools/capture.h"

static int sh(const char *script, int timeout_ms, char *out, size_t size)
{
	char *argv[] = {"sh", "-c", (char *)script, NULL};

	return mw_capture(argv, "MW_WORD=pony", timeout_ms, out, size);
}

static void keeps_output_and_status(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(sh("echo $MW_WORD; echo err >&2; exit 3", 5000, out, sizeof(out)), 3);
	assert_string_equal(out, "pony\nerr\n");
	assert_int_equal(sh("kill -9 $$", 5000, out, sizeof(out)), 128 + 9);
	assert_string_equal(out, "");
}

static void cuts_long_output(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(sh("yes | head -c 300000", 5000, out, sizeof(out)), 0);
	assert_string_equal(out, "y\ny\ny\ny");
}

static void says_what_cannot_start(void **state)
{
	char *absent[] = {"/nonexistent/program", NULL}, *directory[] = {"/", NULL};
	char out[8];

	(void)state;
	assert_int_equal(mw_capture(absent, NULL, 5000, out, sizeof(out)), 127);
	assert_int_equal(mw_capture(directory, NULL, 5000, out, sizeof(out)), 126);
}

static void ends_what_hangs(void **state)
{
	time_t start = time(NULL);
	char out[8];

	(void)state;
	assert_int_equal(sh("sleep 60 & sleep 60", 200, out, sizeof(out)), -ETIMEDOUT);
	assert_int_equal(sh("exec >&- 2>&-; sleep 60", 200, out, sizeof(out)), -ETIMEDOUT);
	assert_true(time(NULL) - start < 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(keeps_output_and_status),
	        cmocka_unit_test(cuts_long_output),
	        cmocka_unit_test(says_what_cannot_start),
	        cmocka_unit_test(ends_what_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
