/* What the reports are made of, where the program from outside shows too little of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/journal.h"
#include "../../tools/lines.h"
#include "../../tools/seen.h"
#include "../../tools/when.h"

#define SECOND INT64_C(1000000000)

static const struct {
	const char *text;
	int64_t when;
} times[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000000001Z", 1},
        {"1970-01-01t00:00:01.5z", SECOND + SECOND / 2},
        {"1970-01-01 00:00:01.0000000019Z", SECOND + 1},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T23:30:00-00:30", -1},
        {"1970-01-01T00:30:00-00:30", INT64_C(3600) * SECOND},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800) * SECOND},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800) * SECOND},
        {"2261-12-31T23:59:59.999999999Z", INT64_C(9214646399) * SECOND + SECOND - 1},
        {"2262-01-01T00:00:00Z", -1},
        {"1970-01-01T00:00:00+00:01", -1},
        {"2023-02-29T00:00:00Z", -1},
        {"2023-02-29T23:59:60Z", -1},
        {"2023-00-01T00:00:00Z", -1},
        {"2023-01-00T00:00:00Z", -1},
        {"2023-01-01T24:00:00Z", -1},
        {"2023-01-01T00:00:61Z", -1},
        {"2023-01-01T00:00:00", -1},
        {"2023-01-01T00:00:00.Z", -1},
        {"2023-01-01T00:00:00Zx", -1},
        {"2023-01-01T00:00:00+1:00", -1},
        {"2023-01-01", -1},
        {"", -1},
};

static void reads_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t when = -2;
		int error = mw_when_rfc3339(times[i].text, &when);

		if (error != (times[i].when < 0 ? -EINVAL : 0) || (!error && when != times[i].when))
			fail_msg("%s: %d, %lld", times[i].text, error, (long long)when);
	}
}

static void reads_times_ago(void **state)
{
	const int64_t now = INT64_C(10000000) * SECOND;
	int64_t when;

	(void)state;
	assert_int_equal(mw_when("90s", now, &when), 0);
	assert_int_equal(when, now - 90 * SECOND);
	assert_int_equal(mw_when("2h", now, &when), 0);
	assert_int_equal(when, now - 7200 * SECOND);
	assert_int_equal(mw_when("1w", now, &when), 0);
	assert_int_equal(when, now - 604800 * SECOND);
	assert_int_equal(mw_when("9999w", now, &when), 0);
	assert_int_equal(when, 0);
	assert_int_equal(mw_when("99999999w", now, &when), -EINVAL);
	assert_int_equal(mw_when("+1h", now, &when), -EINVAL);
	assert_int_equal(mw_when("1", now, &when), -EINVAL);
}

static void writes_what_it_reads(void **state)
{
	char text[MW_WHEN_TEXT];
	int64_t when;

	(void)state;
	assert_int_equal(mw_when_rfc3339("2026-11-23T16:55:46.015960535Z", &when), 0);
	mw_when_text(when, text);
	assert_string_equal(text, "2026-11-23T16:55:46.015960535Z");
}

static void finds_the_journal(void **state)
{
	char path[64];

	(void)state;
	setenv("HOME", "/home/ada", 1);
	unsetenv("XDG_STATE_HOME");
	assert_int_equal(mw_journal_path(path, sizeof(path)), 0);
	assert_string_equal(path, "/home/ada/.local/state/modelwatch/alerts.jsonl");
	assert_int_equal(mw_journal_path(path, 20), -ENAMETOOLONG);
	setenv("XDG_STATE_HOME", "/state", 1);
	assert_int_equal(mw_journal_path(path, sizeof(path)), 0);
	assert_string_equal(path, "/state/modelwatch/alerts.jsonl");
	setenv("XDG_STATE_HOME", "", 1);
	setenv("HOME", "", 1);
	assert_int_equal(mw_journal_path(path, sizeof(path)), -ENOENT);
}

struct heard {
	size_t lines, too_long, last_len;
};

static int hear(void *context, const char *line, size_t len)
{
	struct heard *heard = context;

	heard->lines++;
	heard->too_long += !line;
	heard->last_len = len;
	return line && len == 3 && !memcmp(line, "end", 3) ? 7 : 0;
}

/* A file of `before`, then `count` times `c`, then `after`. */
static int hear_file(struct heard *heard, const char *before, char c, size_t count,
                     const char *after)
{
	char path[] = "/tmp/test_report.XXXXXX";
	int fd = mkstemp(path), result;
	char *many = malloc(count + 1);
	FILE *file = fdopen(fd, "w");

	assert_non_null(file);
	assert_non_null(many);
	memset(many, c, count);
	fputs(before, file);
	fwrite(many, 1, count, file);
	fputs(after, file);
	assert_int_equal(fclose(file), 0);
	free(many);
	*heard = (struct heard){.lines = 0};
	result = mw_lines(path, hear, heard);
	unlink(path);
	return result;
}

