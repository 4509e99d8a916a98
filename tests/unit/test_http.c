/* HTTP: URLs, what answers mean, and when a receiver wants to be asked again. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "../../courier/http_ack.h"
#include "../../courier/http_answer.h"
#include "../../courier/http_headers.h"
#include "../../courier/http_url.h"
#include "../../courier/sink.h"
#include "../../courier/sink_shown.h"

#define SAME(a, b) ((a) ? assert_string_equal(b, a) : assert_null(b))

static void url_is(enum mw_http_body body, const char *name, const char *given, const char *url,
                   const char *origin, const char *ack, const char *connect_to)
{
	struct mw_sink_config config = {
	        .body = body, .url = (char *)given, .tls.server_name = (char *)name};
	struct mw_http_url made;
	char why[200] = "";

	assert_int_equal(mw_http_url_make(&config, &made, why, sizeof(why)), 0);
	assert_string_equal(made.url, url);
	assert_string_equal(made.origin, origin);
	SAME(ack, made.ack);
	SAME(connect_to, made.connect_to);
	mw_http_url_free(&made);
}

static void urls_get_what_they_lack(void **state)
{
	(void)state;
	url_is(MW_HTTP_WEBHOOK, NULL, "https://h/a?b=c", "https://h/a?b=c", "https://h:443", NULL,
	       NULL);
	url_is(MW_HTTP_HEC, NULL, "https://h:8088", "https://h:8088/services/collector/event",
	       "https://h:8088", "https://h:8088/services/collector/ack", NULL);
	url_is(MW_HTTP_HEC, NULL, "https://h/x/services/collector/raw?a=b",
	       "https://h/x/services/collector/raw?a=b", "https://h:443",
	       "https://h/x/services/collector/ack", NULL);
	url_is(MW_HTTP_ELASTIC, NULL, "http://[::1]:9200/", "http://[::1]:9200/_bulk",
	       "http://[::1]:9200", NULL, NULL);
	url_is(MW_HTTP_ELASTIC, NULL, "https://h/es/_bulk?pipeline=p",
	       "https://h/es/_bulk?pipeline=p", "https://h:443", NULL, NULL);
	url_is(MW_HTTP_OTLP, "name", "https://127.0.0.1:4318", "https://name:4318/v1/logs",
	       "https://127.0.0.1:4318", NULL, "::127.0.0.1:4318");
}

static void urls_that_are_none(void **state)
{
	static const char *const all[] = {"",
	                                  "h",
	                                  "ftp://h/",
	                                  "file:///x",
	                                  "https://u:p@h/",
	                                  "https://u@h/",
	                                  "https://h#x",
	                                  "https://a b/",
	                                  "https://",
	                                  NULL};
	struct mw_http_url made;
	char why[200];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct mw_sink_config config = {.url = (char *)all[i]};

		assert_int_equal(mw_http_url_make(&config, &made, why, sizeof(why)), -EINVAL);
		assert_null(strstr(why, "u:p"));
	}
}

static void statuses_have_their_meaning(void **state)
{
	static const struct {
		long status;
		enum mw_sink_outcome outcome;
		const char *reason;
	} all[] = {{200, MW_SINK_DONE, NULL},         {204, MW_SINK_DONE, NULL},
	           {409, MW_SINK_RETRY, "busy"},      {301, MW_SINK_RETRY, "protocol"},
	           {400, MW_SINK_REFUSED, "refused"}, {401, MW_SINK_RETRY, "auth"},
	           {403, MW_SINK_RETRY, "auth"},      {404, MW_SINK_RETRY, "refused"},
	           {408, MW_SINK_RETRY, "busy"},      {410, MW_SINK_RETRY, "refused"},
	           {413, MW_SINK_REFUSED, "refused"}, {415, MW_SINK_RETRY, "refused"},
	           {422, MW_SINK_REFUSED, "refused"}, {429, MW_SINK_RETRY, "busy"},
	           {500, MW_SINK_RETRY, "busy"},      {503, MW_SINK_RETRY, "busy"},
	           {0, MW_SINK_RETRY, "protocol"},    {999, MW_SINK_RETRY, "busy"}};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const struct mw_http_answer answer = {
		        .status = all[i].status, .retry_after_ms = 5000, .body = "", .len = 0};
		struct mw_sink_item items[2] = {{.len = 0}};
		struct mw_sink_report report = {.reason = NULL};
		bool is_dead = all[i].outcome == MW_SINK_REFUSED;

		assert_int_equal(mw_http_judge(MW_HTTP_WEBHOOK, "o", &answer, items, 1, &report),
		                 MW_HTTP_SAID);
		assert_int_equal(items[0].outcome, all[i].outcome);
		SAME(all[i].reason, report.reason);
		assert_int_equal(report.retry_after_ms, all[i].outcome == MW_SINK_RETRY ? 5000 : 0);
		report = (struct mw_sink_report){.reason = NULL};
		assert_int_equal(mw_http_judge(MW_HTTP_OTLP, "o", &answer, items, 2, &report),
		                 is_dead ? MW_HTTP_HALVE : MW_HTTP_SAID);
		assert_int_equal(items[1].outcome, is_dead ? MW_SINK_RETRY : all[i].outcome);
	}
}

/* What one record comes to when a receiver of this body answers so. */
static enum mw_sink_outcome end_of(enum mw_http_body body, long status, const char *text)
{
	const struct mw_http_answer answer = {.status = status, .body = text, .len = strlen(text)};
	struct mw_sink_item item = {.len = 0};
	struct mw_sink_report report = {.reason = NULL};

