/* Durations and amounts of memory, read and written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/quantity.h"

typedef int parse_fn(const char *text, uint64_t *ret);

static void reads(parse_fn *parse, const char *text, uint64_t value)
{
	uint64_t got = 0;

	assert_int_equal(parse(text, &got), 0);
	assert_int_equal(got, value);
}

static void refuses(parse_fn *parse, const char *text, int error)
{
	uint64_t got = 77;

	assert_int_equal(parse(text, &got), error);
	assert_int_equal(got, 77);
}

static void test_time(void **state)
{
	(void)state;
	reads(mw_quantity_parse_time, "1ms", 1);
	reads(mw_quantity_parse_time, "30s", 30000);
	reads(mw_quantity_parse_time, "10 m", 600000);
	reads(mw_quantity_parse_time, "2h", 7200000);
	refuses(mw_quantity_parse_time, "", -EINVAL);
	refuses(mw_quantity_parse_time, "10", -EINVAL);
	refuses(mw_quantity_parse_time, "10  m", -EINVAL);
	refuses(mw_quantity_parse_time, "10min", -EINVAL);
	refuses(mw_quantity_parse_time, "-1s", -EINVAL);
	refuses(mw_quantity_parse_time, "+1s", -EINVAL);
	refuses(mw_quantity_parse_time, " 1s", -EINVAL);
	refuses(mw_quantity_parse_time, "0x10s", -EINVAL);
	refuses(mw_quantity_parse_time, "1.5s", -EINVAL);
	refuses(mw_quantity_parse_time, "0s", -EINVAL);
	refuses(mw_quantity_parse_time, "9007199254740993ms", -ERANGE);
	refuses(mw_quantity_parse_time, "5124095576030431h", -ERANGE);
	refuses(mw_quantity_parse_time, "18446744073709551616s", -ERANGE);
}

static void test_bytes(void **state)
{
	(void)state;
	reads(mw_quantity_parse_bytes, "1KiB", 1024);
	reads(mw_quantity_parse_bytes, "64GiB", UINT64_C(64) << 30);
	reads(mw_quantity_parse_bytes, "3 TB", UINT64_C(3000000000000));
	reads(mw_quantity_parse_bytes, "5kB", 5000);
	refuses(mw_quantity_parse_bytes, "1", -EINVAL);
	refuses(mw_quantity_parse_bytes, "1G", -EINVAL);
	refuses(mw_quantity_parse_bytes, "1gib", -EINVAL);
	refuses(mw_quantity_parse_bytes, "GiB", -EINVAL);
	refuses(mw_quantity_parse_bytes, "16384TiB", -ERANGE);
}

static void test_shown(void **state)
{
	char text[MW_QUANTITY_TEXT];

	(void)state;
	mw_quantity_time(0, text);
	assert_string_equal(text, "0 ms");
	mw_quantity_time(1500, text);
	assert_string_equal(text, "1500 ms");
	mw_quantity_time(7200000, text);
	assert_string_equal(text, "2 h");
	mw_quantity_bytes(0, text);
	assert_string_equal(text, "0 B");
	mw_quantity_bytes(1023, text);
	assert_string_equal(text, "1023 B");
	mw_quantity_bytes(UINT64_C(1536) << 20, text);
	assert_string_equal(text, "1536 MiB");
	mw_quantity_bytes(3000000000, text);
	assert_string_equal(text, "3 GB");
	mw_quantity_bytes(UINT64_MAX, text);
	assert_string_equal(text, "18446744073709551615 B");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_time),
	        cmocka_unit_test(test_bytes),
	        cmocka_unit_test(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
