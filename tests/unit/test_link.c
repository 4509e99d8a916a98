/* What a link does with a receiver that talks unasked: the channel is one of ours, which always has
 * more to say, or as much as it is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../courier/link.h"

static int words, state_after; /* how often there is something; what poll() says then */
static struct mw_sink_report report;

int mw_channel_open(const char *address, const struct mw_sink_tls *tls, int timeout_ms, int stop,
                    struct mw_channel **ret, char *why, size_t why_size)
{
	(void)address, (void)tls, (void)timeout_ms, (void)stop, (void)ret, (void)why,
	        (void)why_size;
	return -ECONNREFUSED;
}

int mw_channel_poll(struct mw_channel *channel)
{
	(void)channel;
	return words ? 1 : state_after;
}

ssize_t mw_channel_read(struct mw_channel *channel, void *data, size_t size, int timeout_ms)
{
	(void)channel;
	assert_int_equal(timeout_ms, 0);
	memset(data, 'x', size);
	words -= words > 0;
	return (ssize_t)size;
}

void mw_channel_finish(struct mw_channel *channel, int timeout_ms)
{
	(void)channel, (void)timeout_ms;
}

void mw_channel_close(struct mw_channel *channel)
{
	(void)channel;
}

static int ignored(int count, int after)
{
	struct mw_link link = {.address = "a"};

	words = count;
	state_after = after;
	return mw_link_ignore(&link);
}

static void some_words_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(ignored(0, 0), 0);
	assert_int_equal(ignored(3, 0), 0);
	assert_int_equal(ignored(3, -EPIPE), -EPIPE);
}

static void who_talks_for_ever_speaks_another_protocol(void **state)
{
	struct mw_link link = {.address = "a"};

	(void)state;
	alarm(20);
	assert_int_equal(ignored(-1, 0), -EPROTO);
	mw_link_wrong(&link, -EPROTO, &report);
	assert_string_equal(report.reason, "protocol");
	assert_string_equal(report.why, "a: not the protocol");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(some_words_are_ignored),
	        cmocka_unit_test(who_talks_for_ever_speaks_another_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
