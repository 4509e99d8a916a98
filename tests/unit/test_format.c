/* What records become: the members that receivers look for, the bounds, and what hostile strings
 * are turned into. tests/test_formats.py holds the documents against the schemas. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../tools/text.h"
#include "format_record.h"

static json_t *record_of(const char *text)
{
	json_t *record = json_loads(text, 0, NULL);

	assert_non_null(record);
	return record;
}

static char *rendered(const json_t *record, enum mw_format format, enum mw_ocsf ocsf, size_t max)
{
	size_t len;
	char *text;

	assert_int_equal(render_record(record, format, ocsf, max, &text, &len), 0);
	assert_int_equal(strlen(text), len);
	if (max)
		assert_true(len <= max);
	return text;
}

static json_t *made(const json_t *record, enum mw_format format, enum mw_ocsf ocsf, size_t max)
{
	char *text = rendered(record, format, ocsf, max);
	json_error_t error;
	json_t *out = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!out)
		fail_msg("%s: %s", error.text, text);
	free(text);
	return out;
}

/* The value at "a.b.0.c". */
static const json_t *at(const json_t *value, const char *path)
{
	char copy[200], *rest = copy, *name;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, "/")))
		value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10))
		                             : json_object_get(value, name);
	return value;
}

static void assert_text(const json_t *value, const char *path, const char *text)
{
	const char *found = json_string_value(at(value, path));

	if (!found || strcmp(found, text) != 0)
		fail_msg("%s is %s, not %s", path, found ? found : "missing", text);
}

static void assert_number(const json_t *value, const char *path, json_int_t number)
{
	if (!json_is_integer(at(value, path)) || json_integer_value(at(value, path)) != number)
		fail_msg("%s is %lld, not %lld", path, json_integer_value(at(value, path)), number);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < MW_FORMAT_COUNT; i++)
		assert_int_equal(mw_format_of(mw_format_name((enum mw_format)i)), i);
	for (int i = 0; i < MW_OCSF_COUNT; i++)
		assert_int_equal(mw_ocsf_of(mw_ocsf_name((enum mw_ocsf)i)), i);
	assert_int_equal(mw_ocsf_of("1.5.0"), MW_OCSF_1_5);
	assert_int_equal(mw_ocsf_of("1.4"), -EINVAL);
	assert_int_equal(mw_format_of("xml"), -EINVAL);
}

/* Nothing of the record is lost or changed; what the spool gives is added, whatever it claims. */
static void test_native(void **state)
{
	json_t *record = record_of(alert_text), *out;

	(void)state;
	json_object_set_new(record, "uid", json_string("forged"));
	json_object_set_new(record, "sequence", json_integer(1));
	json_object_set_new(record, "left_out", json_true());
	json_object_set_new(record, "added later", json_pack("{s:[f, b]}", "x", 1.5, 1));
	out = made(record, MW_FORMAT_NATIVE, MW_OCSF_1_5, 0);
	assert_text(out, "uid", "01a20955-c65f-7abc-8000-000000000007");
	assert_number(out, "sequence", 42);
	assert_null(at(out, "left_out"));
	json_object_del(record, "left_out");
	json_object_set(record, "uid", json_object_get(out, "uid"));
	json_object_set(record, "sequence", json_object_get(out, "sequence"));
	assert_true(json_equal(record, out));
	json_decref(record);
	json_decref(out);
}

static void test_ocsf(void **state)
{
	json_t *record = record_of(alert_text), *out;

	(void)state;
	out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_5, 0);
	assert_number(out, "type_uid", 200401);
	assert_number(out, "severity_id", 5);
	assert_number(out, "action_id", 2);
	assert_number(out, "time", 1795452946015);
	assert_text(out, "metadata/version", "1.5.0");
	assert_text(out, "metadata/uid", "01a20955-c65f-7abc-8000-000000000007");
	assert_number(out, "metadata/sequence", 42);
	assert_text(out, "finding_info/uid", "01a20955-c65f-733b-a1ea-34009747f4b2");
	assert_text(out, "finding_info/analytic/name", "load-exec");
	assert_text(out, "actor/process/cmd_line", "python train.py");
	assert_text(out, "actor/user/uid", "1000");
	assert_text(out, "actor/process/container/image/name", "r.example/t:1");
	assert_text(out, "evidences/0/file/hashes/0/value",
	            "ce65e6d63eecdc0a79d79425dffc780e0f43c435bc84faba2f3f7b1a44bfd0fb");
	assert_text(out, "evidences/0/data/native_stack/0/symbol", "os_system");
	assert_text(out, "evidences/0/data/python_stack/0/file", "/data/train.py");
	assert_text(out, "evidences/1/file/path", "/usr/bin/dash");
	assert_text(out, "evidences/1/data/effect/detail/argv/2", "id");
	assert_text(out, "resources/0/version", "c0ffee");
	assert_text(out, "unmapped/job/id", "17");
	assert_null(at(out, "unmapped/left_out"));
	json_decref(out);
	json_decref(record);
}

