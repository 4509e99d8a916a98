/* The socket where short questions are asked, and those who ask it badly. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/inquiry.h"
#include "../../tools/loopback.h"

#define LARGE (2u << 20)

static char path[64];

/* "hello" gets "you said hello", "large" two megabytes, "nothing" nothing. */
static void answer(void *context, const char *question, struct mw_buffer *out)
{
	char text[MW_INQUIRY_ASKED + 32];
	int len = snprintf(text, sizeof(text), "you said %s", question);

	++*(int *)context;
	if (!strcmp(question, "large"))
		for (size_t i = 0; i < LARGE; i += 1024)
			mw_buffer_add(out, memset(text, 'x', 1024), 1024, MW_INQUIRY_ANSWER);
	else if (strcmp(question, "nothing") != 0)
		mw_buffer_add(out, text, (size_t)len, MW_INQUIRY_ANSWER);
}

static int asked;

static int start(void **state)
{
	const struct mw_inquiry_options options = {
	        .end = "\n", .answer = answer, .context = &asked};
	struct mw_inquiry *q = NULL;

	asked = 0;
	snprintf(path, sizeof(path), "/tmp/mw-inquiry-%d", (int)getpid());
	*state = q;
	if (mw_inquiry_unix(path, &options, &q))
		return -1;
	*state = q;
	return 0;
}

static int stop(void **state)
{
	mw_inquiry_close(*state);
	return access(path, F_OK) ? 0 : -1;
}

static int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const void *text, size_t len)
{
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

static void turn(struct mw_inquiry *q, int ms)
{
	struct pollfd ready = {.fd = mw_inquiry_fd(q), .events = POLLIN};

	poll(&ready, 1, ms);
	mw_inquiry_poll(q);
}

/* What there is of an answer; -1: none yet. */
static ssize_t hear(int fd, char *out, size_t size)
{
	ssize_t n = recv(fd, out, size, MSG_DONTWAIT);

	return n < 0 && errno == ECONNRESET ? 0 : n;
}

static void answers(void **state)
{
	char text[64] = "";
	int fd = dial();

	turn(*state, 100);
	say(fd, "hel", 3);
	turn(*state, 100);
	assert_int_equal(hear(fd, text, sizeof(text)), -1);
	say(fd, "lo\nmore", 7);
	turn(*state, 100);
	assert_int_equal(hear(fd, text, sizeof(text) - 1), 14);
	assert_string_equal(text, "you said hello");
	assert_int_equal(hear(fd, text, sizeof(text)), 0);
	assert_int_equal(mw_inquiry_count(*state)->answered, 1);
	assert_int_equal(mw_inquiry_patience(*state), -1);
	close(fd);
}

static void only_its_user_reaches_it(void **state)
{
	struct stat there;

	(void)state;
	assert_int_equal(stat(path, &there), 0);
	assert_int_equal(there.st_mode & 07777, 0600);
}

/* Whatever the mode of the file says: the descriptor may have come from elsewhere. */
static void strangers_are_refused(void **state)
{
	char text[8];
	pid_t child;
	int status;

	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	assert_int_equal(chmod(path, 0666), 0);
	child = fork();
	if (!child) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		strcpy(address.sun_path, path);
		if (setresuid(65534, 65534, 65534) ||
		    connect(fd, (struct sockaddr *)&address, sizeof(address)))
			_exit(2);
		send(fd, "hello\n", 6, MSG_NOSIGNAL);
		_exit(recv(fd, text, sizeof(text), 0) > 0);
	}
	for (int i = 0; i < 50 && !waitpid(child, &status, WNOHANG); i++)
		turn(*state, 100);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(mw_inquiry_count(*state)->refused, 1);
	assert_int_equal(asked, 0);
}

static void nonsense_is_turned_away(void **state)
{
	static const char nul[] = "sta\0tus\n";
	char large[MW_INQUIRY_ASKED + 10], text[8];
	int first = dial(), second = dial();

	memset(large, 'a', sizeof(large));
	say(first, large, sizeof(large));
	say(second, nul, sizeof(nul) - 1);
	for (int i = 0; i < 5; i++)
		turn(*state, 20);
	assert_int_equal(hear(first, text, sizeof(text)), 0);
	assert_int_equal(hear(second, text, sizeof(text)), 0);
	assert_int_equal(mw_inquiry_count(*state)->malformed, 2);
	assert_int_equal(asked, 0);
	close(first);
	close(second);
}

