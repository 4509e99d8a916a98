/* Reports and the kernel's alerts of the same effects, with a kernel that is made up and processes
 * that are real: this one supervises, its child does things. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/daemon_merge.h"
#include "../../tools/tasks.h"
#include "report_text.h"

#define POLICY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct mw_merge *merge;
static json_t *written; /* all alerts, in their order */
static pid_t child;
static int tree;

static void collect(void *context, json_t *alert)
{
	(void)context;
	json_array_append_new(written, alert);
}

/* As mw_alerts_amend() does it: an update is an alert of its own. */
static int amend(void *context, struct mw_str id, mw_alert_change *change, void *change_context)
{
	json_t *found = NULL, *copy, *one;
	size_t i;

	(void)context;
	json_array_foreach(written, i, one)
	{
		if (!strcmp(json_string_value(json_object_get(one, "id")), id.s))
			found = one;
	}
	if (!found)
		return -ENOENT;
	copy = json_deep_copy(found);
	if (change(change_context, copy)) {
		json_object_set_new(copy, "update", json_integer(1));
		json_array_append(written, copy);
	}
	json_decref(copy);
	return 0;
}

static int supervise(const char *policy, enum mw_verdict mode, uid_t uid)
{
	struct mw_supervisor self = {.pid = getpid(), .uid = uid, .mode = mode};
	struct mw_task task;

	assert_int_equal(mw_task_read(getpid(), &task), 0);
	self.start = task.start;
	snprintf(self.policy, sizeof(self.policy), "%s", policy);
	return mw_merge_supervise(merge, &self);
}

static int setup(void **state)
{
	const struct mw_merge_sinks sinks = {NULL, collect, amend};

	(void)state;
	written = json_array();
	child = fork();
	if (!child)
		for (;;)
			pause();
	assert_int_equal(mw_merge_open(&sinks, POLICY, &merge), 0);
	tree = supervise(POLICY, MW_DENY, getuid());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mw_merge_close(merge);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	json_decref(written);
	return 0;
}

static json_t *kernel_alert(const char *id)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:s, s:s, s:s, s:s, s:s, s:b, s:[s], s:{s:n}, s:[]}",
	                 "id", id, "severity", "critical", "effect", "class", "write", "verdict",
	                 "alert", "requested", "deny", "outcome", "observed", "cause", "call",
	                 "title", "kernel", "evasion", 0, "seen_by", "kernel", "policy", "severity",
	                 "reports");
}

/* The kernel sees the child write `path`. Writes the alert unless it is kept back, as the caller
 * does. */
static bool kernel_writes(const char *id, const char *path, int64_t now)
{
	const struct mw_merge_effect effect = {
	        .pid = child, .uid = getuid(), .class = MW_WRITE, .target = path, .inside = true};
	json_t *alert = kernel_alert(id);
	bool held = mw_merge_kernel(merge, &effect, alert, now);

	if (held)
		json_decref(alert);
	else
		json_array_append_new(written, alert);
	return held;
}

static int send_text(const char *text, int64_t now)
{
	struct mw_message message;

	assert_int_equal(mw_message_read(text, strlen(text), &message), 0);
	return mw_merge_report(merge, tree, &message, now);
}

static int user_writes(int id, const char *path, const char *outcome, int64_t now)
{
	return send_text(report_text(id, child, "write", "open", path, outcome, "python"), now);
}

static json_t *alert_at(size_t i)
{
	return json_array_get(written, i);
}

static const char *word(size_t i, const char *name)
{
	const char *text = json_string_value(json_object_get(alert_at(i), name));

	return text ? text : "(none)";
}

static size_t reports_of(size_t i)
{
	return json_array_size(json_object_get(alert_at(i), "reports"));
}

static bool is_evasion(size_t i)
{
	return json_is_true(json_object_get(alert_at(i), "evasion"));
}

static size_t alerts(void)
{
	return json_array_size(written);
}

/* What the kernel decided is there, whoever reported what. */
static void check_kernels(size_t i, const char *id)
{
	assert_string_equal(word(i, "id"), id);
	assert_string_equal(word(i, "severity"), "critical");
	assert_string_equal(word(i, "verdict"), "alert");
	assert_string_equal(word(i, "outcome"), "observed");
	assert_string_equal(word(i, "title"), "kernel");
	assert_string_equal(
	        json_string_value(json_array_get(json_object_get(alert_at(i), "seen_by"), 0)),
	        "kernel");
}

