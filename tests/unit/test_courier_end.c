/* The end of a courier: who waits for it, for how long, and what becomes of one that does not go.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/courier.h"
#include "../../tools/installed.h"

#define RECORD "{\"schema\": \"modelwatch.heartbeat/1\"}\n"
#define RECORDS 5

static int64_t fast = 1, origin; /* how many times as fast the clock is, since when */
static char script[64];

/* In the place of the C library's, and of the program's own. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int64_t ns;

	if (syscall(SYS_clock_gettime, clock, ret) < 0)
		return -1;
	if (clock != CLOCK_MONOTONIC)
		return 0;
	ns = (int64_t)ret->tv_sec * 1000000000 + ret->tv_nsec;
	ns = origin + (ns - origin) * fast;
	ret->tv_sec = ns / 1000000000;
	ret->tv_nsec = ns % 1000000000;
	return 0;
}

static void hurry(int64_t times)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	origin = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	fast = times;
}

int mw_installed(const char *name, char ret[static PATH_MAX])
{
	(void)name;
	strcpy(ret, script);
	return 0;
}

/* What the courier is, and what it does once it has heard what it is to do. */
static void write_courier(const char *does)
{
	int fd = open(script, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	assert_true(fd >= 0);
	dprintf(fd, "#!/bin/sh\nread -r hello\n%s\n", does);
	close(fd);
}

static struct mw_courier *open_courier(const char *does)
{
	json_t *config = json_pack("{s:{s:{s:s, s:s}}, s:{s:s}}", "sinks", "out", "type", "file",
	                           "path", "/none/out", "spool", "flush", "1s");
	struct mw_courier *courier;

	write_courier(does);
	assert_int_equal(mw_courier_open(config, true, &courier), 0);
	json_decref(config);
	for (int i = 0; i < RECORDS; i++)
		mw_courier_send(courier, RECORD, strlen(RECORD));
	return courier;
}

static int64_t ms_of(void (*what)(void *context), void *context)
{
	struct timespec from, to;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &from);
	what(context);
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &to);
	return (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
}

static void finish(void *courier)
{
	mw_courier_finish(courier);
}

static bool runs(pid_t pid)
{
	return !kill(pid, 0);
}

static bool has_children(void)
{
	siginfo_t info;

	return !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
}

/* Those that have been killed, and nobody has waited for. */
static void reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	assert_false(has_children());
}

#define SPEAKS "while sleep 0.02; do echo '{\"taken\": 0}' >&0; done"
#define TAKES "echo '{\"taken\": 5}' >&0; echo '{\"view\": {\"why\": \"\"}}' >&0; cat >/dev/null"

static void one_that_is_silent_is_not_waited_for(void **state)
{
	struct mw_courier *courier = open_courier("exec sleep 100");

	(void)state;
	hurry(20);
	assert_in_range(ms_of(finish, courier), 100, 2000); /* 3 s, then 4 */
	assert_int_equal(mw_courier_close(courier), RECORDS);
	reap_all();
}

/* One that says that it is at it gets its minute, and is not ended then. */
static void one_that_speaks_is_waited_for_and_left_alone(void **state)
{
	struct mw_courier *courier = open_courier(SPEAKS);
	pid_t pid = mw_courier_pid(courier);

	(void)state;
	hurry(10); /* it has 300 ms from word to word, and a minute is six seconds */
	assert_in_range(ms_of(finish, courier), 5000, 20000);
	assert_non_null(strstr(mw_courier_trouble(courier), "5 are not on disk yet"));
	assert_int_equal(mw_courier_close(courier), 0);
	assert_true(runs(pid));
	kill(pid, SIGKILL);
	reap_all();
}

static void one_that_has_taken_all_ends(void **state)
{
	struct mw_courier *courier = open_courier(TAKES);

	(void)state;
	assert_in_range(ms_of(finish, courier), 0, 2000);
	assert_string_equal(mw_courier_trouble(courier), "");
	assert_int_equal(mw_courier_close(courier), 0);
	reap_all();
}

