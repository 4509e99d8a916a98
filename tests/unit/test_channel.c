/* Channels: every kind of address, and receivers that are not there, say nothing, read nothing or
 * go away. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../courier/channel.h"
#include "../../courier/channel_parts.h"

#define LONG_MS 20000
#define SHORT_MS 150

static char folder[] = "/tmp/test_channel.XXXXXX";
static char address[256], why[256];

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A listener on a free port of the loopback; `address` names it. */
static int listen_tcp(int family, int backlog)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool is_v4 = family == AF_INET;
	struct sockaddr *name = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t size = is_v4 ? sizeof(v4) : sizeof(v6);
	int fd = socket(family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, name, size), 0);
	assert_int_equal(listen(fd, backlog), 0);
	getsockname(fd, name, &size);
	snprintf(address, sizeof(address), is_v4 ? "127.0.0.1:%d" : "[::1]:%d",
	         ntohs(is_v4 ? v4.sin_port : v6.sin6_port));
	return fd;
}

static int listen_unix(int type, int backlog)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", folder);
	snprintf(address, sizeof(address), "unix%s:%s", type == SOCK_DGRAM ? "-dgram" : "",
	         name.sun_path);
	unlink(name.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static struct mw_channel *open_to(int stop)
{
	struct mw_channel *channel = NULL;

	if (mw_channel_open(address, NULL, LONG_MS, stop, &channel, why, sizeof(why)))
		fail_msg("%s", why);
	return channel;
}

static int try_to_open(const char *to, int timeout_ms, int stop)
{
	struct mw_channel *channel;

	why[0] = '\0';
	return mw_channel_open(to, NULL, timeout_ms, stop, &channel, why, sizeof(why));
}

static void addresses_are_told_apart(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} good[] = {{"siem.example.org:6514", "siem.example.org", "6514"},
	            {"127.0.0.1:514", "127.0.0.1", "514"},
	            {"[::1]:514", "::1", "514"},
	            {"[fe80::1%eth0]:20514", "fe80::1%eth0", "20514"}};
	static const char *const bad[] = {
	        "",     "host",   ":514",  "host:",     "::1:514",
	        "[]:1", "[::1]1", "unix:", "unix:name", "unix-dgram:name"};
	struct mw_address parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(mw_address_parse(good[i].text, &parsed), 0);
		assert_string_equal(parsed.host, good[i].host);
		assert_string_equal(parsed.port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (mw_address_parse(bad[i], &parsed) != -EINVAL)
			fail_msg("'%s' is no address", bad[i]);
	assert_int_equal(mw_address_parse("unix:/run/x", &parsed), 0);
	assert_true(parsed.is_stream);
	assert_int_equal(mw_address_parse("unix-dgram:/dev/log", &parsed), 0);
	assert_false(parsed.is_stream);
	assert_string_equal(parsed.path, "/dev/log");
}

static void talk(int listener)
{
	struct mw_channel *channel = open_to(-1);
	int peer = accept(listener, NULL, NULL);
	char text[16];

	assert_int_equal(mw_channel_write(channel, "question", 8, LONG_MS), 0);
	assert_int_equal(read(peer, text, sizeof(text)), 8);
	assert_memory_equal(text, "question", 8);
	assert_int_equal(mw_channel_settle(channel, LONG_MS), 0);
	assert_int_equal(mw_channel_poll(channel), 0);
	assert_int_equal(write(peer, "yes", 3), 3);
	assert_int_equal(mw_channel_read(channel, text, sizeof(text), LONG_MS), 3);
	assert_int_equal(write(peer, "no", 2), 2);
	while (!mw_channel_poll(channel))
		usleep(1000);
	assert_int_equal(mw_channel_poll(channel), 1);
	assert_int_equal(mw_channel_read(channel, text, sizeof(text), LONG_MS), 2);
	close(peer);
	assert_int_equal(mw_channel_read(channel, text, sizeof(text), LONG_MS), 0);
	assert_int_equal(mw_channel_poll(channel), -EPIPE);
	mw_channel_close(channel);
	close(listener);
}

static void streams_of_every_kind(void **state)
{
	(void)state;
	talk(listen_tcp(AF_INET, 1));
	talk(listen_tcp(AF_INET6, 1));
	talk(listen_unix(SOCK_STREAM, 1));
}

static void a_name_is_looked_up(void **state)
{
	char port[16];
	int listener = listen_tcp(AF_INET, 1);

	(void)state;
	snprintf(port, sizeof(port), "%s", strrchr(address, ':'));
	snprintf(address, sizeof(address), "localhost%s", port);
	talk(listener);
}

static void datagrams(void **state)
{
	int peer = listen_unix(SOCK_DGRAM, 0);
	struct mw_channel *channel = open_to(-1);
	char text[16];

	(void)state;
	assert_int_equal(mw_channel_write(channel, "one", 3, LONG_MS), 0);
	assert_int_equal(mw_channel_write(channel, "two!", 4, LONG_MS), 0);
	assert_int_equal(mw_channel_settle(channel, SHORT_MS), -ETIMEDOUT);
	assert_int_equal(read(peer, text, sizeof(text)), 3);
	assert_int_equal(read(peer, text, sizeof(text)), 4);
	assert_int_equal(mw_channel_settle(channel, LONG_MS), 0);
	close(peer);
	assert_int_equal(mw_channel_write(channel, "three", 5, LONG_MS), -EPIPE);
	mw_channel_close(channel);
}

static void a_datagram_that_is_too_long(void **state)
{
	int peer = listen_unix(SOCK_DGRAM, 0);
	struct mw_channel *channel = open_to(-1);
	char *data = calloc(1, 16 << 20);

	(void)state;
	assert_int_equal(mw_channel_write(channel, data, 16 << 20, LONG_MS), -EMSGSIZE);
	free(data);
	mw_channel_close(channel);
	close(peer);
}

static void nobody_there(void **state)
{
	(void)state;
	close(listen_tcp(AF_INET, 1));
	assert_int_equal(try_to_open(address, LONG_MS, -1), -ECONNREFUSED);
	assert_non_null(strstr(why, address));
	assert_non_null(strstr(why, "refused"));
	close(listen_unix(SOCK_STREAM, 1));
	assert_int_equal(try_to_open(address, LONG_MS, -1), -ECONNREFUSED);
	assert_int_equal(try_to_open("unix:/nowhere", LONG_MS, -1), -ENOENT);
	assert_int_equal(try_to_open("nonsense", LONG_MS, -1), -EINVAL);
	assert_true(try_to_open("no-such-name.invalid:1", 2000, -1) < 0);
}

static void tls_needs_a_stream_and_a_name(void **state)
{
	const struct mw_sink_tls tls = {.on = true};
	struct mw_channel *channel;
	int peer = listen_unix(SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(mw_channel_open(address, &tls, SHORT_MS, -1, &channel, why, sizeof(why)),
	                 -EINVAL);
	close(peer);
	peer = listen_unix(SOCK_STREAM, 1);
	assert_int_equal(mw_channel_open(address, &tls, SHORT_MS, -1, &channel, why, sizeof(why)),
	                 -EINVAL);
	close(peer);
}

/* Neither accepted nor refused: its queue is full. */
static void full_queue(int listener)
{
	struct mw_channel *taken[8];
	int error = 0, stop = eventfd(1, 0);
	size_t count = 0;
	int64_t start;

	while (!error && count < 8) {
		error = mw_channel_open(address, NULL, SHORT_MS, -1, &taken[count], why,
		                        sizeof(why));
		count += !error;
	}
	assert_int_equal(error, -ETIMEDOUT);
	start = now_ms();
	assert_int_equal(try_to_open(address, SHORT_MS, -1), -ETIMEDOUT);
	assert_in_range(now_ms() - start, SHORT_MS - 1, LONG_MS / 2);
	assert_int_equal(try_to_open(address, LONG_MS, stop), -ECANCELED);
	assert_true(now_ms() - start < LONG_MS);
	while (count)
		mw_channel_close(taken[--count]);
	close(stop);
	close(listener);
}

static void a_listener_that_accepts_nobody(void **state)
{
	(void)state;
	full_queue(listen_tcp(AF_INET, 0));
	full_queue(listen_unix(SOCK_STREAM, 0));
}

static void who_does_not_read_is_not_waited_for(int listener)
{
	const size_t much = 32 << 20;
	char *data = calloc(1, much);
	struct mw_channel *channel = open_to(-1);
	int64_t start = now_ms();

	assert_int_equal(mw_channel_write(channel, data, much, SHORT_MS), -ETIMEDOUT);
	assert_in_range(now_ms() - start, SHORT_MS - 1, LONG_MS / 2);
	assert_int_equal(mw_channel_read(channel, data, 1, SHORT_MS), -ETIMEDOUT);
	mw_channel_close(channel);
	free(data);
	close(listener);
}

static void a_receiver_that_hangs(void **state)
{
	(void)state;
	who_does_not_read_is_not_waited_for(listen_tcp(AF_INET, 1));
	who_does_not_read_is_not_waited_for(listen_unix(SOCK_STREAM, 1));
}

static void stop_ends_every_wait(void **state)
{
	int listener = listen_tcp(AF_INET, 1), stop = eventfd(0, 0);
	struct mw_channel *channel = open_to(stop);
	char *data = calloc(1, 32 << 20);
	int64_t start = now_ms();

	(void)state;
	eventfd_write(stop, 1);
	assert_int_equal(mw_channel_read(channel, data, 1, LONG_MS), -ECANCELED);
	assert_int_equal(mw_channel_write(channel, data, 32 << 20, LONG_MS), -ECANCELED);
	assert_int_equal(mw_channel_settle(channel, LONG_MS), -ECANCELED);
	assert_true(now_ms() - start < LONG_MS / 2);
	mw_channel_close(channel);
	free(data);
	close(listener);
	close(stop);
}

/* Without a signal: its default action would end this program. */
static void a_receiver_that_goes_away(void **state)
{
	int listener = listen_tcp(AF_INET, 1);
	struct mw_channel *channel = open_to(-1);
	int error = 0;

	(void)state;
	close(accept(listener, NULL, NULL));
	for (int i = 0; i < 100 && !error; i++) {
		error = mw_channel_write(channel, "x", 1, LONG_MS);
		usleep(1000);
	}
	assert_int_equal(error, -EPIPE);
	mw_channel_close(channel);
	close(listener);
}

static void what_was_not_read_is_not_settled(void **state)
{
	int listener = listen_tcp(AF_INET, 1), peer;
	struct mw_channel *channel = open_to(-1);

	(void)state;
	peer = accept(listener, NULL, NULL);
	assert_int_equal(mw_channel_write(channel, "unread", 6, LONG_MS), 0);
	usleep(50000);
	close(peer); /* says that it has not read it */
	usleep(50000);
	assert_int_equal(mw_channel_settle(channel, LONG_MS), -EPIPE);
	mw_channel_close(channel);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_are_told_apart),
	        cmocka_unit_test(streams_of_every_kind),
	        cmocka_unit_test(a_name_is_looked_up),
	        cmocka_unit_test(datagrams),
	        cmocka_unit_test(a_datagram_that_is_too_long),
	        cmocka_unit_test(nobody_there),
	        cmocka_unit_test(tls_needs_a_stream_and_a_name),
	        cmocka_unit_test(a_listener_that_accepts_nobody),
	        cmocka_unit_test(a_receiver_that_hangs),
	        cmocka_unit_test(stop_ends_every_wait),
	        cmocka_unit_test(a_receiver_that_goes_away),
	        cmocka_unit_test(what_was_not_read_is_not_settled),
	};
	int result;

	if (!mkdtemp(folder))
		return 1;
	result = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(address, sizeof(address), "%s/socket", folder);
	unlink(address);
	rmdir(folder);
	return result;
}
