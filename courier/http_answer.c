#include "http_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink_report.h"

static bool is_good(long status)
{
	return status >= 200 && status < 300;
}

/* 409: of a request with our Idempotency-Key, which it is still at. */
static const char *reason_of(long status)
{
	if (status == 401 || status == 403 || status == 407)
		return "auth";
	if (status == 408 || status == 409 || status == 425 || status == 429 || status >= 500)
		return "busy";
	return status < 400 ? "protocol" : "refused";
}

/* What a receiver says beside its status, in the words that it has for people. */
static const char *words_of(const json_t *said)
{
	static const char *const names[] = {"text", "message", "reason", "errorMessage", "type"};
	const json_t *error = json_object_get(said, "error");
	const char *words = json_string_value(error);

	if (json_is_object(error))
		said = error;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !words; i++)
		words = json_string_value(json_object_get(said, names[i]));
	return words;
}

static void tell(struct mw_sink_report *report, const char *reason, const char *ours,
                 const json_t *said, const char *rest, size_t rest_len)
{
	const char *words = words_of(said);

	if (words)
		mw_sink_wrong_quoted(report, reason, ours, words, strlen(words));
	else
		mw_sink_wrong_quoted(report, reason, ours, rest, rest_len);
}

static void tell_status(struct mw_sink_report *report, const char *origin,
                        const struct mw_http_answer *answer, const json_t *said)
{
	char ours[160];

	snprintf(ours, sizeof(ours), "%.100s answers %ld%s", origin, answer->status,
	         answer->status >= 300 && answer->status < 400
	                 ? ", a redirection, which is not followed"
	                 : "");
	tell(report, reason_of(answer->status), ours, said, answer->body, answer->len);
}

static void set_all(struct mw_sink_item *items, size_t count, enum mw_sink_outcome outcome)
{
	for (size_t i = 0; i < count; i++)
		items[i].outcome = outcome;
}

/* Of several, one may be the cause. */
static enum mw_http_verdict refuse(struct mw_sink_item *items, size_t count,
                                   const struct mw_sink_report *report)
{
	if (count > 1)
		return MW_HTTP_HALVE;
	mw_sink_refuse(&items[0], report->why);
	return MW_HTTP_SAID;
}

/* HEC's codes for a status 400 that is about an event: its format, its `event`, its fields. Others
 * are about the index, the channel, the token; and what has none was said by somebody on the way.
 */
static bool is_of_an_event(const json_t *said)
{
	json_int_t code = json_integer_value(json_object_get(said, "code"));

	return code == 5 || code == 6 || code == 12 || code == 13 || code == 15;
}

/* Dead is what says something of the content. What says something of the way (who we are, where we
 * ask, how) may be put right, and all that has waited is taken then. What Elastic has against a
 * document it says in the document's result. */
static bool is_of_the_content(enum mw_http_body body, long status, const json_t *said)
{
	switch (body) {
	case MW_HTTP_ELASTIC:
		return status == 413;
	case MW_HTTP_HEC:
		return status == 413 || (status == 400 && is_of_an_event(said));
	case MW_HTTP_WEBHOOK:
	case MW_HTTP_OTLP:
		break;
	}
	return status == 400 || status == 413 || status == 422;
}

static void unexpected(struct mw_sink_report *report, const char *origin,
                       const struct mw_http_answer *answer)
{
	char ours[160];

	snprintf(ours, sizeof(ours), "%.100s answers %ld with what is not understood", origin,
	         answer->status);
	mw_sink_wrong_quoted(report, "protocol", ours, answer->body, answer->len);
}

/* The body of {"create": {...}}, whatever the action is called; NULL when there is none. */
static const json_t *result_of(const json_t *item)
{
	void *at = json_object_iter((json_t *)(uintptr_t)item);
	const json_t *result = at ? json_object_iter_value(at) : NULL;

	return json_is_integer(json_object_get(result, "status")) ? result : NULL;
}

/* Elastic's 400s that are not about the document but about where it goes: once that is put right,
 * all that has waited is taken. */
static bool is_of_the_index(const json_t *error)
{
	static const struct {
		const char *type, *reason; /* NULL: any */
	} all[] = {
	        {"validation_exception", NULL}, /* as many shards as there may be */
	        {"index_closed_exception", NULL},
	        {"invalid_index_name_exception", NULL},
	        {"illegal_argument_exception", "pipeline with id ["}, /* does not exist */
	        {"illegal_argument_exception", "no write index is defined"},
	};
	const char *type = json_string_value(json_object_get(error, "type"));
	const char *reason = json_string_value(json_object_get(error, "reason"));

	for (size_t i = 0; type && i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].type, type) &&
		    (!all[i].reason || (reason && strstr(reason, all[i].reason))))
			return true;
	return false;
}

/* 409: the document is there already. */
static enum mw_sink_outcome outcome_of(long status, const json_t *error)
{
	if (is_good(status) || status == 409)
		return MW_SINK_DONE;
	if (status != 400 && status != 413 && status != 422)
		return MW_SINK_RETRY;
	return is_of_the_index(error) ? MW_SINK_RETRY : MW_SINK_REFUSED;
}

