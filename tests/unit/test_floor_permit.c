/* What follows from what was let pass, as the floor sees it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/floor_permit.h"
#include "../../tools/floor_tasks.h"

static struct mw_str text(const char *s)
{
	return (struct mw_str){s, s ? (uint32_t)strlen(s) : 0};
}

static struct mw_permit *permit(enum mw_class class, const char *op, const char *target,
                                const char *file)
{
	const struct mw_record_effect effect = {.class = class,
	                                        .op = text(op),
	                                        .target = text(target),
	                                        .file = text(file),
	                                        .number = 7};

	return mw_permit_new(&effect, "");
}

static bool covers(struct mw_permit *p, enum mw_class class, const char *target, const char *file,
                   int64_t number)
{
	const struct mw_effect effect = {
	        .class = class, .target = target, .file = file, .number = number};
	bool result = mw_permit_covers(p, &effect, NULL);

	free(p);
	return result;
}

static void a_file_is_told_by_where_it_lies(void **state)
{
	(void)state;
	assert_true(
	        covers(permit(MW_WRITE, "open", "x", "/a/x"), MW_WRITE, "/b/../a/x", "/a/x", 0));
	assert_false(covers(permit(MW_WRITE, "open", "x", "/a/x"), MW_WRITE, "/a/y", "/a/y", 0));
	assert_true(covers(permit(MW_WRITE, "shutil.rmtree", "/a/x", "/a/x"), MW_WRITE, "/a/x/y",
	                   "/a/x/y", 0));
	assert_false(covers(permit(MW_WRITE, "open", "x", "/a/x"), MW_READ, "/a/x", "/a/x", 0));
}

/* An empty target never stands for any: the process may have sent it so. */
static void what_is_not_named_agrees_in_its_number(void **state)
{
	(void)state;
	assert_true(covers(permit(MW_MAP, "mprotect", NULL, NULL), MW_MAP, NULL, NULL, 7));
	assert_false(covers(permit(MW_MAP, "mprotect", NULL, NULL), MW_MAP, NULL, NULL, 5));
	assert_false(covers(permit(MW_WRITE, "open", NULL, NULL), MW_WRITE, "/etc/passwd",
	                    "/etc/passwd", 7));
	assert_false(covers(permit(MW_CONNECT, "connect", NULL, NULL), MW_CONNECT, "192.0.2.1:80",
	                    NULL, 7));
}

static void a_call_that_was_made_is_not_made_again(void **state)
{
	struct mw_permit *p = permit(MW_MAP, "mprotect", NULL, NULL);

	(void)state;
	assert_true(mw_permit_is_used_up(p));
	p->spent = true;
	assert_false(covers(p, MW_MAP, NULL, NULL, 7));
	p = permit(MW_EXEC, "subprocess.Popen", "/bin/true", "/usr/bin/true");
	assert_true(mw_permit_is_used_up(p));
	free(p);
	p = permit(MW_WRITE, "shutil.rmtree", "/a", "/a");
	assert_false(mw_permit_is_used_up(p));
	free(p);
}

static bool starts(struct mw_permit *permit, size_t argc, const char *const *argv)
{
	const struct mw_effect effect = {.class = MW_EXEC, .argv = argv, .argc = argc};

	return mw_permit_has_arguments(permit, &effect);
}

static void a_program_gets_the_arguments_that_were_judged(void **state)
{
	const struct mw_record_effect record = {
	        .class = MW_EXEC, .argv = {text("sh"), text("-c"), text("id")}, .argc = 3};
	struct mw_permit *p = mw_permit_new(&record, "");

	(void)state;
	assert_true(starts(p, 3, (const char *[]){"sh", "-c", "id"}));
	assert_true(starts(p, 4, (const char *[]){"sh", "-c", "--", "id"})); /* as system() does */
	assert_false(starts(p, 3, (const char *[]){"sh", "-c", "ls"}));
	assert_false(starts(p, 2, (const char *[]){"sh", "-c"}));
	assert_false(starts(p, 4, (const char *[]){"sh", "-c", "id", "x"}));
	p->argv_cut = true;
	assert_false(starts(p, 3, (const char *[]){"sh", "-c", "id"}));
	free(p);
}

static void a_library_brings_others_that_were_there(void **state)
{
	struct mw_record_effect record = {.class = MW_MAP,
	                                  .op = text("dlopen"),
	                                  .target = text("/v/a.so"),
	                                  .facts = MW_FACT_INSTALLED};
	struct mw_effect effect = {.class = MW_MAP, .target = "/v/b.so", .file = "/v/b.so"};
	struct mw_permit *p = mw_permit_new(&record, "");

	(void)state;
	assert_false(mw_permit_covers(p, &effect, NULL));
	effect.facts = MW_FACT_INSTALLED;
	assert_true(mw_permit_covers(p, &effect, NULL));
	free(p);
}

