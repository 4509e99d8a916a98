/* Questions about paths as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../core/paths.h"

static void test_inside(void **state)
{
	(void)state;
	assert_true(mw_path_inside("/a/b", "/a"));
	assert_true(mw_path_inside("/a/b/c", "/a/"));
	assert_true(mw_path_inside("/a", "/a"));
	assert_true(mw_path_inside("/a", "/a//"));
	assert_true(mw_path_inside("/a/", "/a"));
	assert_true(mw_path_inside("a/b", "a"));
	assert_true(mw_path_inside("/", "/"));
	assert_false(mw_path_inside("/ab", "/a"));
	assert_false(mw_path_inside("/a", "/a/b"));
	assert_false(mw_path_inside("/b/a", "/a"));
	assert_false(mw_path_inside("", "/a"));
	assert_false(mw_path_inside("/a", "/"));
}

static void test_ends(void **state)
{
	(void)state;
	assert_true(mw_ends_with("/lib/ast.py", "/ast.py"));
	assert_true(mw_ends_with("/ast.py", "/ast.py"));
	assert_true(mw_ends_with("x", ""));
	assert_false(mw_ends_with("/ast.pyc", "/ast.py"));
	assert_false(mw_ends_with("ast.py", "/ast.py"));
	assert_false(mw_ends_with("", "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_inside),
	        cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