static void splits_lines(void **state)
{
	struct heard heard;

	(void)state;
	assert_int_equal(hear_file(&heard, "a\n\n\nbc", '\n', 3, "d"), 0);
	assert_int_equal(heard.lines, 3);
	assert_int_equal(heard.last_len, 1);
	assert_int_equal(hear_file(&heard, "a\n", 'x', MW_LINE_MAX, "\nlast"), 0);
	assert_int_equal(heard.lines, 3);
	assert_int_equal(heard.too_long, 0);
	assert_int_equal(hear_file(&heard, "a\n", 'x', MW_LINE_MAX + 1, "\nlast"), 0);
	assert_int_equal(heard.lines, 3);
	assert_int_equal(heard.too_long, 1);
	assert_int_equal(heard.last_len, 4);
	assert_int_equal(hear_file(&heard, "a\n", 'x', MW_LINE_MAX + 1, ""), 0);
	assert_int_equal(heard.too_long, 1);
	assert_int_equal(hear_file(&heard, "a\nend\n", 'x', 1000, "\n"), 7);
	assert_int_equal(heard.lines, 2);
	assert_int_equal(mw_lines("/nonexistent", hear, &heard), -ENOENT);
	assert_int_equal(mw_lines("/", hear, &heard), -EISDIR);
}

static struct mw_entry alert(uint32_t number, uint32_t update)
{
	struct mw_entry entry = {.update = update, .count = 1, .outcome = MW_OBSERVED};

	memcpy(entry.id, &number, sizeof(number));
	return entry;
}

static void remembers_alerts(void **state)
{
	struct mw_seen *seen = mw_seen_new();
	struct mw_entry entry = alert(1, 1);
	struct mw_share before;
	size_t again = 0;

	(void)state;
	assert_non_null(seen);
	assert_int_equal(mw_seen_note(seen, &entry, &before), MW_NEW);
	assert_int_equal(mw_seen_note(seen, &entry, &before), MW_REPEATED);
	entry = alert(1, 0);
	assert_int_equal(mw_seen_note(seen, &entry, &before), MW_REPEATED);
	entry = alert(1, 2);
	entry.outcome = MW_PREVENTED;
	assert_int_equal(mw_seen_note(seen, &entry, &before), MW_NEWER);
	assert_int_equal(before.outcome, MW_OBSERVED);
	for (uint32_t i = 2; i < 2 * MW_SEEN_MAX; i++) {
		entry = alert(i, 0);
		assert_int_equal(mw_seen_note(seen, &entry, &before), MW_NEW);
	}
	for (uint32_t i = 2 * MW_SEEN_MAX - MW_SEEN_MAX / 4; i < 2 * MW_SEEN_MAX; i++) {
		entry = alert(i, 0);
		again += mw_seen_note(seen, &entry, &before) == MW_REPEATED;
	}
	assert_true(again > MW_SEEN_MAX / 4 - 1000);
	mw_seen_free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_times),          cmocka_unit_test(reads_times_ago),
	        cmocka_unit_test(writes_what_it_reads), cmocka_unit_test(finds_the_journal),
	        cmocka_unit_test(splits_lines),         cmocka_unit_test(remembers_alerts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
