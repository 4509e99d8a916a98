/* Which process answers for which load, with real processes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/registry.h"
#include "../../tools/scopes.h"

static struct mw_page page;
static struct mw_registry registry;
static struct mw_scopes scopes;

static int setup(void **state)
{
	(void)state;
	memset(&page, 0, sizeof(page));
	memset(&registry, 0, sizeof(registry));
	memset(&scopes, 0, sizeof(scopes));
	registry.page = &page;
	scopes.registry = &registry;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mw_scopes_clear(&scopes);
	mw_registry_clear(&registry);
	return 0;
}

static uint32_t put(uint64_t id, const char *entry)
{
	struct mw_record_load load = {.id = id, .fd = 7, .data = 99, .data_len = 1};

	load.entry = (struct mw_str){entry, entry ? (uint32_t)strlen(entry) : 0};
	load.path = (struct mw_str){"model.pt", 8};
	return mw_registry_put(&registry, getpid(), &load);
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_registry_keeps_what_holds_elsewhere(void **state)
{
	uint32_t slot = put(5, "torch.load");
	const struct mw_record_load *kept = registry.entry[slot].load;

	(void)state;
	assert_int_not_equal(slot, 0);
	assert_int_equal(mw_registry_find(&registry, 5), slot);
	assert_int_equal(put(0, "torch.load"), 0);
	assert_int_equal(put(5, NULL), slot);
	assert_ptr_equal(registry.entry[slot].load, kept);
	assert_int_equal(kept->fd, -1);
	assert_int_equal(kept->data, 0);
	assert_int_equal(kept->path.s[0], '/');
	assert_memory_equal(kept->path.s + kept->path.len - 9, "/model.pt", 9);
}

static void test_registry_lets_the_oldest_go(void **state)
{
	pid_t child = start_child();

	(void)state;
	put(1, "in scope");
	mw_scopes_add(&scopes, child, 1);
	page.slot[put(2, "denied")].denied = 1;
	for (uint64_t id = 3; id < 3 * MW_PAGE_SLOTS; id++)
		put(id, "other");
	assert_int_not_equal(mw_registry_find(&registry, 1), 0);
	assert_int_not_equal(mw_registry_find(&registry, 2), 0);
	assert_int_equal(mw_registry_find(&registry, 3), 0);
	assert_int_not_equal(mw_registry_find(&registry, 3 * MW_PAGE_SLOTS - 1), 0);
	end_child(child);
}

static void test_scope_goes_to_descendants_and_ends(void **state)
{
	pid_t child = start_child();

	(void)state;
	put(1, "load");
	assert_int_equal(mw_scopes_of(&scopes, child, 0), 0);
	mw_scopes_add(&scopes, getpid(), 1);
	assert_int_equal(page.scopes, 1);
	assert_int_equal(mw_scopes_of(&scopes, child, 0), 1);
	assert_int_equal(page.scopes, 2);
	assert_int_equal(mw_scopes_of(&scopes, child, getppid()), 1);
	end_child(child);
	mw_scopes_prune(&scopes);
	assert_int_equal(page.scopes, 1);
}

static void test_one_program_for_one_start(void **state)
{
	pid_t before = start_child(), first, second;

	(void)state;
	put(1, "load");
	usleep(20000); /* two of the ticks that starts are counted in */
	mw_scopes_spawning(&scopes, getpid(), getpid(), 1);
	assert_int_equal(page.scopes, 0);
	first = start_child();
	second = start_child();
	assert_int_equal(mw_scopes_of(&scopes, before, 0), 0);
	assert_int_equal(mw_scopes_of(&scopes, first, 0), 1);
	assert_int_equal(mw_scopes_of(&scopes, second, 0), 0);
	assert_int_equal(mw_scopes_of(&scopes, first, 0), 1);
	end_child(before);
	end_child(first);
	end_child(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_registry_keeps_what_holds_elsewhere, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_registry_lets_the_oldest_go, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_scope_goes_to_descendants_and_ends, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_one_program_for_one_start, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