static void take_result(const char *origin, const json_t *result, struct mw_sink_item *item,
                        struct mw_sink_report *report)
{
	long status = (long)json_integer_value(json_object_get(result, "status"));
	struct mw_sink_report own = {.reason = NULL};
	char ours[160];

	item->outcome = outcome_of(status, json_object_get(result, "error"));
	if (item->outcome == MW_SINK_DONE)
		return;
	snprintf(ours, sizeof(ours), "%.100s answers %ld for a record", origin, status);
	tell(&own, reason_of(status), ours, result, "", 0);
	if (item->outcome == MW_SINK_REFUSED)
		mw_sink_refuse(item, own.why);
	if (!report->reason)
		*report = own;
}

/* Elastic says of each what became of it. */
static bool take_bulk(const char *origin, const json_t *said, struct mw_sink_item *items,
                      size_t count, struct mw_sink_report *report)
{
	const json_t *results = json_object_get(said, "items");

	if (json_array_size(results) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!result_of(json_array_get(results, i)))
			return false;
	for (size_t i = 0; i < count; i++)
		take_result(origin, result_of(json_array_get(results, i)), &items[i], report);
	return true;
}

/* An OpenTelemetry collector that takes a request may still have thrown records of it away. */
static int64_t rejected_of(const json_t *said)
{
	const json_t *partial = json_object_get(said, "partialSuccess");
	const json_t *rejected = json_object_get(partial, "rejectedLogRecords");
	const char *text = json_string_value(rejected);

	return text ? strtoll(text, NULL, 10) : (int64_t)json_integer_value(rejected);
}

static enum mw_http_verdict take(enum mw_http_body body, const char *origin,
                                 const struct mw_http_answer *answer, const json_t *said,
                                 struct mw_sink_item *items, size_t count,
                                 struct mw_sink_report *report)
{
	const json_t *code = json_object_get(said, "code");

	if (body == MW_HTTP_ELASTIC) {
		if (!take_bulk(origin, said, items, count, report))
			unexpected(report, origin, answer);
		return MW_HTTP_SAID;
	}
	/* A page of somebody on the way is no word of Splunk's, nor of a collector's. */
	if ((body == MW_HTTP_HEC && (!json_is_integer(code) || json_integer_value(code) != 0)) ||
	    (body == MW_HTTP_OTLP && answer->len && !json_is_object(said))) {
		unexpected(report, origin, answer);
		return MW_HTTP_SAID;
	}
	if (body == MW_HTTP_OTLP && rejected_of(said) > 0) {
		tell(report, "refused", "records were rejected",
		     json_object_get(said, "partialSuccess"), "", 0);
		return refuse(items, count, report);
	}
	set_all(items, count, MW_SINK_DONE);
	return MW_HTTP_SAID;
}

static enum mw_http_verdict judge(enum mw_http_body body, const char *origin,
                                  const struct mw_http_answer *answer, const json_t *said,
                                  struct mw_sink_item *items, size_t count,
                                  struct mw_sink_report *report)
{
	if (is_good(answer->status))
		return take(body, origin, answer, said, items, count, report);
	tell_status(report, origin, answer, said);
	if (is_of_the_content(body, answer->status, said))
		return refuse(items, count, report);
	report->retry_after_ms = answer->retry_after_ms;
	return MW_HTTP_SAID;
}

static json_t *parse(const struct mw_http_answer *answer)
{
	return json_loadb(answer->body, answer->len, JSON_DISABLE_EOF_CHECK, NULL);
}

enum mw_http_verdict mw_http_judge(enum mw_http_body body, const char *origin,
                                   const struct mw_http_answer *answer, struct mw_sink_item *items,
                                   size_t count, struct mw_sink_report *report)
{
	json_t *said = parse(answer);
	enum mw_http_verdict verdict;

	set_all(items, count, MW_SINK_RETRY);
	verdict = judge(body, origin, answer, said, items, count, report);
	if (!report->reason)
		snprintf(report->detail, sizeof(report->detail), "%.100s answers %ld", origin,
		         answer->status);
	json_decref(said);
	return verdict;
}

int64_t mw_http_ack_id(const struct mw_http_answer *answer)
{
	json_t *said = parse(answer);
	const json_t *id = json_object_get(said, "ackId");
	int64_t ret = json_is_integer(id) ? (int64_t)json_integer_value(id) : -ENOENT;

	json_decref(said);
	return ret < 0 ? -ENOENT : ret;
}

int mw_http_acked(const struct mw_http_answer *answer, int64_t id)
{
	json_t *said = parse(answer);
	const json_t *acks = json_object_get(said, "acks"), *ack;
	char name[24];
	int ret = -EBADMSG;

	snprintf(name, sizeof(name), "%" PRId64, id);
	ack = json_object_get(acks, name);
	if (json_is_boolean(ack))
		ret = json_is_true(ack);
	else if (json_is_object(acks))
		ret = 0;
	json_decref(said);
	return ret;
}