static void a_report_and_an_effect_are_one_alert(void **state)
{
	(void)state;
	assert_int_equal(user_writes(1, "/tmp/x", "observed", 1000), 0);
	assert_int_equal(alerts(), 0);
	assert_false(kernel_writes("k1", "/tmp/x", 1001));
	mw_merge_tick(merge, 20000);
	assert_int_equal(alerts(), 1);
	check_kernels(0, "k1");
	assert_int_equal(reports_of(0), 1);
	assert_false(is_evasion(0));
	assert_int_equal(json_array_size(json_object_get(alert_at(0), "seen_by")), 2);
	assert_int_equal(mw_merge_count(merge)->merged, 1);
	assert_int_equal(mw_merge_wait(merge, 20000), -1);
}

static void an_effect_waits_for_its_report(void **state)
{
	(void)state;
	assert_true(kernel_writes("k1", "/tmp/x", 1000));
	assert_int_equal(mw_merge_wait(merge, 1000), MW_MERGE_PATIENCE_MS);
	mw_merge_tick(merge, 1000 + MW_MERGE_PATIENCE_MS - 1);
	assert_int_equal(alerts(), 0);
	assert_int_equal(user_writes(1, "/tmp/x", "observed", 1249), 0);
	assert_int_equal(alerts(), 1);
	check_kernels(0, "k1");
	assert_int_equal(reports_of(0), 1);
	mw_merge_tick(merge, 20000);
	assert_int_equal(alerts(), 1);
}

static void what_was_not_announced_is_an_evasion(void **state)
{
	(void)state;
	assert_true(kernel_writes("k1", "/tmp/x", 1000));
	mw_merge_tick(merge, 1000 + MW_MERGE_PATIENCE_MS);
	assert_int_equal(alerts(), 1);
	check_kernels(0, "k1");
	assert_true(is_evasion(0));
	assert_int_equal(reports_of(0), 0);
}

static void a_late_report_joins_and_takes_nothing_back(void **state)
{
	(void)state;
	assert_true(kernel_writes("k1", "/tmp/x", 1000));
	mw_merge_tick(merge, 1250);
	assert_int_equal(user_writes(1, "/tmp/x", "observed", 1600), 0);
	mw_merge_tick(merge, 20000);
	assert_int_equal(alerts(), 2);
	check_kernels(1, "k1");
	assert_true(is_evasion(1));
	assert_int_equal(reports_of(1), 1);
}

/* What was prevented did not happen: the kernel saw something else. */
static void a_prevented_one_is_no_announcement(void **state)
{
	(void)state;
	assert_int_equal(user_writes(1, "/tmp/x", "prevented", 1000), 0);
	assert_int_equal(alerts(), 1);
	assert_string_equal(word(0, "reporter"), "user");
	assert_true(kernel_writes("k1", "/tmp/x", 1001));
	mw_merge_tick(merge, 1251);
	assert_int_equal(alerts(), 2);
	check_kernels(1, "k1");
	assert_true(is_evasion(1));
}

static void other_targets_are_other_effects(void **state)
{
	(void)state;
	user_writes(1, "/tmp/x", "observed", 1000);
	assert_true(kernel_writes("k1", "/tmp/y", 1001));
	mw_merge_tick(merge, 3000);
	assert_int_equal(alerts(), 2);
	check_kernels(0, "k1");
	assert_true(is_evasion(0));
	assert_string_equal(word(1, "reporter"), "user");
}

/* However much one report covers, each effect that the kernel saw has its alert. */
static void a_broad_report_swallows_nothing(void **state)
{
	char id[8], path[32];

	(void)state;
	send_text(report_text(1, child, "write", "shutil.rmtree", "/tmp", "observed", "python"),
	          1000);
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "k%d", i);
		snprintf(path, sizeof(path), "/tmp/%d", i);
		kernel_writes(id, path, 1001);
	}
	mw_merge_tick(merge, 1300);
	mw_merge_tick(merge, 20000);
	assert_int_equal(alerts(), 100);
	for (size_t i = 0; i < 100; i++) {
		assert_string_equal(word(i, "severity"), "critical");
		assert_int_equal(reports_of(i), 1);
	}
}

