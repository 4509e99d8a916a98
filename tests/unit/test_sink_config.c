/* Configurations of sinks: what is right, what is wrong and how that is said, and what a later one
 * changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../courier/sink_config.h"

static struct mw_sinks_config config;
static char why[400];

static json_t *json_of(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json)
		fail_msg("%s: %s", error.text, text);
	return json;
}

static int read_text(const char *text)
{
	json_t *json = json_of(text);
	int error;

	mw_sinks_free(&config);
	why[0] = '\0';
	error = mw_sinks_read(json, &config, why, sizeof(why));
	json_decref(json);
	return error;
}

static const struct mw_sink_config *sink_of(const char *text)
{
	char all[1024];

	snprintf(all, sizeof(all), "{\"sinks\":{\"s\":%s}}", text);
	if (read_text(all))
		fail_msg("%s: %s", text, why);
	assert_int_equal(config.count, 1);
	return &config.sinks[0];
}

static void refuses(const char *text, const char *says)
{
	char all[1024];

	snprintf(all, sizeof(all), "{\"sinks\":{\"s\":%s}}", text);
	assert_int_equal(read_text(all), -22);
	if (!strstr(why, says))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, why, says);
}

static void what_is_not_said(void **state)
{
	const struct mw_sink_config *sink;

	(void)state;
	sink = sink_of("{\"type\":\"forward\",\"address\":\"127.0.0.1:24224\"}");
	assert_string_equal(sink->name, "s");
	assert_int_equal(sink->type, MW_SINK_FORWARD);
	assert_true(sink->ack && sink->heartbeat && !sink->observe && !sink->tls.on);
	assert_int_equal(sink->severity, MW_INFO);
	assert_int_equal(sink->ocsf, MW_OCSF_1_5);
	assert_int_equal(sink->timeout_ms, 10000);
	sink = sink_of("{\"type\":\"syslog\",\"address\":\"unix:/dev/log\"}");
	assert_true(sink->max && sink->max <= MW_FORMAT_COMPACT);
	assert_int_equal(sink->facility, 13);
	sink = sink_of(
	        "{\"type\":\"http\",\"url\":\"https://e.example/_bulk\",\"body\":\"elastic\"}");
	assert_int_equal(sink->format, MW_FORMAT_ECS);
	assert_int_equal(config.spool.max_bytes, 1 << 30);
	assert_int_equal(config.spool.heartbeat_ms, 60000);
}

static void what_is_said(void **state)
{
	const struct mw_sink_config *sink;

	(void)state;
	sink = sink_of("{\"type\":\"relp\",\"address\":\"[::1]:2514\",\"format\":\"cef\","
	               "\"severity\":\"high\","
	               "\"rules\":[\"load-*\"],\"observe\":\"true\",\"timeout\":\"2s\","
	               "\"facility\":\"local3\","
	               "\"tls\":{\"ca\":\"/etc/ca.pem\",\"server_name\":\"siem\"}}");
	assert_int_equal(sink->format, MW_FORMAT_CEF);
	assert_int_equal(sink->severity, MW_HIGH);
	assert_int_equal(json_array_size(sink->rules), 1);
	assert_true(sink->observe && sink->tls.on);
	assert_string_equal(sink->tls.ca, "/etc/ca.pem");
	assert_int_equal(sink->timeout_ms, 2000);
	assert_int_equal(
	        read_text("{\"spool\":{\"path\":\"/srv/"
	                  "s.db\",\"max_bytes\":\"64MiB\",\"keep\":\"2h\","
	                  "\"group\":{\"window\":\"5s\"},\"per_minute\":{\"per_rule\":\"7\"}}}"),
	        0);
	assert_int_equal(config.spool.max_bytes, 64 << 20);
	assert_int_equal(config.spool.keep_ms, 7200000);
	assert_int_equal(config.spool.window_ms, 5000);
	assert_int_equal(config.spool.per_rule_minute, 7);
}

static void what_is_wrong(void **state)
{
	(void)state;
	refuses("{}", "'type'");
	refuses("{\"type\":\"carrier pigeon\"}", "'type'");
	refuses("{\"type\":\"file\"}", "'path'");
	refuses("{\"type\":\"syslog\"}", "'address'");
	refuses("{\"type\":\"kafka\",\"brokers\":\"b:9092\"}", "'topic'");
	refuses("{\"type\":\"http\",\"url\":\"ftp://e.example/\"}", "https://");
	refuses("{\"type\":\"http\",\"url\":\"https://e.example/\",\"body\":\"soap\"}", "webhook");
	refuses("{\"type\":\"file\",\"path\":\"/a\",\"nonsense\":\"1\"}", "nonsense");
	refuses("{\"type\":\"file\",\"path\":\"/a\",\"address\":\"h:1\"}", "address");
	refuses("{\"type\":\"file\",\"path\":\"/a\",\"severity\":\"awful\"}", "critical");
	refuses("{\"type\":\"file\",\"path\":\"/a\",\"max_bytes\":\"1KiB\"}", "4 KiB");
	refuses("{\"type\":\"forward\",\"address\":\"h:1\",\"format\":\"cef\"}", "format");
	refuses("{\"type\":\"relp\",\"address\":\"h:1\",\"tls\":{\"cert\":\"/c\"}}", "key");
	refuses("{\"type\":\"http\",\"url\":\"http://h/\",\"tls\":{\"on\":\"true\"}}", "https://");
	assert_int_equal(read_text("{\"sinks\":{\"a b\":{\"type\":\"stdout\"}}}"), -22);
	assert_int_equal(read_text("{\"spool\":{\"max_bytes\":\"much\"}}"), -22);
}

/* A token must not go over the network for all to read; to this machine it may. */
static void secrets_on_the_way(void **state)
{
	static const char *const elsewhere[] = {
	        "http://e.example/", "http://localhost.e.example/", "http://127.0.0.1.e.example/",
	        "http://localhost:x@e.example/", "http://127.0.0.1@e.example/"};
	static const char *const here[] = {"http://localhost:8088/x", "http://127.0.0.1/",
	                                   "http://[::1]:1/", "https://e.example/"};
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++) {
		snprintf(text, sizeof(text),
		         "{\"type\":\"http\",\"url\":\"%s\",\"token_file\":\"/t\"}", elsewhere[i]);
		refuses(text, "");
	}
	for (size_t i = 0; i < sizeof(here) / sizeof(*here); i++) {
		snprintf(text, sizeof(text),
		         "{\"type\":\"http\",\"url\":\"%s\",\"token_file\":\"/t\"}", here[i]);
		sink_of(text);
	}
}