static void no_answer_ends_it(void **state)
{
	char text[8];
	int fd = dial();

	say(fd, "nothing\n", 8);
	turn(*state, 100);
	turn(*state, 20);
	assert_int_equal(hear(fd, text, sizeof(text)), 0);
	assert_int_equal(asked, 1);
	close(fd);
}

static void who_goes_away_leaves_nothing(void **state)
{
	for (int i = 0; i < 100; i++) {
		int fd = dial();

		say(fd, i % 2 ? "large\n" : "hel", i % 2 ? 6 : 3);
		turn(*state, 20);
		close(fd);
		turn(*state, 20);
	}
	turn(*state, 20);
	assert_int_equal(mw_inquiry_patience(*state), -1);
}

/* All places are taken by those who say nothing; who asks has his turn when they are out of time.
 */
static void silence_holds_nobody_up_for_long(void **state)
{
	int silent[MW_INQUIRY_CONNECTIONS], fd, patience;
	char text[32] = "";
	time_t end = time(NULL) + 10;

	for (size_t i = 0; i < MW_INQUIRY_CONNECTIONS; i++)
		silent[i] = dial();
	turn(*state, 100);
	fd = dial();
	say(fd, "hello\n", 6);
	turn(*state, 0);
	assert_int_equal(asked, 0);
	patience = mw_inquiry_patience(*state);
	assert_in_range(patience, 1, MW_INQUIRY_DEADLINE_MS);
	while (hear(fd, text, sizeof(text) - 1) < 0 && time(NULL) < end)
		turn(*state, mw_inquiry_patience(*state));
	assert_string_equal(text, "you said hello");
	assert_int_equal(mw_inquiry_count(*state)->late, MW_INQUIRY_CONNECTIONS);
	for (size_t i = 0; i < MW_INQUIRY_CONNECTIONS; i++)
		close(silent[i]);
	close(fd);
}

static void large_answers_wait_for_the_reader(void **state)
{
	static char part[65536];
	size_t got = 0;
	int fd = dial();

	say(fd, "large\n", 6);
	for (int i = 0; i < 10000 && got < LARGE; i++) {
		ssize_t n;

		turn(*state, 1);
		n = hear(fd, part, sizeof(part));
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(got, LARGE);
	close(fd);
}

static const struct {
	const char *text;
	int error;
} addresses[] = {
        {"127.0.0.1:9464", 0},
        {"127.8.9.10:1", 0},
        {"[::1]:65535", 0},
        {"0.0.0.0:9464", -EACCES},
        {"10.0.0.1:9464", -EACCES},
        {"[::]:9464", -EACCES},
        {"[fe80::1]:1", -EACCES},
        {"::1:9464", -EINVAL},
        {"localhost:9464", -EINVAL},
        {"127.0.0.1", -EINVAL},
        {"127.0.0.1:", -EINVAL},
        {"127.0.0.1:0", -EINVAL},
        {"127.0.0.1:65536", -EINVAL},
        {"127.0.0.1:1x", -EINVAL},
        {":9464", -EINVAL},
        {"[]:1", -EINVAL},
        {"[::1:1", -EINVAL},
        {"127.1:9464", -EINVAL},
        {"127.0.0.1:99999999999999999999", -EINVAL},
        {"[::ffff:127.0.0.1]:1", -EACCES},
};

static void knows_what_only_this_machine_reaches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		struct sockaddr_storage address;
		socklen_t len;
		int error = mw_loopback_parse(addresses[i].text, &address, &len);

		if (error != addresses[i].error)
			fail_msg("%s: %d", addresses[i].text, error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(answers, start, stop),
	        cmocka_unit_test_setup_teardown(only_its_user_reaches_it, start, stop),
	        cmocka_unit_test_setup_teardown(strangers_are_refused, start, stop),
	        cmocka_unit_test_setup_teardown(nonsense_is_turned_away, start, stop),
	        cmocka_unit_test_setup_teardown(no_answer_ends_it, start, stop),
	        cmocka_unit_test_setup_teardown(who_goes_away_leaves_nothing, start, stop),
	        cmocka_unit_test_setup_teardown(silence_holds_nobody_up_for_long, start, stop),
	        cmocka_unit_test_setup_teardown(large_answers_wait_for_the_reader, start, stop),
	        cmocka_unit_test(knows_what_only_this_machine_reaches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