static void repeated_effects_take_a_report_each(void **state)
{
	(void)state;
	for (int i = 1; i <= 3; i++) {
		char id[8];

		snprintf(id, sizeof(id), "k%d", i);
		assert_int_equal(user_writes(i, "/tmp/x", "observed", 1000 + i), 0);
		assert_false(kernel_writes(id, "/tmp/x", 1000 + i));
	}
	mw_merge_tick(merge, 20000);
	assert_int_equal(alerts(), 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(reports_of(i), 1);
}

static void lies_about_the_policy_avoid_the_word_only(void **state)
{
	(void)state;
	mw_merge_leave(merge, tree);
	tree = supervise(OTHER, MW_DENY, getuid());
	assert_true(kernel_writes("k1", "/tmp/x", 1000));
	mw_merge_tick(merge, 1250);
	assert_int_equal(alerts(), 1);
	check_kernels(0, "k1");
	assert_false(is_evasion(0));
}

static void losses_make_no_evasions(void **state)
{
	(void)state;
	mw_merge_lost(merge, getuid(), 7, "too many", 900);
	assert_string_equal(word(0, "schema"), "modelwatch.loss/1");
	assert_true(kernel_writes("k1", "/tmp/x", 1000));
	mw_merge_tick(merge, 1250);
	assert_false(is_evasion(1));
	assert_true(kernel_writes("k2", "/tmp/x", 20000));
	mw_merge_tick(merge, 20250);
	assert_true(is_evasion(2));
}

static void others_are_left_alone(void **state)
{
	const struct mw_merge_effect effect = {
	        .pid = getppid(), .uid = getuid(), .class = MW_WRITE, .target = "/tmp/x"};
	json_t *alert = kernel_alert("k1");

	(void)state;
	/* The parent is in no tree: its alerts wait for nobody. */
	assert_false(mw_merge_kernel(merge, &effect, alert, 1000));
	assert_int_equal(send_text(report_text(1, getppid(), "write", "open", "/tmp/x", "observed",
	                                       "python"),
	                           1000),
	                 -EACCES);
	assert_int_equal(
	        send_text(report_text(2, getpid(), "write", "open", "/tmp/x", "observed", "python"),
	                  1000),
	        -EACCES);
	json_decref(alert);
	mw_merge_tick(merge, 20000);
	assert_int_equal(alerts(), 0);
}

static void other_users_are_left_alone(void **state)
{
	(void)state;
	if (getuid())
		skip();
	mw_merge_leave(merge, tree);
	tree = supervise(POLICY, MW_DENY, 65534); /* a user's run has started root's program */
	assert_int_equal(user_writes(1, "/tmp/x", "observed", 1000), -EACCES);
	assert_false(kernel_writes("k1", "/tmp/x", 1000));
	assert_int_equal(alerts(), 1);
	assert_false(is_evasion(0));
}

static void ids_are_ours(void **state)
{
	char theirs[37];

	(void)state;
	user_writes(1, "/tmp/x", "prevented", 1000);
	snprintf(theirs, sizeof(theirs), "%s",
	         json_string_value(json_array_get(json_object_get(alert_at(0), "reports"), 0)));
	assert_string_not_equal(word(0, "id"), theirs);
	/* The same id again is an update of the same alert, and of no other. */
	user_writes(1, "/tmp/x", "prevented", 1001);
	assert_int_equal(alerts(), 2);
	assert_string_equal(word(1, "id"), word(0, "id"));
	assert_int_equal(json_integer_value(json_object_get(alert_at(1), "update")), 1);
	assert_string_equal(word(1, "time"), word(0, "time"));
}

static void an_alert_alone_says_who_by_our_word(void **state)
{
	const json_t *process, *user;

	(void)state;
	user_writes(1, "/tmp/x", "prevented", 1000);
	process = json_object_get(alert_at(0), "process");
	user = json_object_get(alert_at(0), "user");
	assert_int_equal(json_integer_value(json_object_get(process, "pid")), child);
	assert_true(json_is_string(json_object_get(process, "start_time")));
	assert_non_null(strstr(json_string_value(json_object_get(process, "exe")), "test_daemon"));
	assert_int_equal(json_integer_value(json_object_get(user, "uid")), getuid());
	assert_string_not_equal(
	        json_string_value(json_object_get(json_object_get(alert_at(0), "host"), "name")),
	        "forged-host");
}

/* Its last words are kept, but nobody else's name is put to them. */
static void the_dead_have_a_pid_and_no_more(void **state)
{
	const json_t *process;

	(void)state;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(user_writes(1, "/tmp/x", "prevented", 1000), 0);
	process = json_object_get(alert_at(0), "process");
	assert_int_equal(json_integer_value(json_object_get(process, "pid")), child);
	assert_true(json_is_null(json_object_get(process, "exe")));
	/* And the kernel's word on the dead waits, but nothing is claimed. */
	assert_true(kernel_writes("k1", "/tmp/x", 1000));
	mw_merge_tick(merge, 1250);
	assert_false(is_evasion(1));
}

static void a_program_is_run_by_a_child(void **state)
{
	struct mw_merge_effect effect = {
	        .uid = getuid(), .class = MW_EXEC, .target = "/bin/sh", .inside = true};
	pid_t above = getpid();
	struct mw_supervisor parent = {.pid = getppid(), .uid = getuid(), .mode = MW_DENY};
	struct mw_task task;
	json_t *alert = kernel_alert("k1");

	(void)state;
	/* Now our parent supervises, and we announce what our child does. */
	mw_merge_leave(merge, tree);
	assert_int_equal(mw_task_read(getppid(), &task), 0);
	parent.start = task.start;
	tree = mw_merge_supervise(merge, &parent);
	assert_int_equal(
	        send_text(report_text(1, above, "exec", "os.system", "/bin/sh", "observed", "libc"),
	                  1000),
	        0);
	effect.pid = child;
	assert_false(mw_merge_kernel(merge, &effect, alert, 1001));
	assert_int_equal(json_array_size(json_object_get(alert, "reports")), 1);
	json_decref(alert);
	mw_merge_tick(merge, 20000);
	assert_int_equal(alerts(), 0);
}

static void what_there_is_no_room_to_keep_back_is_written(void **state)
{
	char id[8];
	int held = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "k%d", i);
		held += kernel_writes(id, "/tmp/x", 1000);
	}
	assert_int_equal(held, MW_MERGE_HELD);
	assert_int_equal(alerts(), 1000 - MW_MERGE_HELD);
	for (size_t i = 0; i < alerts(); i++)
		assert_false(is_evasion(i));
	mw_merge_tick(merge, 1250);
	assert_int_equal(alerts(), 1000);
	assert_int_equal(mw_merge_count(merge)->hurried, 1000 - MW_MERGE_HELD);
}

