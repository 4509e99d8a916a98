/* The head of a line of syslog: what it says, and what hostile strings make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../courier/syslog_line.h"

static char head[MW_SYSLOG_HEAD];

static const char *make(const struct mw_sink_config *config, const char *host,
                        struct mw_sink_item *item, const char *schema)
{
	json_t *record = json_pack("{s:s}", "schema", schema);
	size_t len;

	assert_non_null(record);
	item->emission.record = record;
	len = mw_syslog_head(config, host, item, head);
	assert_int_equal(len, strlen(head));
	assert_true(len < MW_SYSLOG_HEAD);
	json_decref(record);
	return head;
}

static void a_head(void **state)
{
	const struct mw_sink_config config = {.facility = 13};
	struct mw_sink_item item = {.emission = {.uid = "0197c5f0", .sequence = 42},
	                            .severity = MW_CRITICAL,
	                            .id = "id-1",
	                            .time = INT64_C(1795458946015960535)};
	char expected[300];

	(void)state;
	snprintf(expected, sizeof(expected),
	         "<106>1 2026-11-23T18:35:46.015960Z node7 modelwatch %d alert [modelwatch@32473 "
	         "id=\"id-1\" uid=\"0197c5f0\" sequence=\"42\" severity=\"critical\"] ",
	         (int)getpid());
	assert_string_equal(make(&config, "node7", &item, "modelwatch.alert/1"), expected);
}

static void severities(void **state)
{
	(void)state;
	assert_int_equal(mw_syslog_severity(MW_CRITICAL), 2);
	assert_int_equal(mw_syslog_severity(MW_HIGH), 3);
	assert_int_equal(mw_syslog_severity(MW_MEDIUM), 4);
	assert_int_equal(mw_syslog_severity(MW_LOW), 5);
	assert_int_equal(mw_syslog_severity(MW_INFO), 6);
}

static void what_is_not_known_is_a_dash(void **state)
{
	const struct mw_sink_config config = {.facility = 16};
	struct mw_sink_item item = {.id = ""};

	(void)state;
	make(&config, "", &item, "nonsense");
	assert_memory_equal(head, "<134>1 - - modelwatch ", 22);
	assert_non_null(strstr(head, " - [modelwatch@32473 id=\"\" "));
}

/* None of them may end a field, the structured data or the line. */
static void hostile_strings(void **state)
{
	char name[400];
	const struct mw_sink_config config = {.facility = 23, .app_name = name};
	struct mw_sink_item item = {.id = "a\"b\\c]d\ne\x1b\xff f", .severity = MW_LOW};

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	name[3] = ' ';
	name[4] = '\n';
	make(&config, "host name\n\xc3\xa9", &item, "modelwatch.alert x\ny/1");
	assert_non_null(strstr(head, " host_name___ nnn__nnn"));
	assert_non_null(strstr(head, " alert_x_y ["));
	assert_non_null(strstr(head, "id=\"a\\\"b\\\\c\\]d_e__ f\""));
	assert_null(strchr(head, '\n'));
	memset(name, 'h', sizeof(name) - 1);
	item.id = name;
	memset(item.emission.uid, '"', sizeof(item.emission.uid) - 1);
	item.emission.sequence = UINT64_MAX;
	make(&config, name, &item, "modelwatch.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/1");
	assert_memory_equal(head + strlen(head) - 2, "] ", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_head),
	        cmocka_unit_test(severities),
	        cmocka_unit_test(what_is_not_known_is_a_dash),
	        cmocka_unit_test(hostile_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
