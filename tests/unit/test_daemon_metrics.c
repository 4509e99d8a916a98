/* What the daemon tells about itself: metrics, status, losses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/daemon_losses.h"
#include "../../tools/daemon_metrics.h"
#include "../../tools/entry.h"
#include "../../tools/inquiry.h"
#include "../../tools/lines.h"
#include "../../tools/status.h"

#define SECOND INT64_C(1000000000)

static struct mw_tally tally;

static struct mw_daemon_facts facts(void)
{
	return (struct mw_daemon_facts){
	        .started = 1000 * SECOND,
	        .asked = MW_DENY,
	        .mode = MW_ALERT,
	        .policy_digest = "abcd",
	        .tally = &tally,
	        .view = {.loads = 11,
	                 .effects = 7,
	                 .alerts = 3,
	                 .interpreters = 2,
	                 .processes = 5,
	                 .sites = 12,
	                 .unwind_failed = 1,
	                 .hooks = 3,
	                 .hook = {{.name = "exec",
	                           .how = "tp_btf",
	                           .count =
	                                   {[MW_K_HITS] = 9, [MW_K_SENT] = 4, [MW_K_RING_FULL] = 2},
	                           .run_ns = 1500,
	                           .run_count = 10},
	                          {.name = "connect",
	                           .how = "cgroup",
	                           .count = {[MW_K_RING_FULL] = 1, [MW_K_USER_READ] = 6}},
	                          {.name = "file", .how = "off", .why = "no tracefs"}}},
	};
}

static int add_alerts(void **state)
{
	(void)state;
	tally = (struct mw_tally){.count = 0};
	mw_tally_add(&tally, "load-\"exec\"\\\n", MW_CRITICAL, MW_ALERT);
	mw_tally_add(&tally, "load-\"exec\"\\\n", MW_CRITICAL, MW_ALERT);
	mw_tally_add(&tally, "none", MW_LOW, MW_OBSERVE);
	return 0;
}

static char *text_of(size_t *ret_len)
{
	struct mw_daemon_facts now = facts();
	char *text = NULL;

	assert_int_equal(mw_metrics_text(&now, &text, ret_len), 0);
	return text;
}

static const char *const lines[] = {
        "modelwatch_build_info{version=\"",
        "modelwatch_start_time_seconds 1000.000\n",
        "modelwatch_deserializations_total 11\n",
        "modelwatch_alerts_total{rule=\"load-\\\"exec\\\"\\\\\\n\",severity=\"critical\",",
        "modelwatch_alerts_total{rule=\"none\",severity=\"low\",action=\"observe\"} 1\n",
        "modelwatch_events_total{hook=\"exec\"} 4\n",
        "modelwatch_events_lost_total{stage=\"ringbuf\",hook=\"exec\"} 2\n",
        "modelwatch_events_lost_total{stage=\"scratch\",hook=\"exec\"} 0\n",
        "modelwatch_user_read_failures_total{hook=\"connect\"} 6\n",
        "modelwatch_stack_unwind_failures_total{kind=\"native\"} 1\n",
        "modelwatch_bpf_program_run_seconds_total{hook=\"exec\"} 0.000001500\n",
        "modelwatch_hook_enabled{hook=\"exec\"} 1\n",
        "modelwatch_hook_enabled{hook=\"file\"} 0\n",
};

static void metrics_say_it_all(void **state)
{
	size_t len;
	char *text = text_of(&len);

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("no %s in\n%s", lines[i], text);
	assert_int_equal(text[len - 1], '\n');
	free(text);
}

static void promtool_likes_them(void **state)
{
	size_t len;
	char *text;
	FILE *pipe;

	(void)state;
	if (system("command -v promtool >/dev/null")) { // NOLINT(cert-env33-c)
		print_message("no promtool on this machine (Debian's package prometheus has it)\n");
		skip();
	}
	text = text_of(&len);
	pipe = popen("promtool check metrics", "w"); // NOLINT(cert-env33-c)
	assert_non_null(pipe);
	assert_int_equal(fwrite(text, 1, len, pipe), len);
	assert_int_equal(pclose(pipe), 0);
	free(text);
}

static void a_flood_of_rules_has_one_row(void **state)
{
	struct mw_tally many = {.count = 0};
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "rule-%d", i);
		mw_tally_add(&many, name, MW_LOW, MW_ALLOW);
	}
	assert_int_equal(many.count, MW_TALLY_MAX);
	assert_string_equal(many.row[MW_TALLY_MAX - 1].rule, "other");
	assert_int_equal(many.row[MW_TALLY_MAX - 1].count, 1000 - MW_TALLY_MAX + 1);
}

static const struct {
	const char *request, *status;
	int has_body;
} requests[] = {
        {"GET /metrics HTTP/1.1\r\nHost: x", "HTTP/1.1 200 OK\r\n", 1},
        {"GET /metrics?name=x HTTP/1.0", "HTTP/1.1 200 OK\r\n", 1},
        {"HEAD /metrics HTTP/1.1", "HTTP/1.1 200 OK\r\n", 0},
        {"GET / HTTP/1.1", "HTTP/1.1 404 ", 0},
        {"GET /metric HTTP/1.1", "HTTP/1.1 404 ", 0},
        {"GET /metrics/x HTTP/1.1", "HTTP/1.1 404 ", 0},
        {"GET /../metrics HTTP/1.1", "HTTP/1.1 404 ", 0},
        {"POST /metrics HTTP/1.1", "HTTP/1.1 405 ", 0},
        {"GET  /metrics HTTP/1.1", "HTTP/1.1 400 ", 0},
        {"GET /metrics", "HTTP/1.1 400 ", 0},
        {"GET /metrics HTTP/2", "HTTP/1.1 400 ", 0},
        {"GET", "HTTP/1.1 400 ", 0},
        {"", "HTTP/1.1 400 ", 0},
};

static void serves_metrics_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		struct mw_buffer answer = {0};

		mw_metrics_http(requests[i].request, "THE METRICS\n", 12, &answer);
		mw_buffer_add(&answer, "", 1, MW_INQUIRY_ANSWER);
		if (strncmp(answer.data, requests[i].status, strlen(requests[i].status)) != 0 ||
		    !strstr(answer.data, "THE METRICS") != !requests[i].has_body ||
		    !strstr(answer.data, "\r\n\r\n"))
			fail_msg("%s gave %s", requests[i].request, answer.data);
		free(answer.data);
	}
}

static void the_file_is_replaced_whole(void **state)
{
	char folder[] = "/tmp/mw-metrics-XXXXXX", path[64], beside[64], text[16] = "";
	struct stat before, after;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/m.prom", folder);
	snprintf(beside, sizeof(beside), "%s/m.prom.new", folder);
	assert_int_equal(mw_metrics_file(path, "one\n", 4), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0644);
	assert_int_equal(symlink("/dev/null", beside), 0); /* left behind, or laid there */
	assert_int_equal(mw_metrics_file(path, "two\n", 4), 0);
	assert_int_equal(lstat(path, &after), 0);
	assert_true(S_ISREG(after.st_mode) && after.st_ino != before.st_ino);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	assert_string_equal(text, "two\n");
	fclose(file);
	assert_int_not_equal(access(beside, F_OK), 0);
	unlink(path);
	rmdir(folder);
	assert_int_equal(mw_metrics_file(path, "one\n", 4), -ENOENT);
}