/* Who reports much forgets his own, and each report is written. */
static void reports_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < MW_MERGE_REPORTS + 100; i++)
		assert_int_equal(user_writes(i, "/tmp/x", "observed", 1000), 0);
	assert_int_equal(alerts(), 100);
	assert_int_equal(mw_merge_count(merge)->forgotten, 100);
	mw_merge_tick(merge, 2000);
	assert_int_equal(alerts(), MW_MERGE_REPORTS + 100);
}

static void closing_writes_what_was_kept_back(void **state)
{
	const struct mw_merge_sinks sinks = {NULL, collect, amend};

	(void)state;
	kernel_writes("k1", "/tmp/x", 1000);
	user_writes(1, "/tmp/y", "observed", 1000);
	mw_merge_close(merge);
	assert_int_equal(alerts(), 2);
	assert_int_equal(mw_merge_open(&sinks, POLICY, &merge), 0);
}

/* The same with what really writes alerts, and its hook. */
static bool hold(void *context, pid_t pid, const struct mw_record *record, json_t *alert)
{
	const struct mw_merge_effect effect = {.pid = pid,
	                                       .uid = getuid(),
	                                       .class = record->effect.class,
	                                       .target = record->effect.target.s,
	                                       .inside = true};

	(void)context;
	return mw_merge_kernel(merge, &effect, alert, 1000);
}

static void write_alert(struct mw_alerts *alerts_of, enum mw_class class, enum mw_severity own,
                        const char *path)
{
	static const struct mw_location nowhere;
	const struct mw_decision decision = {
	        .verdict = MW_ALERT, .requested = MW_DENY, .own_severity = own, .rule = "r"};
	struct mw_record record = {.kind = MW_EFFECT};
	char id[40], title[600];

	record.load.fd = -1;
	record.effect = (struct mw_record_effect){
	        .class = class,
	        .sensor = MW_KERNEL,
	        .op = {"openat", 6},
	        .target = {path, (uint32_t)strlen(path)},
	};
	mw_alerts_effect(alerts_of, child, &record, &record.load, &nowhere, &decision, id, title);
}

static void read_lines(const char *path)
{
	char *line = NULL;
	size_t room = 0;
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	while (getline(&line, &room, in) > 0)
		json_array_append_new(written, json_loads(line, 0, NULL));
	free(line);
	fclose(in);
}