/* An update of a group: the same finding, all its effects. */
static void test_group(void **state)
{
	json_t *record = record_of(alert_text), *out;

	(void)state;
	json_object_set_new(record, "update", json_integer(1));
	json_object_set_new(record, "count", json_integer(1000000));
	json_object_set_new(record, "group",
	                    json_pack("{s:s, s:s, s:s}", "key", "abcd", "first",
	                              "2026-11-23T16:55:46.000000000Z", "last",
	                              "2026-11-23T17:55:46.000000000Z"));
	out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_5, 0);
	assert_number(out, "type_uid", 200402);
	assert_number(out, "count", 1000000);
	assert_number(out, "end_time", 1795456546000);
	assert_text(out, "finding_info/uid", "01a20955-c65f-733b-a1ea-34009747f4b2");
	assert_text(out, "finding_info/uid_alt", "abcd");
	json_decref(out);
	out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_1, 0);
	assert_null(at(out, "finding_info/uid_alt"));
	assert_text(out, "metadata/correlation_uid", "abcd");
	json_decref(out);
	out = made(record, MW_FORMAT_ECS, MW_OCSF_1_1, 0);
	assert_text(out, "event/end", "2026-11-23T17:55:46.000000000Z");
	assert_number(out, "modelwatch/count", 1000000);
	json_decref(out);
	json_decref(record);
}

/* What was let go on is not told as denied. */
static void test_outcomes(void **state)
{
	static const struct {
		const char *outcome, *verdict;
		int action, old_action, disposition;
		const char *type;
	} rows[] = {
	        {"prevented", "deny", 2, 2, 2, "denied"},
	        {"observed", "alert", 3, 1, 19, "allowed"},
	        {"observed", "observe", 3, 1, 17, "allowed"},
	        {"killed_after_effect", "kill", 3, 1, 12, "allowed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *record = record_of(alert_text), *out;

		json_object_set_new(record, "outcome", json_string(rows[i].outcome));
		json_object_set_new(record, "verdict", json_string(rows[i].verdict));
		out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_5, 0);
		assert_number(out, "action_id", rows[i].action);
		assert_number(out, "disposition_id", rows[i].disposition);
		json_decref(out);
		out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_3, 0);
		assert_number(out, "action_id", rows[i].old_action);
		json_decref(out);
		out = made(record, MW_FORMAT_ECS, MW_OCSF_1_5, 0);
		assert_text(out, "event/type/0", rows[i].type);
		json_decref(out);
		json_decref(record);
	}
}

static void test_others(void **state)
{
	json_t *record = record_of(loss_text), *out;

	(void)state;
	out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_5, 0);
	assert_text(out, "finding_info/types/0", "loss");
	assert_number(out, "severity_id", 4);
	assert_number(out, "unmapped/lost", 3);
	assert_text(out, "message",
	            "modelwatch could not tell everything: No space left on device, 3 times");
	json_decref(out);
	json_decref(record);
	record = record_of(heartbeat_text);
	out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_5, 0);
	assert_number(out, "type_uid", 200499);
	assert_number(out, "severity_id", 1);
	assert_text(out, "policy/uid", "ad92");
	assert_text(out, "device/hostname", "gpu-17");
	assert_text(out, "unmapped/mode", "deny");
	json_decref(out);
	out = made(record, MW_FORMAT_ECS, MW_OCSF_1_5, 0);
	assert_text(out, "event/kind", "state");
	assert_text(out, "modelwatch/rung/exec", "lsm");
	assert_number(out, "modelwatch/loads", 17);
	json_decref(out);
	json_decref(record);
}

static void test_ecs(void **state)
{
	json_t *record = record_of(alert_text), *out;

	(void)state;
	out = made(record, MW_FORMAT_ECS, MW_OCSF_1_5, 0);
	assert_text(out, "@timestamp", "2026-11-23T16:55:46.015960535Z");
	assert_text(out, "event/category/1", "process");
	assert_text(out, "event/id", "01a20955-c65f-7abc-8000-000000000007");
	assert_text(out, "threat/technique/subtechnique/id/0", "T1204.002");
	assert_text(out, "modelwatch/atlas/0", "AML.T0011");
	assert_text(out, "file/hash/sha256",
	            "ce65e6d63eecdc0a79d79425dffc780e0f43c435bc84faba2f3f7b1a44bfd0fb");
	assert_text(out, "user/id", "1000");
	assert_text(out, "orchestrator/resource/name", "t-0");
	assert_text(out, "labels/team", "vision");
	assert_text(out, "tags/0", "a.b=c");
	json_decref(out);
	json_decref(record);
}