static json_t *status_of(const struct mw_daemon_facts *now)
{
	json_t *status = mw_daemon_status(now, 1090 * SECOND + SECOND / 2);

	assert_non_null(status);
	return status;
}

static void status_says_how_it_is(void **state)
{
	struct mw_daemon_facts now = facts();
	json_t *status = status_of(&now), *hook;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(status, "schema")),
	                    "modelwatch.status/1");
	assert_string_equal(json_string_value(json_object_get(status, "mode")), "alert");
	assert_string_equal(json_string_value(json_object_get(status, "asked_mode")), "deny");
	assert_true(json_is_null(json_object_get(status, "alerts_file")));
	assert_int_equal(
	        json_integer_value(json_object_get(json_object_get(status, "losses"), "ring_full")),
	        3);
	hook = json_array_get(json_object_get(status, "hooks"), 1);
	assert_int_equal(
	        json_integer_value(json_object_get(json_object_get(hook, "lost"), "user_read")), 6);
	assert_true(json_is_null(json_object_get(hook, "cost")));
	mw_status_text(out, status);
	fclose(out);
	assert_non_null(strstr(text, "up 0d 0h 1m 30s"));
	assert_non_null(strstr(text, "alert (deny is asked for)"));
	assert_non_null(strstr(text, "losses        ring_full 3, user_read 6, unwind 1\n"));
	assert_non_null(strstr(text, "no tracefs\n"));
	free(text);
	json_decref(status);
}