static void only_a_look_up_looks_up(void **state)
{
	struct mw_permit *p = permit(MW_SEND, "socket.getaddrinfo", "example.org", NULL);

	(void)state;
	assert_true(mw_permit_looks_up(p));
	free(p);
	p = permit(MW_SEND, "socket.sendto", "192.0.2.1:53", NULL);
	assert_false(mw_permit_looks_up(p));
	free(p);
	p = permit(MW_SEND, "getaddrinfo", NULL, NULL);
	assert_false(mw_permit_looks_up(p));
	free(p);
}

/* The test itself is the thread that is looked at. */
static void loads_open_and_close_in_any_order(void **state)
{
	static struct mw_floor_tasks tasks;
	struct mw_floor_thread *t = mw_floor_thread_enter(&tasks, getpid(), gettid());
	static struct mw_record record = {.load = {.id = 1, .fd = -1, .sp = 1000}};
	struct mw_record_load *load = &record.load;

	(void)state;
	assert_non_null(t);
	assert_ptr_equal(mw_floor_thread_enter(&tasks, getpid(), gettid()), t);
	record.frame_count = 1;
	record.frames[0] = (struct mw_pyframe){text("main"), text("job.py"), 3};
	mw_floor_thread_open(t, &record);
	load->id = 2;
	mw_floor_thread_open(t, &record);
	load->fd = 5;
	mw_floor_thread_open(t, &record); /* more is said of it */
	assert_int_equal(t->loads->id, 2);
	assert_int_equal(t->loads->fd, 5);
	assert_int_equal(t->loads->frame_count, 1);
	assert_memory_equal(t->loads->frames[0].file.s, "job.py", 6);
	assert_int_equal(mw_floor_thread_close(t, 1, 1000 - 513), -EPERM);
	assert_int_equal(mw_floor_thread_close(t, 1, 1001), -EPERM);
	assert_int_equal(mw_floor_thread_close(t, 1, 1000), 0);
	assert_int_equal(mw_floor_thread_close(t, 77, 0), 0);
	assert_int_equal(t->loads->id, 2);
	assert_null(t->loads->outer);
	mw_floor_thread_permit(t, permit(MW_WRITE, "open", "x", "/a/x"));
	assert_int_equal(mw_floor_thread_close(t, 2, 900), 0);
	assert_null(t->loads);
	assert_null(t->permits[0]);
	mw_floor_thread_tidy(&tasks, t);
	assert_int_equal(tasks.count, 0);
}

static void the_oldest_permit_gives_way(void **state)
{
	static struct mw_floor_tasks tasks;
	struct mw_floor_thread *t = mw_floor_thread_enter(&tasks, getpid(), gettid());

	(void)state;
	for (int i = 0; i < 3 * MW_FLOOR_PERMITS; i++)
		mw_floor_thread_permit(t, permit(MW_WRITE, "open", "x", i % 2 ? "/a/x" : "/a/y"));
	assert_non_null(t->permits[MW_FLOOR_PERMITS - 1]);
	t->scope = 9;
	mw_floor_thread_tidy(&tasks, t);
	assert_int_equal(tasks.count, 1);
	mw_floor_tasks_clear(&tasks);
	assert_int_equal(tasks.count, 0);
}

static void threads_that_have_ended_are_forgotten(void **state)
{
	static struct mw_floor_tasks tasks;

	(void)state;
	assert_null(mw_floor_thread_enter(&tasks, 1 << 23, 1 << 23));
	assert_null(mw_floor_thread_enter(&tasks, getppid(), gettid())); /* another one's thread */
	assert_non_null(mw_floor_thread_enter(&tasks, getpid(), gettid()));
	mw_floor_tasks_prune(&tasks);
	assert_int_equal(tasks.count, 1);
	mw_floor_thread(&tasks, gettid())->start++; /* another one had the number */
	mw_floor_tasks_prune(&tasks);
	assert_int_equal(tasks.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_file_is_told_by_where_it_lies),
	        cmocka_unit_test(what_is_not_named_agrees_in_its_number),
	        cmocka_unit_test(a_call_that_was_made_is_not_made_again),
	        cmocka_unit_test(a_program_gets_the_arguments_that_were_judged),
	        cmocka_unit_test(a_library_brings_others_that_were_there),
	        cmocka_unit_test(only_a_look_up_looks_up),
	        cmocka_unit_test(loads_open_and_close_in_any_order),
	        cmocka_unit_test(the_oldest_permit_gives_way),
	        cmocka_unit_test(threads_that_have_ended_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
