/* What the kernel's programs look at is what the floor's table has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "../../core/words.h"
#include "../../tools/daemon_calls.h"
#include "../../tools/floor_calls.h"

static struct mw_daemon_call calls[MW_K_CALLS];
static size_t count;

static const struct mw_k_call *find(int number)
{
	for (size_t i = 0; i < count; i++)
		if (calls[i].number == number && !calls[i].compat)
			return &calls[i].look;
	return NULL;
}

/* An argument that makes the row speak. */
static uint64_t argument(const struct mw_floor_call *row)
{
	switch ((enum mw_floor_when)row->when) {
	case MW_FLOOR_ANY_BIT:
		return row->value & -row->value;
	case MW_FLOOR_EQUAL:
	case MW_FLOOR_LOW_16:
		return row->value;
	case MW_FLOOR_ALWAYS:
	case MW_FLOOR_UNEQUAL:
		break;
	}
	return (uint64_t)row->value + 1;
}

/* Whatever a row is about passes the kernel's own choice, in the argument's upper half be what
 * will. */
static void test_rows(void **state)
{
	unsigned int looked = 0;

	(void)state;
	assert_true(count > 100);
	for (size_t i = 0; i < mw_floor_call_count; i++) {
		const struct mw_floor_call *row = &mw_floor_calls[i];
		const struct mw_k_call *look = row->number >= 0 ? find(row->number) : NULL;

		if (!look || look->test < 0 || row->only == MW_FLOOR_NARROW ||
		    row->effect >= MW_CLASS_COUNT)
			continue;
		assert_int_equal(look->test, row->arg);
		assert_true(mw_k_is_looked_at(look, argument(row)));
		assert_true(mw_k_is_looked_at(look, argument(row) | 0x5500000000));
		looked++;
	}
	assert_true(looked > 10);
}

/* What every program does all the time is none of them. */
static void test_others(void **state)
{
	const struct mw_k_call *ioctl = find(SYS_ioctl), *mmap = find(SYS_mmap);

	(void)state;
	assert_true(ioctl && ioctl->test == 1 && !mw_k_is_looked_at(ioctl, 0x5401 /* TCGETS */));
	assert_true(ioctl && !mw_k_is_looked_at(ioctl, 0));
	assert_true(mmap && mmap->test == 2 && !mw_k_is_looked_at(mmap, 3 /* read and write */));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_rows),
	        cmocka_unit_test(test_others),
	};

	count = mw_daemon_calls(calls, MW_K_CALLS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