static void overhead_is_what_came_between(void **state)
{
	struct mw_daemon_facts first = facts(), second = facts();
	json_t *before, *after, *overhead, *exec;

	(void)state;
	second.view.hook[0].run_count += 1000;
	second.view.hook[0].run_ns += 2000000;
	before = status_of(&first);
	after = status_of(&second);
	overhead = mw_status_overhead(before, after, 2);
	assert_int_equal(json_array_size(overhead), 2); /* what is off costs nothing */
	exec = json_array_get(overhead, 0);
	assert_int_equal(json_integer_value(json_object_get(exec, "runs")), 1000);
	assert_true(json_real_value(json_object_get(exec, "ns_per_run")) == 2000.0);
	assert_true(json_real_value(json_object_get(exec, "percent_of_one_cpu")) > 0.0999);
	json_decref(overhead);
	json_decref(before);
	json_decref(after);
}

struct told {
	size_t count;
	json_t *last;
	uint64_t lost;
};

static int read_loss(void *context, const char *line, size_t len)
{
	struct told *told = context;
	struct mw_entry entry;

	assert_int_equal(mw_entry_read(&entry, line, len), 0);
	assert_int_equal(entry.kind, MW_ENTRY_LOSS);
	told->count++;
	told->lost += entry.count;
	json_decref(told->last);
	told->last = json_incref(entry.json);
	mw_entry_free(&entry);
	return 0;
}

static struct told told_in(const char *path)
{
	struct told told = {.count = 0};

	assert_int_equal(mw_lines(path, read_loss, &told), 0);
	return told;
}

static char alerts_path[] = "/tmp/mw-losses-XXXXXX";

static int open_alerts(void **state)
{
	struct mw_alert_options options = {.alerts_path = alerts_path, .quiet = true};
	struct mw_alerts *alerts = NULL;
	int fd;

	strcpy(alerts_path + strlen(alerts_path) - 6, "XXXXXX");
	fd = mkstemp(alerts_path);
	if (fd < 0 || close(fd) || mw_alerts_open(&options, &alerts))
		return -1;
	*state = alerts;
	return 0;
}

static int close_alerts(void **state)
{
	mw_alerts_close(*state);
	return unlink(alerts_path);
}

static void losses_are_told_once(void **state)
{
	struct mw_daemon_losses losses = {0};
	struct mw_engine_view view = facts().view;
	struct told told;
	json_t *hooks;

	view.unwind_failed = 0;
	view.hook[1].count[MW_K_USER_READ] = 0;
	mw_daemon_losses_tell(&losses, &(struct mw_engine_view){0}, *state, 100 * SECOND, false);
	mw_daemon_losses_tell(&losses, &view, *state, 101 * SECOND, false);
	mw_daemon_losses_tell(&losses, &view, *state, 102 * SECOND, false);
	told = told_in(alerts_path);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.lost, 3);
	assert_string_equal(json_string_value(json_object_get(told.last, "kind")), "ring_full");
	assert_string_equal(json_string_value(json_object_get(told.last, "since")),
	                    "1970-01-01T00:01:40.000000000Z");
	hooks = json_object_get(told.last, "hooks");
	assert_int_equal(json_object_size(hooks), 2);
	assert_int_equal(json_integer_value(json_object_get(hooks, "exec")), 2);
	json_decref(told.last);
}

