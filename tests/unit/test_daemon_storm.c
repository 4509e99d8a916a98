/* When so many loads are refused something that it is called a storm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/daemon_storm.h"

static void a_load_counts_once(void **state)
{
	struct mw_daemon_storm storm = {.count = 0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(mw_daemon_storm(&storm, 3, 7, i));
	assert_false(mw_daemon_storm(&storm, 3, 8, 1000));
	assert_true(mw_daemon_storm(&storm, 3, 9, 1000));
	assert_false(mw_daemon_storm(&storm, 3, 9, 1000)); /* it begins anew */
}

static void what_is_old_does_not_count(void **state)
{
	struct mw_daemon_storm storm = {.count = 0};

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		assert_false(mw_daemon_storm(&storm, 3, i, (int64_t)i * MW_STORM_MS / 2));
}

static void it_can_be_switched_off(void **state)
{
	static struct mw_daemon_storm storm;

	(void)state;
	for (uint64_t i = 0; i < 2 * MW_STORM_MAX; i++)
		assert_false(mw_daemon_storm(&storm, 0, i, 0));
	for (uint64_t i = 1; i < MW_STORM_MAX; i++)
		assert_false(mw_daemon_storm(&storm, MW_STORM_MAX, i, 0));
	assert_true(mw_daemon_storm(&storm, MW_STORM_MAX, MW_STORM_MAX, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_load_counts_once),
	        cmocka_unit_test(what_is_old_does_not_count),
	        cmocka_unit_test(it_can_be_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