static void too_many(void **state)
{
	json_t *sinks = json_object(), *json = json_pack("{s:o}", "sinks", sinks);
	char name[16];

	(void)state;
	for (int i = 0; i <= MW_SINKS_MAX; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		json_object_set_new(sinks, name, json_pack("{s:s}", "type", "stdout"));
	}
	mw_sinks_free(&config);
	assert_int_equal(mw_sinks_read(json, &config, why, sizeof(why)), -22);
	json_decref(json);
}

static void one_over_another(void **state)
{
	json_t *into = mw_sinks_json();
	json_t *from =
	        json_of("{\"sinks\":{\"a\":{\"type\":\"stdout\"}},\"spool\":{\"keep\":\"1h\"}}");
	json_t *again = json_of(
	        "{\"sinks\":{\"a\":{\"type\":\"journald\"}},\"spool\":{\"max_age\":\"2h\"}}");

	(void)state;
	assert_false(mw_sinks_any(into));
	assert_int_equal(mw_sinks_merge(into, from), 0);
	assert_int_equal(mw_sinks_merge(into, again), 0);
	assert_true(mw_sinks_any(into));
	mw_sinks_free(&config);
	assert_int_equal(mw_sinks_read(into, &config, why, sizeof(why)), 0);
	assert_int_equal(config.count, 1);
	assert_int_equal(config.sinks[0].type, MW_SINK_JOURNALD);
	assert_int_equal(config.spool.keep_ms, 3600000);
	assert_int_equal(config.spool.max_age_ms, 7200000);
	json_decref(again);
	json_decref(from);
	json_decref(into);
}

static int teardown(void **state)
{
	(void)state;
	mw_sinks_free(&config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_not_said), cmocka_unit_test(what_is_said),
	        cmocka_unit_test(what_is_wrong),    cmocka_unit_test(secrets_on_the_way),
	        cmocka_unit_test(too_many),         cmocka_unit_test(one_over_another),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
