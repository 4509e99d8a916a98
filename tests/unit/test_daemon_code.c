/* The maps of code that are kept of a process: what covers what, and what is known when it has
 * gone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/daemon_code.h"

static int put(struct mw_maps *maps, uint64_t start, uint64_t end, const char *path)
{
	const struct mw_map map = {.start = start,
	                           .end = end,
	                           .offset = 0x100000 + start,
	                           .ino = 1,
	                           .prot = MW_MAP_READ | MW_MAP_EXEC};

	return mw_maps_put(maps, &map, path);
}

static void assert_map(const struct mw_maps *maps, size_t i, uint64_t start, uint64_t end,
                       const char *path)
{
	assert_true(i < maps->count);
	assert_int_equal(maps->maps[i].start, start);
	assert_int_equal(maps->maps[i].end, end);
	assert_int_equal(maps->maps[i].offset, 0x100000 + start);
	assert_string_equal(mw_map_path(maps, &maps->maps[i]), path);
}

static void test_they_are_kept_in_order(void **state)
{
	struct mw_maps maps = {0};

	(void)state;
	assert_int_equal(put(&maps, 0x5000, 0x6000, "/b"), 0);
	assert_int_equal(put(&maps, 0x1000, 0x2000, "/a"), 0);
	assert_int_equal(put(&maps, 0x7000, 0x9000, "/a"), 0);
	assert_int_equal(maps.count, 3);
	assert_map(&maps, 0, 0x1000, 0x2000, "/a");
	assert_map(&maps, 1, 0x5000, 0x6000, "/b");
	assert_map(&maps, 2, 0x7000, 0x9000, "/a");
	assert_int_equal(maps.paths_len, strlen("/a") + strlen("/b") + 2);
	mw_maps_free(&maps);
}

static void test_what_comes_later_covers(void **state)
{
	struct mw_maps maps = {0};

	(void)state;
	assert_int_equal(put(&maps, 0x1000, 0x5000, "/a"), 0);
	assert_int_equal(put(&maps, 0x2000, 0x3000, "/middle"), 0);
	assert_int_equal(maps.count, 3);
	assert_map(&maps, 0, 0x1000, 0x2000, "/a");
	assert_map(&maps, 1, 0x2000, 0x3000, "/middle");
	assert_map(&maps, 2, 0x3000, 0x5000, "/a");
	assert_int_equal(put(&maps, 0x1800, 0x4000, "/over"), 0);
	assert_int_equal(maps.count, 3);
	assert_map(&maps, 0, 0x1000, 0x1800, "/a");
	assert_map(&maps, 1, 0x1800, 0x4000, "/over");
	assert_map(&maps, 2, 0x4000, 0x5000, "/a");
	assert_int_equal(put(&maps, 0x1000, 0x5000, "/all"), 0);
	assert_int_equal(maps.count, 1);
	assert_map(&maps, 0, 0x1000, 0x5000, "/all");
	assert_int_equal(put(&maps, 0x1000, 0x1000, "/nothing"), 0);
	assert_int_equal(maps.count, 1);
	mw_maps_free(&maps);
}

static void test_there_are_bounds(void **state)
{
	struct mw_maps maps = {0};
	char path[4096];
	uint64_t n = 0;
	int r = 0;

	(void)state;
	while (!r && n < 2 * MW_MAPS_CODE_MAX) {
		r = put(&maps, 0x1000 * n, 0x1000 * (n + 1), "/a");
		n++;
	}
	assert_int_equal(r, -E2BIG);
	assert_true(maps.count < MW_MAPS_CODE_MAX);
	mw_maps_free(&maps);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	for (n = r = 0; !r && n < MW_MAPS_CODE_MAX; n++) {
		snprintf(path + 1, 8, "%06u", (unsigned)n);
		path[7] = 'x';
		r = put(&maps, 0, 0x1000, path);
	}
	assert_int_equal(r, -E2BIG);
	assert_true(maps.paths_len <= MW_MAPS_CODE_PATHS_MAX);
	mw_maps_free(&maps);
}

static void test_of_a_process_the_code_is_kept(void **state)
{
	struct mw_code *code = mw_code_new(getpid(), 1, 0), *child;
	const struct mw_map *map;

	(void)state;
	assert_non_null(code);
	map = mw_maps_find(&code->maps, (uintptr_t)test_they_are_kept_in_order);
	assert_non_null(map);
	assert_non_null(strstr(mw_map_path(&code->maps, map), "test_daemon_code"));
	assert_null(mw_maps_find(&code->maps, (uintptr_t)&map));
	child = mw_code_inherit(code, 7, 2);
	mw_code_free(code);
	assert_non_null(child);
	map = mw_maps_find(&child->maps, (uintptr_t)test_they_are_kept_in_order);
	assert_non_null(map);
	assert_non_null(strstr(mw_map_path(&child->maps, map), "test_daemon_code"));
	mw_code_free(child);
	assert_null(mw_code_inherit(NULL, 7, 2));
}

/* Rather nothing than what is not all. */
static void test_of_too_much_nothing_is_kept(void **state)
{
	struct mw_code *code = mw_code_new(getpid(), 1, 0), *child;
	struct mw_mapping mapping = {
	        .length = 0x1000, .ino = 1, .prot = MW_MAP_EXEC, .path = "/many"};

	(void)state;
	for (uint64_t i = 0; i < 2 * MW_MAPS_CODE_MAX; i++) {
		mapping.address = 0x1000 * i;
		mw_code_put(code, &mapping);
	}
	assert_true(code->incomplete);
	assert_int_equal(code->maps.count, 0);
	child = mw_code_inherit(code, 7, 2);
	assert_true(child->incomplete);
	mw_code_free(child);
	mw_code_free(code);
}

static struct mw_code *program(pid_t pid, uint64_t start, uint64_t since)
{
	struct mw_code *code = calloc(1, sizeof(*code));

	*code = (struct mw_code){.pid = pid, .start = start, .since = since};
	return code;
}

static void test_what_has_ended_is_found_by_its_time(void **state)
{
	struct mw_code_past past = {.next = 0};
	struct mw_code *first = program(7, 1, 10), *second = program(7, 1, 20);

	(void)state;
	assert_null(mw_code_find(&past, 7, 1, 100));
	mw_code_end(&past, NULL);
	mw_code_end(&past, first);
	mw_code_end(&past, second);
	mw_code_end(&past, program(8, 1, 10));
	assert_ptr_equal(mw_code_find(&past, 7, 1, 15), first);
	assert_ptr_equal(mw_code_find(&past, 7, 1, 25), second);
	assert_null(mw_code_find(&past, 7, 1, 5));
	assert_null(mw_code_find(&past, 7, 2, 25));
	assert_null(mw_code_find(&past, 9, 1, 25));
	for (int i = 0; i < MW_CODE_PAST - 1; i++)
		mw_code_end(&past, program(9, 1, 10));
	assert_null(mw_code_find(&past, 7, 1, 25));
	assert_non_null(mw_code_find(&past, 8, 1, 25));
	mw_code_end(&past, program(10, 0, 0));
	assert_non_null(mw_code_find(&past, 10, 7, 25));
	mw_code_forget(&past);
	assert_null(mw_code_find(&past, 9, 1, 25));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_they_are_kept_in_order),
	        cmocka_unit_test(test_what_comes_later_covers),
	        cmocka_unit_test(test_there_are_bounds),
	        cmocka_unit_test(test_of_a_process_the_code_is_kept),
	        cmocka_unit_test(test_of_too_much_nothing_is_kept),
	        cmocka_unit_test(test_what_has_ended_is_found_by_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