struct retired {
	struct mw_courier *courier, *list;
	uint64_t lost;
};

static void retire(void *context)
{
	struct retired *r = context;

	mw_courier_retire(r->courier, &r->list);
}

static void sweep(void *context)
{
	struct retired *r = context;

	r->lost += mw_courier_sweep(&r->list);
}

/* In the loop of a daemon nothing waits, whatever the courier does. */
static void sweep_until_over(struct retired *r, int most)
{
	for (int i = 0; r->list && i < most; i++) {
		assert_in_range(ms_of(sweep, r), 0, 500);
		usleep(10000);
	}
	assert_null(r->list);
	assert_false(has_children());
}

static void a_retired_one_goes_by_itself(void **state)
{
	struct retired r = {.courier = open_courier(TAKES)};

	(void)state;
	assert_in_range(ms_of(retire, &r), 0, 500);
	sweep_until_over(&r, 500);
	assert_int_equal(r.lost, 0);
}

static void a_retired_one_that_hangs_is_ended(void **state)
{
	struct retired r = {.courier = open_courier("exec sleep 100")};

	(void)state;
	kill(mw_courier_pid(r.courier), SIGSTOP);
	assert_in_range(ms_of(retire, &r), 0, 500);
	hurry(60);
	sweep_until_over(&r, 1000);
	assert_int_equal(r.lost, RECORDS);
}

/* What one that dies has not taken the next one gets. */
static void a_retired_one_that_dies_is_started_anew(void **state)
{
	struct retired r = {.courier = open_courier("exec sleep 100")};

	(void)state;
	write_courier(TAKES);
	kill(mw_courier_pid(r.courier), SIGKILL);
	retire(&r);
	sweep_until_over(&r, 1000);
	assert_int_equal(r.lost, 0);
}

static void close_all(void *context)
{
	struct retired *r = context;

	r->lost = mw_courier_close_all(&r->list);
}

static void all_are_ended_in_the_end(void **state)
{
	struct retired r = {.list = NULL};

	(void)state;
	hurry(20);
	for (int i = 0; i < 4; i++) {
		r.courier = open_courier("exec sleep 100");
		retire(&r);
	}
	assert_in_range(ms_of(close_all, &r), 100, 4000);
	assert_null(r.list);
	assert_int_equal(r.lost, 4 * RECORDS);
	reap_all();
}

/* Those that were replaced do not hold up who replaces them, and leave nothing behind. */
static void leaves_no_zombie_of_those_before(void **state)
{
	struct mw_courier *courier = open_courier("exec sleep 100");
	json_t *config;
	struct retired r = {.courier = courier};

	(void)state;
	for (int i = 0; i < 12; i++) {
		config = json_pack("{s:{s:{s:s, s:o}}}", "sinks", "out", "type", "file", "path",
		                   json_sprintf("/none/%d", i));
		kill(mw_courier_pid(courier), SIGSTOP);
		mw_courier_reload(courier, config);
		json_decref(config);
	}
	write_courier(TAKES);
	kill(mw_courier_pid(courier), SIGKILL);
	retire(&r);
	sweep_until_over(&r, 2000);
	assert_int_equal(r.lost, 0);
}

static int setup(void **state)
{
	(void)state;
	hurry(1);
	snprintf(script, sizeof(script), "/tmp/mw-courier-%d", (int)getpid());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(script);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(one_that_is_silent_is_not_waited_for),
	        TEST(one_that_speaks_is_waited_for_and_left_alone),
	        TEST(one_that_has_taken_all_ends),
	        TEST(a_retired_one_goes_by_itself),
	        TEST(a_retired_one_that_hangs_is_ended),
	        TEST(a_retired_one_that_dies_is_started_anew),
	        TEST(all_are_ended_in_the_end),
	        TEST(leaves_no_zombie_of_those_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