/* What could be seen only in part loses no alert. */
static void gaps_are_no_lost_alerts(void **state)
{
	struct mw_daemon_losses losses = {0};
	struct mw_engine_view view = {.mappings_lost = 4};
	struct told told;

	mw_daemon_losses_tell(&losses, &view, *state, 100 * SECOND, false);
	told = told_in(alerts_path);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.lost, 0);
	assert_int_equal(json_integer_value(json_object_get(told.last, "count")), 4);
	json_decref(told.last);
	view.events_broken = 2;
	mw_daemon_losses_tell(&losses, &view, *state, 100 * SECOND, false);
	told = told_in(alerts_path);
	assert_int_equal(told.lost, 2); /* these are */
	json_decref(told.last);
}

/* Ten minutes of steady loss, looked at ten times a second. */
static void a_flood_of_losses_is_none_of_records(void **state)
{
	struct mw_daemon_losses losses = {0};
	struct mw_engine_view view = {.hooks = 1, .hook = {{.name = "exec", .how = "tp_btf"}}};
	struct told told;

	for (int i = 0; i < 6000; i++) {
		view.hook[0].count[MW_K_RING_FULL] += 10;
		mw_daemon_losses_tell(&losses, &view, *state, 100 * SECOND + i * SECOND / 10,
		                      i == 5999);
	}
	told = told_in(alerts_path);
	assert_in_range(told.count, 10, 20);
	assert_int_equal(told.lost, 60000);
	json_decref(told.last);
}

/* After a quiet time the first is told at once again. */
static void quiet_makes_it_prompt_again(void **state)
{
	struct mw_daemon_losses losses = {0};
	struct mw_engine_view view = {.mappings_lost = 0};
	struct told told, again;
	int64_t now = 100 * SECOND;

	for (int i = 0; i < 20; i++, now += SECOND) {
		view.mappings_lost++;
		mw_daemon_losses_tell(&losses, &view, *state, now, false);
	}
	for (int i = 0; i < 130; i++, now += SECOND)
		mw_daemon_losses_tell(&losses, &view, *state, now, false);
	told = told_in(alerts_path);
	json_decref(told.last);
	view.mappings_lost++;
	mw_daemon_losses_tell(&losses, &view, *state, now, false);
	view.mappings_lost++;
	mw_daemon_losses_tell(&losses, &view, *state, now + SECOND, false);
	again = told_in(alerts_path);
	assert_int_equal(again.count, told.count + 2);
	json_decref(again.last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(metrics_say_it_all, add_alerts),
	        cmocka_unit_test_setup(promtool_likes_them, add_alerts),
	        cmocka_unit_test(a_flood_of_rules_has_one_row),
	        cmocka_unit_test(serves_metrics_and_nothing_else),
	        cmocka_unit_test(the_file_is_replaced_whole),
	        cmocka_unit_test(status_says_how_it_is),
	        cmocka_unit_test(overhead_is_what_came_between),
	        cmocka_unit_test_setup_teardown(losses_are_told_once, open_alerts, close_alerts),
	        cmocka_unit_test_setup_teardown(gaps_are_no_lost_alerts, open_alerts, close_alerts),
	        cmocka_unit_test_setup_teardown(a_flood_of_losses_is_none_of_records, open_alerts,
	                                        close_alerts),
	        cmocka_unit_test_setup_teardown(quiet_makes_it_prompt_again, open_alerts,
	                                        close_alerts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
