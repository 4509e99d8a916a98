/* The daemon's report socket, with peers that keep to nothing: what is forged, what floods, what
 * comes in pieces or out of turn. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/daemon_reports.h"
#include "report_text.h"

#define POLICY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HELLO "{\"schema\":\"modelwatch.hello/1\",\"policy\":\"" POLICY "\",\"mode\":\"deny\"}\n"
#define SUPERVISE "{\"schema\":\"modelwatch.supervise/1\"}\n"
#define NOBODY 65534

static struct mw_merge *merge;
static struct mw_reports *reports;
static json_t *written;
static char directory[64], path[80];
static pid_t child;

static void collect(void *context, json_t *alert)
{
	(void)context;
	json_array_append_new(written, alert);
}

static int amend(void *context, struct mw_str id, mw_alert_change *change, void *change_context)
{
	(void)context;
	(void)id;
	(void)change;
	(void)change_context;
	return -ENOENT;
}

static void open_reports(const struct mw_reports_limits *limits)
{
	assert_int_equal(mw_reports_open(path, limits, merge, &reports), 0);
}

static int setup(void **state)
{
	const struct mw_merge_sinks sinks = {NULL, collect, amend};

	(void)state;
	written = json_array();
	strcpy(directory, "/tmp/test_reports.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/d/report.sock", directory);
	chmod(directory, 0755);
	child = fork();
	if (!child)
		for (;;)
			pause();
	assert_int_equal(mw_merge_open(&sinks, POLICY, &merge), 0);
	open_reports(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mw_reports_close(reports);
	mw_merge_close(merge);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	json_decref(written);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/d", directory);
	rmdir(path);
	rmdir(directory);
	return 0;
}

static int call(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	return fd;
}

static bool say(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* Whether the daemon has ended the connection. */
static bool is_over(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static int supervisor(int64_t now)
{
	int fd = call();

	assert_true(fd >= 0);
	assert_true(say(fd, HELLO));
	assert_true(say(fd, SUPERVISE));
	mw_reports_poll(reports, now);
	return fd;
}

static const char *about(int id, pid_t pid)
{
	return report_text(id, pid, "write", "open", "/tmp/x", "prevented", "python");
}

static const struct mw_reports_counters *count(void)
{
	return mw_reports_count(reports);
}

static size_t alerts(void)
{
	return json_array_size(written);
}

static void a_report_arrives(void **state)
{
	struct stat st;
	int fd = supervisor(1000);

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_true(say(fd, about(1, child)));
	assert_int_equal(mw_reports_poll(reports, 1000), 1);
	assert_int_equal(count()->reports, 1);
	assert_int_equal(alerts(), 1);
	close(fd);
}

/* What lies in the socket is read in one round, as the kernel's alert that comes next needs. */
static void all_that_was_sent_is_read_in_one_round(void **state)
{
	int fd = call();

	(void)state;
	assert_true(say(fd, HELLO));
	assert_true(say(fd, SUPERVISE));
	for (int i = 0; i < 100; i++)
		assert_true(say(fd, about(i, child)));
	assert_int_equal(mw_reports_poll(reports, 1000), 102);
	assert_int_equal(alerts(), 100);
	close(fd);
}

static void only_what_is_permitted_is_heard(void **state)
{
	static const char *const talks[][3] = {
	        {SUPERVISE, NULL, NULL}, {"report", NULL, NULL},    {HELLO, HELLO, NULL},
	        {HELLO, "report", NULL}, {HELLO, SUPERVISE, HELLO}, {HELLO, SUPERVISE, SUPERVISE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(*talks); i++) {
		int fd = call();

		for (int j = 0; j < 3 && talks[i][j]; j++)
			say(fd, strcmp(talks[i][j], "report") ? talks[i][j] : about(1, child));
		mw_reports_poll(reports, 1000);
		assert_true(is_over(fd));
		assert_int_equal(count()->unpermitted, i + 1);
		close(fd);
	}
	assert_int_equal(alerts(), 0);
}

static void forgery_is_counted_and_dropped(void **state)
{
	int fd = supervisor(1000);

	(void)state;
	/* Other people's processes, and our own: it supervises, and is not supervised. */
	say(fd, about(1, getppid()));
	say(fd, about(2, 1));
	say(fd, about(3, getpid()));
	/* What only the daemon may say. */
	say(fd, report_text(4, child, "write", "open", "/tmp/x", "prevented", "kernel"));
	mw_reports_poll(reports, 1000);
	assert_int_equal(count()->forged, 4);
	assert_int_equal(alerts(), 0);
	assert_false(is_over(fd));
	say(fd, about(5, child));
	mw_reports_poll(reports, 1000);
	assert_int_equal(alerts(), 1);
	close(fd);
}

/* A descriptor that was handed on speaks for nobody. */
static void another_sender_is_not_heard(void **state)
{
	int fd = supervisor(1000);
	pid_t other = fork();

	(void)state;
	if (!other) {
		say(fd, about(1, child));
		_exit(0);
	}
	waitpid(other, NULL, 0);
	mw_reports_poll(reports, 1000);
	assert_int_equal(count()->forged, 1);
	assert_true(is_over(fd));
	assert_int_equal(alerts(), 0);
	close(fd);
}

static void what_is_no_message_is_dropped(void **state)
{
	static const char *const texts[] = {
	        "x",
	        "{",
	        "[]",
	        "null",
	        "{}",
	        "{\"schema\":7}",
	        "{\"schema\":\"modelwatch.alert/1\"}",
	        "{\"schema\":\"modelwatch.alert/2\"}",
	        "\xff\xfe",
	        "{\"schema\":\"modelwatch.hello/1\",\"schema\":\"modelwatch.hello/1\"}"};
	static char big[MW_REPORT_MAX + 1];
	const int room = 2 * MW_REPORT_MAX;
	char half[4096];
	size_t middle;
	int fd = supervisor(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_true(say(fd, texts[i]));
	/* Half a report is none, and its other half is none either. */
	snprintf(half, sizeof(half), "%s", about(1, child));
	middle = strlen(half) / 2;
	assert_true(say(fd, half + middle));
	half[middle] = '\0';
	assert_true(say(fd, half));
	mw_reports_poll(reports, 1000);
	assert_int_equal(count()->malformed, 2 + sizeof(texts) / sizeof(*texts));
	assert_int_equal(alerts(), 0);
	assert_false(is_over(fd));
	memset(big, ' ', sizeof(big));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
	mw_reports_poll(reports, 1000);
	assert_int_equal(count()->oversized, 1);
	assert_true(is_over(fd));
	close(fd);
}

static void who_says_nothing_is_sent_away(void **state)
{
	int silent = call(), half = call(), fd = supervisor(1000);

	(void)state;
	say(half, HELLO);
	mw_reports_poll(reports, 1000);
	assert_in_range(mw_reports_wait(reports, 1000), 1, 2000);
	mw_reports_tick(reports, 2999);
	assert_false(is_over(silent));
	mw_reports_tick(reports, 3000);
	assert_true(is_over(silent));
	assert_true(is_over(half));
	assert_int_equal(count()->late, 2);
	/* Who supervises may be silent as long as it likes. */
	mw_reports_tick(reports, 1000000);
	assert_false(is_over(fd));
	assert_int_equal(mw_reports_wait(reports, 1000000), -1);
	close(silent);
	close(half);
	close(fd);
}

static void what_the_sender_lost_is_recorded(void **state)
{
	int fd = supervisor(1000);
	const json_t *loss;

	(void)state;
	assert_true(say(fd, "{\"schema\":\"modelwatch.loss/1\",\"lost\":7}\n"));
	mw_reports_poll(reports, 1000);
	assert_int_equal(alerts(), 1);
	loss = json_array_get(written, 0);
	assert_int_equal(json_integer_value(json_object_get(loss, "lost")), 7);
	assert_string_equal(json_string_value(json_object_get(loss, "kind")), "reports");

	close(fd);
}

static void connections_are_limited(void **state)
{
	const struct mw_reports_limits limits = {.per_uid = 4};
	int fds[8];
	int over = 0;

	(void)state;
	mw_reports_close(reports);
	open_reports(&limits);
	for (int i = 0; i < 8; i++)
		fds[i] = call();
	mw_reports_poll(reports, 1000);
	for (int i = 0; i < 8; i++)
		over += is_over(fds[i]);
	assert_int_equal(over, 4);
	assert_int_equal(count()->refused, 4);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	mw_reports_poll(reports, 1000);
	fds[0] = call();
	mw_reports_poll(reports, 1000);
	assert_false(is_over(fds[0]));
	close(fds[0]);
}

static void what_is_lost_is_recorded(void **state)
{
	const struct mw_reports_limits limits = {.a_minute = 60, .burst = 10};
	int fd;

	(void)state;
	mw_reports_close(reports);
	open_reports(&limits);
	fd = supervisor(1000); /* two messages */
	for (int i = 0; i < 50; i++)
		say(fd, about(i, child));
	mw_reports_poll(reports, 1000);
	assert_int_equal(alerts(), 8);
	assert_int_equal(count()->limited, 42);
	mw_reports_tick(reports, 1000);
	assert_int_equal(alerts(), 9);
	assert_string_equal(
	        json_string_value(json_object_get(json_array_get(written, 8), "schema")),
	        "modelwatch.loss/1");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(written, 8), "lost")),
	                 42);
	/* A second pays for one more. */
	say(fd, about(60, child));
	say(fd, about(61, child));
	mw_reports_poll(reports, 2000);
	assert_int_equal(count()->limited, 43);
	assert_int_equal(count()->reports, 9);
	close(fd);
}