static void test_cef(void **state)
{
	json_t *record = record_of(alert_text);
	char *text;

	(void)state;
	json_object_set_new(record, "title", json_string("a|b\\c\nd=e"));
	json_object_set_new(json_object_get(json_object_get(record, "load"), "artifact"), "path",
	                    json_string("/m/x=1|2\\3\nact=allow \x1b[2J\xe2\x80\xae.pt"));
	text = rendered(record, MW_FORMAT_CEF, MW_OCSF_1_5, 0);
	assert_ptr_equal(strstr(text, "CEF:0|modelwatch|modelwatch|0.1.0|load-exec|"
	                              "a\\|b\\\\c\\\\u000ad=e|10|externalId="),
	                 text);
	assert_non_null(strstr(text, " msg=a|b\\\\c\\nd\\=e "));
	assert_non_null(strstr(text, " filePath=/m/x\\=1|2\\\\3\\nact\\=allow "
	                             "\\\\u001b[2J\\\\u202e.pt fsize="));
	assert_non_null(strstr(text, " act=deny "));
	assert_non_null(strstr(text, " cs3Label=command cs3=sh -c id "));
	assert_null(strstr(text, " act=allow"));
	free(text);
	json_decref(record);
}

static void test_unknown(void **state)
{
	json_t *record = json_pack("{s:s}", "schema", "modelwatch.alert/2"), *json;
	size_t len;
	char *text;

	(void)state;
	assert_int_equal(render_record(record, MW_FORMAT_NATIVE, 0, 0, &text, &len), -EINVAL);
	json_decref(record);
	record = record_of(alert_text);
	assert_int_equal(mw_format_json(&(struct mw_emission){.record = record},
	                                &(struct mw_format_options){.format = MW_FORMAT_CEF},
	                                &json),
	                 -EINVAL);
	json_decref(record);
}

/* Every string of a record but the words that our own code chose among. */
static json_t *poisoned(const json_t *value, const json_t *with, const char *key)
{
	static const char ours[] = " schema severity verdict outcome mode class cause time ";
	char word[64];
	json_t *out = json_is_array(value) ? json_array() : json_object(), *one;
	const char *name;
	size_t i;

	snprintf(word, sizeof(word), " %s ", key);
	if (!json_is_object(value) && !json_is_array(value)) {
		json_decref(out);
		return json_is_string(value) && !strstr(ours, word) ? json_incref((json_t *)with)
		                                                    : json_copy((json_t *)value);
	}
	json_object_foreach((json_t *)value, name, one)
	{
		json_object_set_new(out, name, poisoned(one, with, name));
	}
	json_array_foreach(value, i, one)
	{
		json_array_append_new(out, poisoned(one, with, "-"));
	}
	return out;
}

static void assert_harmless(const char *text)
{
	for (size_t len = strlen(text), i = 0, n; i < len; i += n) {
		uint32_t code;

		n = mw_utf8_next(text + i, len - i, &code);
		if (!mw_text_is_shown(code) && strncmp(text + i, "\xef\xbf\xbd", 3) != 0)
			fail_msg("U+%04X at %zu of %s", code, i, text);
	}
}

static void assert_bounded(const json_t *record)
{
	static const size_t bounds[] = {MW_FORMAT_LEAST, MW_FORMAT_COMPACT, 0};

	for (int format = 0; format < MW_FORMAT_COUNT; format++)
		for (int ocsf = format == MW_FORMAT_OCSF ? 0 : MW_OCSF_1_8; ocsf < MW_OCSF_COUNT;
		     ocsf++)
			for (size_t i = 0; i < 3; i++) {
				char *text = rendered(record, (enum mw_format)format,
				                      (enum mw_ocsf)ocsf, bounds[i]);

				assert_true(strlen(text) <= 1 << 20);
				assert_harmless(text);
				free(text);
				if (format != MW_FORMAT_CEF)
					json_decref(made(record, (enum mw_format)format,
					                 (enum mw_ocsf)ocsf, bounds[i]));
			}
}

static void test_hostile(void **state)
{
	/* A record is cut to 1 MiB, so that what is longest goes into one of them alone. */
	static const struct {
		const char *piece;
		size_t len;
	} rows[] = {
	        {"\x1b[31m", 1 << 20},
	        {"a", 1 << 20},
	        {"\n{\"schema\":\"x\"}", 2000},
	        {"\xe2\x80\xae", 2000},
	        {"|=\\\"", 2000},
	        {"\x7f\x01\r", 2000},
	        {"\xc2\x9b"
	         "2J",
	         2000},
	        {"\xf3\xa0\x81\x81", 9000},
	        {"\xef\xbf\xbd\xef\xbb\xbf", 2000},
	        {"\xf0\x9f\x92\xa9", 9000},
	        {"</script>',);--", 2000},
	};
	char *big = malloc((1 << 20) + 32);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = 0, one = strlen(rows[i].piece);
		json_t *record = record_of(alert_text), *with, *all;

		for (; len < rows[i].len; len += one)
			memcpy(big + len, rows[i].piece, one);
		with = json_stringn(big, len);
		all = poisoned(record, with, "-");
		assert_bounded(all);
		json_decref(all);
		json_decref(with);
		json_decref(record);
	}
	free(big);
}

