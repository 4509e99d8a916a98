/* Events that say of themselves what is not so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/daemon_check.h"
#include "daemon_event.h"

static int check(void)
{
	return mw_k_check(&e, sizeof(e));
}

static void fill(void)
{
	event(MW_K_HOOK_SYSCALL, SYS_openat);
	add_load(1, MW_K_PICKLE_LOAD, 5, "/models/a.pkl");
	add_frame("load", "/x.py", 5);
	add_global("posix system");
}

static void takes_a_good_one(void **state)
{
	(void)state;
	fill();
	assert_int_equal(check(), 0);
	e.head.kind = MW_K_BIRTH;
	assert_int_equal(check(), 0);
	assert_int_equal(mw_k_check(&e, mw_k_size(&e)), 0);
	assert_int_equal(mw_k_check(&e, mw_k_size(&e) - 1), -EBADMSG);
	assert_int_equal(mw_k_check(&e, sizeof(e) + 1), -EBADMSG);
	assert_int_equal(mw_k_check(&e, 0), -EBADMSG);
}

#define BAD(change)                                                                                \
	do {                                                                                       \
		fill();                                                                            \
		change;                                                                            \
		assert_int_equal(check(), -EBADMSG);                                               \
	} while (0)

static void refuses_what_is_out_of_bounds(void **state)
{
	(void)state;
	BAD(e.head.kind = MW_K_EXEC);
	BAD(e.hook = MW_K_HOOKS);
	BAD(e.depth = MW_K_LOADS + 1);
	BAD(e.load[0].id = 0);
	BAD(e.load[0].entry = MW_K_ENTRY_COUNT);
	BAD(e.load[0].file.names.at = MW_K_STRINGS);
	BAD(e.global_count = MW_K_GLOBALS + 1);
	BAD(memset(e.global[0], 'x', MW_K_GLOBAL));
	BAD(e.frame_count = MW_K_FRAMES + 1);
	BAD(e.frame[0].table_used = MW_K_TABLE + 1);
	BAD((e.frame[0].file = (struct mw_k_str){65535, 65535}));
	BAD((e.argv = (struct mw_k_str){1, MW_K_STRINGS}));
	BAD((e.open[3].names = (struct mw_k_str){MW_K_STRINGS, 1}));
	BAD(e.address_len = 129);
	BAD(e.stack_len = MW_K_STACK + 1);
	BAD(e.stream_len = MW_K_STREAM + 1);
}

static void puts_paths_together(void **state)
{
	struct mw_k_path path;
	char text[64];

	(void)state;
	event(MW_K_HOOK_SYSCALL, SYS_openat);
	path = put_path("/models/a.pkl");
	assert_true(mw_k_path(&e, &path, text, sizeof(text)));
	assert_string_equal(text, "/models/a.pkl");
	assert_true(mw_k_path(&e, &path, text, sizeof("/models/a.pkl")));
	assert_false(mw_k_path(&e, &path, text, sizeof("/models/a.pk")));
	assert_string_equal(text, "");
	path.cut = true;
	assert_false(mw_k_path(&e, &path, text, sizeof(text)));
	path = (struct mw_k_path){.names = put_bytes("\0", 1)};
	assert_true(mw_k_path(&e, &path, text, sizeof(text)));
	assert_string_equal(text, "/");
	path = (struct mw_k_path){.names = put("unended")};
	assert_true(mw_k_path(&e, &path, text, sizeof(text)));
	assert_string_equal(text, "/unended");
	path = (struct mw_k_path){.ino = 1};
	assert_false(mw_k_path(&e, &path, text, sizeof(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(takes_a_good_one),
	        cmocka_unit_test(refuses_what_is_out_of_bounds),
	        cmocka_unit_test(puts_paths_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