/* One who sends without end, as another user, until it is killed. */
static pid_t start_flood(void)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		_exit(1);
	fd = call();
	say(fd, HELLO);
	say(fd, SUPERVISE);
	for (int i = 0;; i++)
		say(fd, about(i, getpid()));
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Each of ours is heard in the next round, and that is soon. */
static void a_flood_touches_nobody_else(void **state)
{
	int fd = supervisor(now_ms());
	int64_t slowest = 0, began;
	pid_t flood;

	(void)state;
	if (getuid())
		skip();
	flood = start_flood();
	for (int sent = 0; sent < 100 || count()->limited < 1000;) {
		bool ours = sent < 100;

		began = now_ms();
		if (ours)
			assert_true(say(fd, about(sent++, child)));
		mw_reports_poll(reports, began);
		assert_int_equal(count()->reports, sent);
		assert_true(alerts() >= (size_t)sent);
		slowest = now_ms() - began > slowest ? now_ms() - began : slowest;
		mw_reports_tick(reports, now_ms());
		usleep(1000);
	}
	kill(flood, SIGKILL);
	waitpid(flood, NULL, 0);
	/* It spoke of itself, and supervises only others. */
	assert_true(count()->forged > 100);
	assert_true(slowest < 1000);
	close(fd);
}

static void the_directory_is_ours(void **state)
{
	struct mw_reports *other;
	char open_one[80], there[96];

	(void)state;
	snprintf(open_one, sizeof(open_one), "%s/open", directory);
	mkdir(open_one, 0777);
	chmod(open_one, 0777);
	snprintf(there, sizeof(there), "%s/s", open_one);
	assert_int_equal(mw_reports_open(there, NULL, merge, &other), -EPERM);
	rmdir(open_one);
}

static void a_socket_that_was_left_is_replaced(void **state)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), after;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	mw_reports_close(reports);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	open_reports(NULL);
	after = call();
	assert_true(after >= 0);
	close(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	        TEST(a_report_arrives),
	        TEST(all_that_was_sent_is_read_in_one_round),
	        TEST(only_what_is_permitted_is_heard),
	        TEST(forgery_is_counted_and_dropped),
	        TEST(another_sender_is_not_heard),
	        TEST(what_is_no_message_is_dropped),
	        TEST(who_says_nothing_is_sent_away),
	        TEST(connections_are_limited),
	        TEST(what_the_sender_lost_is_recorded),
	        TEST(what_is_lost_is_recorded),
	        TEST(a_flood_touches_nobody_else),
	        TEST(the_directory_is_ours),
	        TEST(a_socket_that_was_left_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