/* Into a file of its own, whose name is `path`'s. */
static struct mw_alerts *open_alerts(char *path)
{
	struct mw_alert_options options = {.quiet = true, .mode = MW_ALERT, .hold = hold};
	struct mw_merge_sinks sinks;
	struct mw_alerts *alerts_of;

	close(mkstemp(path));
	options.alerts_path = path;
	assert_int_equal(mw_alerts_open(&options, &alerts_of), 0);
	mw_merge_close(merge);
	sinks = mw_merge_alerts(alerts_of);
	assert_int_equal(mw_merge_open(&sinks, POLICY, &merge), 0);
	tree = supervise(POLICY, MW_DENY, getuid());
	return alerts_of;
}

static void close_alerts(struct mw_alerts *alerts_of, const char *path)
{
	mw_merge_close(merge);
	mw_alerts_close(alerts_of);
	merge = NULL;
	read_lines(path);
	unlink(path);
}

static void alerts_are_kept_back_and_written(void **state)
{
	char path[] = "/tmp/test_daemon_merge.XXXXXX";
	struct mw_alerts *alerts_of = open_alerts(path);

	(void)state;
	user_writes(1, "/tmp/x", "observed", 1000);
	write_alert(alerts_of, MW_WRITE, MW_BY_TABLE, "/tmp/x"); /* 0: at once, with its report */
	write_alert(alerts_of, MW_WRITE, MW_BY_TABLE, "/tmp/y"); /* 1: kept back, an evasion */
	mw_merge_tick(merge, 1250);
	user_writes(2, "/tmp/y", "observed", 1300);              /* 2: its update */
	user_writes(3, "/tmp/z", "prevented", 1300);             /* 3: alone */
	write_alert(alerts_of, MW_WRITE, MW_BY_TABLE, "/tmp/w"); /* 4: kept back until the end */
	close_alerts(alerts_of, path);
	assert_int_equal(alerts(), 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(reports_of(i), i == 0 || i == 2 || i == 3);
	assert_true(is_evasion(1) && is_evasion(2) && !is_evasion(0) && !is_evasion(4));
	assert_string_equal(word(1, "id"), word(2, "id"));
	assert_string_equal(word(3, "reporter"), "user");
	assert_string_equal(word(2, "severity"), "critical");
}

/* What was kept back is as severe as it is when it is written, and so it is counted. */
static void an_evasion_is_more_severe(void **state)
{
	char path[] = "/tmp/test_daemon_merge.XXXXXX";
	struct mw_alerts *alerts_of = open_alerts(path);
	const struct mw_tally *tally = mw_alerts_tally(alerts_of);

	(void)state;
	user_writes(1, "/tmp/x", "observed", 1000);
	write_alert(alerts_of, MW_LIMIT, MW_BY_TABLE, "/tmp/x");
	write_alert(alerts_of, MW_LIMIT, MW_LOW, "/tmp/y");
	assert_int_equal(tally->count, 0);
	mw_merge_tick(merge, 1250);
	assert_int_equal(tally->count, 2);
	assert_int_equal(tally->row[0].severity, MW_CRITICAL);
	assert_int_equal(tally->row[1].severity, MW_LOW);
	close_alerts(alerts_of, path);
	assert_true(is_evasion(0) && is_evasion(1));
	assert_string_equal(word(0, "severity"), "critical");
	assert_string_equal(word(1, "severity"), "low");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	        TEST(a_report_and_an_effect_are_one_alert),
	        TEST(an_effect_waits_for_its_report),
	        TEST(what_was_not_announced_is_an_evasion),
	        TEST(a_late_report_joins_and_takes_nothing_back),
	        TEST(a_prevented_one_is_no_announcement),
	        TEST(other_targets_are_other_effects),
	        TEST(a_broad_report_swallows_nothing),
	        TEST(repeated_effects_take_a_report_each),
	        TEST(lies_about_the_policy_avoid_the_word_only),
	        TEST(losses_make_no_evasions),
	        TEST(others_are_left_alone),
	        TEST(other_users_are_left_alone),
	        TEST(ids_are_ours),
	        TEST(an_alert_alone_says_who_by_our_word),
	        TEST(the_dead_have_a_pid_and_no_more),
	        TEST(a_program_is_run_by_a_child),
	        TEST(what_there_is_no_room_to_keep_back_is_written),
	        TEST(reports_are_bounded),
	        TEST(alerts_are_kept_back_and_written),
	        TEST(an_evasion_is_more_severe),
	        TEST(closing_writes_what_was_kept_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
