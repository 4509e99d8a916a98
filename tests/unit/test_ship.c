/* The senders of a spool: who has them, and that they start and end whatever is in the way. */
#include "spool_of.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "../../courier/ship.h"

static int64_t ahead; /* of the clock that people set, ns */

/* In the place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (syscall(SYS_clock_gettime, clock, ret) < 0)
		return -1;
	if (clock == CLOCK_REALTIME)
		ret->tv_sec += ahead / SECOND;
	return 0;
}

struct ship_of {
	struct spool_of *s;
	struct mw_sinks_config config;
	struct mw_ship *ship;
	char out[PATH_MAX];
};

static void open_ship(struct ship_of *of, struct spool_of *s)
{
	json_t *config;
	char why[512] = "";

	of->s = s;
	snprintf(of->out, sizeof(of->out), "%s/out", s->folder);
	config = json_pack("{s:{s:{s:s, s:s}}}", "sinks", "out", "type", "file", "path", of->out);
	if (mw_sinks_read(config, &of->config, why, sizeof(why)))
		fail_msg("%s", why);
	json_decref(config);
	s->options.clock = NULL;
	spool_reopen(s);
	const struct mw_sink_context context = {.host = "host", .stop = -1};

	assert_int_equal(mw_ship_open(&of->config, &s->options, &context, &of->ship), 0);
}

static void close_ship(struct ship_of *of)
{
	assert_true(mw_ship_close(of->ship));
	mw_sinks_free(&of->config);
}

static bool is_sent(const struct ship_of *of)
{
	struct stat st;

	for (int i = 0; i < 500; i++) {
		if (!stat(of->out, &st) && st.st_size)
			return true;
		usleep(10000);
	}
	return false;
}

static int next_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static void starts_a_sender_that_could_not_start(void **state)
{
	struct ship_of of;
	struct rlimit was, limit;

	open_ship(&of, *state);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	limit = was;
	limit.rlim_cur = (rlim_t)next_descriptor() + 1; /* for the lock */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_false(mw_ship_try(of.ship));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(mw_ship_try(of.ship));
	assert_true(mw_ship_try(of.ship)); /* and no second one */
	assert_int_equal(spool_put(of.s, spool_alert(of.s, "exec", "high", "ab", "/bin/sh")), 0);
	mw_ship_wake(of.ship);
	assert_true(is_sent(&of));
	close_ship(&of);
}

static void is_one_at_a_time(void **state)
{
	struct ship_of of, other;

	open_ship(&of, *state);
	open_ship(&other, *state);
	assert_true(mw_ship_try(of.ship));
	assert_false(mw_ship_try(other.ship));
	assert_true(mw_ship_idle(other.ship));
	close_ship(&of);
	assert_true(mw_ship_try(other.ship));
	close_ship(&other);
}

/* Somebody holds the spool, so that a sender cannot note what it has sent: its end is waited for no
 * longer because the clock is set back meanwhile. */
static void does_not_wait_long_for_a_sender_that_hangs(void **state)
{
	struct ship_of of;
	struct timespec from, to;
	sqlite3 *holder;

	open_ship(&of, *state);
	assert_int_equal(spool_put(of.s, spool_alert(of.s, "exec", "high", "ab", "/bin/sh")), 0);
	assert_int_equal(sqlite3_open(of.s->path, &holder), SQLITE_OK);
	assert_int_equal(sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_true(mw_ship_try(of.ship));
	usleep(200000);
	ahead = HOUR;
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_false(mw_ship_close(of.ship));
	clock_gettime(CLOCK_MONOTONIC, &to);
	ahead = 0;
	assert_in_range(to.tv_sec - from.tv_sec, 1, 4);
	sqlite3_close(holder);
	close_ship(&of);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(starts_a_sender_that_could_not_start),
	        TEST(is_one_at_a_time),
	        TEST(does_not_wait_long_for_a_sender_that_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