/* What people read keeps no character that acts even when the JSON is taken apart. */
static void test_shown(void **state)
{
	json_t *record = record_of(alert_text), *out;

	(void)state;
	json_object_set_new(record, "title", json_string("a\x1b[2J\xe2\x80\xae\nb"));
	out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_5, 0);
	assert_text(out, "message", "a\\u001b[2J\\u202e\\u000ab");
	assert_text(out, "finding_info/title", "a\\u001b[2J\\u202e\\u000ab");
	json_decref(out);
	out = made(record, MW_FORMAT_ECS, MW_OCSF_1_5, 0);
	assert_text(out, "message", "a\\u001b[2J\\u202e\\u000ab");
	json_decref(out);
	json_decref(record);
}

/* A list of `count` frames. */
static json_t *frames(size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:b}", "function", "forward",
		                                      "file", "/opt/venv/lib/python3.11/model.py",
		                                      "line", (json_int_t)i + 1, "inside", 0));
	return list;
}

static bool is_among(const json_t *list, const char *word)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)), word))
			return true;
	return false;
}

/* What is left out is the least, and is said. */
static void test_compact(void **state)
{
	json_t *record = record_of(alert_text), *out;
	char *whole;

	(void)state;
	json_object_set_new(record, "native_stack", frames(64));
	json_object_set_new(record, "python_stack", frames(20));
	whole = rendered(record, MW_FORMAT_OCSF, MW_OCSF_1_8, 0);
	out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_8, MW_FORMAT_COMPACT);
	assert_null(at(out, "evidences/0/data/native_stack"));
	assert_int_equal(json_array_size(at(out, "evidences/0/data/python_stack")), 20);
	assert_true(json_is_true(at(out, "metadata/is_truncated")));
	assert_number(out, "metadata/untruncated_size", (json_int_t)(strlen(whole) + 1023) / 1024);
	assert_number(out, "unmapped/left_out/bytes", (json_int_t)strlen(whole));
	free(whole);
	assert_true(is_among(at(out, "unmapped/left_out/parts"), "native_stack"));
	assert_int_equal(json_array_size(at(out, "unmapped/left_out/parts")), 1);
	json_decref(out);
	json_object_set_new(record, "python_stack", frames(48));
	out = made(record, MW_FORMAT_OCSF, MW_OCSF_1_5, MW_FORMAT_COMPACT);
	assert_int_equal(json_array_size(at(out, "evidences/0/data/python_stack")), 8);
	assert_null(at(out, "metadata/is_truncated"));
	assert_true(is_among(at(out, "unmapped/left_out/parts"), "python_stack[8:]"));
	json_decref(out);
	out = made(record, MW_FORMAT_NATIVE, MW_OCSF_1_5, MW_FORMAT_COMPACT);
	assert_int_equal(json_array_size(at(out, "native_stack")), 0);
	assert_true(is_among(at(out, "left_out/parts"), "native_stack"));
	json_decref(out);
	json_decref(record);
}

/* Members that are of other types than they should be are passed over. */
static void test_wrong_types(void **state)
{
	json_t *values = json_pack("[i, s, [], {}, n, b, f, i]", -1, "x", 1, 1.5, 1 << 30);
	json_t *record, *value;
	const char *key;
	size_t i;

	(void)state;
	record = record_of(alert_text);
	json_object_foreach(record, key, value)
	{
		if (!strcmp(key, "schema"))
			continue;
		for (i = 0; i < json_array_size(values); i++) {
			json_t *other = json_copy(record);

			json_object_set(other, key, json_array_get(values, i));
			assert_bounded(other);
			json_decref(other);
		}
	}
	json_decref(record);
	json_decref(values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_names),       cmocka_unit_test(test_native),
	        cmocka_unit_test(test_ocsf),        cmocka_unit_test(test_group),
	        cmocka_unit_test(test_outcomes),    cmocka_unit_test(test_others),
	        cmocka_unit_test(test_ecs),         cmocka_unit_test(test_cef),
	        cmocka_unit_test(test_unknown),     cmocka_unit_test(test_hostile),
	        cmocka_unit_test(test_shown),       cmocka_unit_test(test_compact),
	        cmocka_unit_test(test_wrong_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