	assert_int_equal(mw_http_judge(body, "o", &answer, &item, 1, &report), MW_HTTP_SAID);
	assert_int_equal(item.outcome == MW_SINK_DONE, !report.reason);
	return item.outcome;
}

static void collectors_of_splunk_have_codes(void **state)
{
	static const struct {
		long status;
		const char *text;
		enum mw_sink_outcome outcome;
	} all[] = {
	        {200, "{\"text\":\"Success\",\"code\":0}", MW_SINK_DONE},
	        {200, "", MW_SINK_RETRY},
	        {200, "{}", MW_SINK_RETRY},
	        {200, "{\"code\":\"0\"}", MW_SINK_RETRY},
	        {200, "{\"code\":null}", MW_SINK_RETRY},
	        {200, "{\"code\":0.0}", MW_SINK_RETRY},
	        {200, "{\"code\":9}", MW_SINK_RETRY},
	        {200, "<html>Please log in</html>", MW_SINK_RETRY},
	        {400, "{\"text\":\"Invalid data format\",\"code\":6}", MW_SINK_REFUSED},
	        {400, "{\"text\":\"Event field is required\",\"code\":12}", MW_SINK_REFUSED},
	        {400, "{\"text\":\"Incorrect index\",\"code\":7}", MW_SINK_RETRY},
	        {400, "{\"text\":\"Data channel is missing\",\"code\":10}", MW_SINK_RETRY},
	        {400, "<html>The plain HTTP request was sent to HTTPS port</html>", MW_SINK_RETRY},
	        {413, "", MW_SINK_REFUSED},
	        {422, "{\"code\":6}", MW_SINK_RETRY},
	        {409, "{\"code\":0}", MW_SINK_RETRY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (end_of(MW_HTTP_HEC, all[i].status, all[i].text) != all[i].outcome)
			fail_msg("%ld %s", all[i].status, all[i].text);
}

static void collectors_of_opentelemetry_answer_in_json(void **state)
{
	(void)state;
	assert_int_equal(end_of(MW_HTTP_OTLP, 200, ""), MW_SINK_DONE);
	assert_int_equal(end_of(MW_HTTP_OTLP, 200, "{}"), MW_SINK_DONE);
	assert_int_equal(end_of(MW_HTTP_OTLP, 200, "{\"partialSuccess\":{}}"), MW_SINK_DONE);
	assert_int_equal(end_of(MW_HTTP_OTLP, 200, "<html>Please log in</html>"), MW_SINK_RETRY);
	assert_int_equal(end_of(MW_HTTP_OTLP, 200, "[]"), MW_SINK_RETRY);
	assert_int_equal(end_of(MW_HTTP_OTLP, 400, "{}"), MW_SINK_REFUSED);
	assert_int_equal(end_of(MW_HTTP_OTLP, 409, "{}"), MW_SINK_RETRY);
}

static enum mw_sink_outcome end_of_document(int status, const char *type, const char *reason)
{
	char text[400];

	snprintf(text, sizeof(text),
	         "{\"items\":[{\"create\":{\"status\":%d,\"error\":"
	         "{\"type\":\"%s\",\"reason\":\"%s\"}}}]}",
	         status, type, reason);
	return end_of(MW_HTTP_ELASTIC, 200, text);
}

/* What is wrong with a document is so for ever; what is wrong with its index may be put right. */
static void elastic_refuses_documents_and_not_requests(void **state)
{
	static const struct {
		const char *type, *reason;
		int status;
		enum mw_sink_outcome outcome;
	} all[] = {
	        {"document_parsing_exception", "failed to parse", 400, MW_SINK_REFUSED},
	        {"mapper_parsing_exception", "failed to parse", 400, MW_SINK_REFUSED},
	        {"strict_dynamic_mapping_exception", "not allowed", 400, MW_SINK_REFUSED},
	        {"illegal_argument_exception", "Limit of total fields", 400, MW_SINK_REFUSED},
	        {"t", "too large", 413, MW_SINK_REFUSED},
	        {"illegal_argument_exception", "pipeline with id [x] does not exist", 400,
	         MW_SINK_RETRY},
	        {"illegal_argument_exception", "no write index is defined for alias [x]", 400,
	         MW_SINK_RETRY},
	        {"validation_exception", "maximum normal shards open", 400, MW_SINK_RETRY},
	        {"index_closed_exception", "closed", 400, MW_SINK_RETRY},
	        {"invalid_index_name_exception", "must be lowercase", 400, MW_SINK_RETRY},
	        {"index_not_found_exception", "no such index", 404, MW_SINK_RETRY},
	        {"cluster_block_exception", "read-only", 403, MW_SINK_RETRY},
	        {"es_rejected_execution_exception", "full", 429, MW_SINK_RETRY},
	        {"version_conflict_engine_exception", "is there", 409, MW_SINK_DONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (end_of_document(all[i].status, all[i].type, all[i].reason) != all[i].outcome)
			fail_msg("%d %s: %s", all[i].status, all[i].type, all[i].reason);
	assert_int_equal(end_of(MW_HTTP_ELASTIC, 400, "{\"error\":{\"type\":\"x\"}}"),
	                 MW_SINK_RETRY);
	assert_int_equal(
	        end_of(MW_HTTP_ELASTIC, 409, "{\"items\":[{\"create\":{\"status\":201}}]}"),
	        MW_SINK_RETRY);
	assert_int_equal(end_of(MW_HTTP_ELASTIC, 413, ""), MW_SINK_REFUSED);
}

/* Each dead letter has what was said of it, not of another. */
static void refusals_keep_their_words(void **state)
{
	static const char text[] =
	        "{\"items\":[{\"create\":{\"status\":429,\"error\":{\"reason\":\"full\"}}},"
	        "{\"create\":{\"status\":400,\"error\":{\"reason\":\"one\\u001b[2J\"}}},"
	        "{\"create\":{\"status\":400,\"error\":{\"reason\":\"two\"}}}]}";
	const struct mw_http_answer answer = {.status = 200, .body = text, .len = strlen(text)};
	struct mw_sink_item items[3] = {{.len = 0}};
	struct mw_sink_report report = {.reason = NULL};

	(void)state;
	mw_http_judge(MW_HTTP_ELASTIC, "o", &answer, items, 3, &report);
	assert_string_equal(report.why, "o answers 429 for a record: \"full\"");
	assert_string_equal(items[0].why, "");
	assert_string_equal(items[1].why, "o answers 400 for a record: \"one\\x1b[2J\"");
	assert_string_equal(items[2].why, "o answers 400 for a record: \"two\"");
}

static int acked(const char *body)
{
	const struct mw_http_answer answer = {.status = 200, .body = body, .len = strlen(body)};

	return mw_http_acked(&answer, 7);
}

static int64_t ack_id(const char *body)
{
	const struct mw_http_answer answer = {.status = 200, .body = body, .len = strlen(body)};

	return mw_http_ack_id(&answer);
}

static void the_indexer_says_when_it_has_them(void **state)
{
	(void)state;
	assert_int_equal(ack_id("{\"ackId\":7}"), 7);
	assert_int_equal(ack_id("{\"ackId\":-1}"), -ENOENT);
	assert_int_equal(ack_id("{\"ackId\":\"7\"}"), -ENOENT);
	assert_int_equal(ack_id(""), -ENOENT);
	assert_int_equal(acked("{\"acks\":{\"7\":true}}"), 1);
	assert_int_equal(acked("{\"acks\":{\"7\":false}}"), 0);
	assert_int_equal(acked("{\"acks\":{\"8\":true}}"), 0);
	assert_int_equal(acked("{\"acks\":[7]}"), -EBADMSG);
	assert_int_equal(acked("nonsense"), -EBADMSG);
}

static void set_uids(struct mw_sink_item *items, const char *uids)
{
	for (; *uids; uids++, items++)
		*items = (struct mw_sink_item){.outcome = MW_SINK_DONE, .emission.uid = {*uids}};
}

/* The items of a request that the indexer is still at are those that it had, no others. */
static void an_acknowledgement_is_for_what_was_sent(void **state)
{
	static const struct {
		const char *uids; /* of the items that are to be sent next */
		size_t pending;
	} all[] = {{"abcd", 4}, {"abcde", 4}, {"acde", 0}, {"bcde", 0}, {"abc", 0}, {"xbcd", 0}};
	const struct mw_http_answer answer = {.body = "{\"ackId\":7}", .len = 11};
	struct mw_sink_report report = {.reason = NULL};
	struct mw_sink_item items[5];
	struct mw_http_ack ack = {.count = 0};

	(void)state;
	set_uids(items, "abcd");
	assert_int_equal(mw_http_ack_pending(&ack, items, 4), 0);
	mw_http_ack_expect(&ack, &answer, "o", items, 4, &report);
	assert_null(report.reason);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(items[i].outcome, MW_SINK_RETRY);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		set_uids(items, all[i].uids);
		assert_int_equal(mw_http_ack_pending(&ack, items, strlen(all[i].uids)),
		                 all[i].pending);
	}
}

static const char *hidden(const struct mw_http_secrets *secrets, const char *said)
{
	static char text[400];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", said);

	text[mw_http_secrets_hide(secrets, text, len)] = '\0';
	return text;
}

/* As receivers write what they were sent: in JSON of several kinds, decoded, in part. */
static void secrets_are_starred(void **state)
{
	static const struct {
		const char *said, *shown;
	} all[] = {
	        {"a token, and token", "a *****, and *****"},
	        {"to\\u006ben \\u0074oken", "***** *****"},
	        {"p\"w\\d p\\\"w\\\\d p\\u0022w", "***** ******* p\\u0022w"},
	        {"caf\xc3\xa9! caf\\u00e9! caf\\u00E9!", "****** ****** ******"},
	        {"/hook/T0/abcdefgh?key=p%2Fq%26rs+tu&v=1",
	         "*****************?*********************"},
	        {"\\/hook\\/T0\\/abcdefgh", "*****************"},
	        {"abcdefgh T0", "******** T0"},
	        {"key=p%2Fq%26rs+tu\\u0026v=1", "*********************"},
	        {"p/q&rs tu", "*********"},
	        {"p\\/q\\u0026rs tu", "*********"},
	        {"X-Key: 12345678 X-Team: ml", "X-Key: ******** X-Team: ml"},
	        {"\\\\/ \\", "\\\\/ \\"},
	        {"\\u001b \\ud83e \\u12", "\\u001b \\ud83e \\u12"},
	};
	struct mw_http_secrets secrets = {.count = 0};

	(void)state;
	assert_int_equal(mw_http_secrets_add(&secrets, "token"), 0);
	assert_int_equal(mw_http_secrets_add(&secrets, "p\"w\\d"), 0);
	assert_int_equal(mw_http_secrets_add(&secrets, "caf\xc3\xa9!"), 0);
	assert_int_equal(mw_http_secrets_add(&secrets, NULL), 0);
	assert_int_equal(mw_http_secrets_add(&secrets, ""), 0);
	assert_int_equal(mw_http_secrets_suspect(&secrets, "12345678"), 0);
	assert_int_equal(mw_http_secrets_suspect(&secrets, "ml"), 0);
	assert_int_equal(mw_http_secrets_add_url(
	                         &secrets, "https://h/hook/T0/abcdefgh?key=p%2Fq%26rs+tu&v=1"),
	                 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_string_equal(hidden(&secrets, all[i].said), all[i].shown);
	mw_http_secrets_free(&secrets);
	assert_string_equal(hidden(&secrets, "a token"), "a token");
}

static const char *shown_url(const char *url)
{
	static char text[64];

	mw_sink_url_shown(url, text, sizeof(text));
	return text;
}

static void urls_are_shown_without_their_secrets(void **state)
{
	(void)state;
	assert_string_equal(shown_url("https://h"), "https://h");
	assert_string_equal(shown_url("https://h:8088/"), "https://h:8088");
	assert_string_equal(shown_url("https://h:8088/services/T0/x"), "https://h:8088/...");
	assert_string_equal(shown_url("https://h?key=x"), "https://h/...");
	assert_string_equal(shown_url("https://u:p@h/x"), "https://...@h/...");
	assert_string_equal(shown_url("https://u:p@@h#x"), "https://...@h/...");
	assert_string_equal(shown_url("https://[::1]:80\\x"), "https://[::1]:80/...");
	assert_string_equal(shown_url("h"), "h");
}

struct receiver {
	int fd;
	const char *answer;
};

/* Answers one request, of which it reads what comes first. */
static void *receive(void *context)
{
	const struct receiver *r = context;
	int fd = accept(r->fd, NULL, NULL);
	char request[65536];

	if (fd >= 0 && read(fd, request, sizeof(request)) > 0 &&
	    write(fd, r->answer, strlen(r->answer)) < 0)
		perror("write");
	close(fd);
	return NULL;
}

static uint16_t listen_somewhere(int *ret)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);

	*ret = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*ret >= 0 && !bind(*ret, (struct sockaddr *)&at, len) && !listen(*ret, 1) &&
	            !getsockname(*ret, (struct sockaddr *)&at, &len));
	return ntohs(at.sin_port);
}

static int64_t asked_to_wait(const char *retry_after)
{
	char url[64], answer[200], text[] = "{}", why[200];
	struct receiver receiver = {.answer = answer};
	struct mw_sink_config config = {.url = url, .timeout_ms = 5000};
	const struct mw_sink_context context = {.stop = -1, .host = "h"};
	struct mw_sink_item item = {.text = text, .len = 2, .id = "i"};
	struct mw_sink_report report = {.reason = NULL};
	struct mw_sink *sink;
	pthread_t thread;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", listen_somewhere(&receiver.fd));
	snprintf(answer, sizeof(answer),
	         "HTTP/1.1 429 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", retry_after);
	assert_int_equal(pthread_create(&thread, NULL, receive, &receiver), 0);
	assert_int_equal(mw_sink_http.open(&config, &context, &sink, why, sizeof(why)), 0);
	mw_sink_http.send(sink, &item, 1, &report);
	mw_sink_http.close(sink);
	pthread_join(thread, NULL);
	close(receiver.fd);
	assert_int_equal(item.outcome, MW_SINK_RETRY);
	assert_string_equal(report.reason, "busy");
	return report.retry_after_ms;
}

static void a_receiver_says_when_to_come_again(void **state)
{
	char date[64];
	time_t then = time(NULL) + 100;
	struct tm tm;
	int64_t ms;

	(void)state;
	assert_int_equal(asked_to_wait("7"), 7000);
	assert_int_equal(asked_to_wait("999999999999"), 3600 * 1000);
	assert_int_equal(asked_to_wait("-5"), 0);
	assert_int_equal(asked_to_wait("soon"), 0);
	assert_int_equal(asked_to_wait("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &tm));
	ms = asked_to_wait(date);
	assert_true(ms > 80000 && ms <= 101000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(urls_get_what_they_lack),
	        cmocka_unit_test(urls_that_are_none),
	        cmocka_unit_test(statuses_have_their_meaning),
	        cmocka_unit_test(collectors_of_splunk_have_codes),
	        cmocka_unit_test(collectors_of_opentelemetry_answer_in_json),
	        cmocka_unit_test(elastic_refuses_documents_and_not_requests),
	        cmocka_unit_test(refusals_keep_their_words),
	        cmocka_unit_test(the_indexer_says_when_it_has_them),
	        cmocka_unit_test(an_acknowledgement_is_for_what_was_sent),
	        cmocka_unit_test(secrets_are_starred),
	        cmocka_unit_test(urls_are_shown_without_their_secrets),
	        cmocka_unit_test(a_receiver_says_when_to_come_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
