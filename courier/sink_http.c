/* Records over HTTP: one by one to a webhook, many in one request to the others. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/uuid.h"
#include "../tools/when.h"
#include "gzip.h"
#include "http_ack.h"
#include "http_body.h"
#include "http_client.h"
#include "sink_report.h"

/* 30 times `timeout`: how long a webhook may say of a record that it is still at it. */
#define CONFLICT_WAITS 30

struct http {
	const struct mw_sink_config *config;
	const struct mw_sink_context *context;
	struct mw_http_url url;
	struct mw_http_client *client;
	char channel[MW_UUID_TEXT]; /* Splunk's name for us */
	struct mw_http_ack ack;     /* of the indexer, where it is waited for */
	char conflict[MW_UID_TEXT]; /* the record that a webhook answers with 409, ... */
	int64_t conflict_since;
};

/* One send(). */
struct sending {
	struct http *http;
	struct mw_sink_report *report;
	struct mw_sink_item *items; /* `count` of them are left */
	size_t count, most;         /* `most` go into one request */
	int64_t end;                /* on mw_sink_clock() */
};

static void http_close(struct mw_sink *sink)
{
	struct http *http = (struct http *)sink;

	mw_http_client_free(http->client);
	mw_http_url_free(&http->url);
	free(http);
}

/* With the secrets as they are now. */
static int make_client(const struct http *http, struct mw_http_client **ret, char *why,
                       size_t why_size)
{
	return mw_http_client_new(http->config, &http->url,
	                          http->config->body == MW_HTTP_HEC ? http->channel : NULL,
	                          http->context->stop, ret, why, why_size);
}

static int start(struct http *http, char *why, size_t why_size)
{
	const struct mw_sink_config *config = http->config;
	int error = mw_http_url_make(config, &http->url, why, why_size);

	if (!error && config->indexer_ack && config->body != MW_HTTP_HEC) {
		snprintf(why, why_size, "`indexer_ack` is for `body: hec`");
		error = -EINVAL;
	}
	mw_uuid(mw_when_now(), http->channel);
	return error ? error : make_client(http, &http->client, why, why_size);
}

static void http_reopen(struct mw_sink *sink)
{
	struct http *http = (struct http *)sink;
	struct mw_http_client *client;
	char why[MW_SINK_WHY];

	if (make_client(http, &client, why, sizeof(why)))
		return; /* what we had is better than nothing */
	mw_http_client_free(http->client);
	http->client = client;
}

static int http_open(const struct mw_sink_config *config, const struct mw_sink_context *context,
                     struct mw_sink **ret, char *why, size_t why_size)
{
	struct http *http = calloc(1, sizeof(*http));
	int error;

	if (!http)
		return -ENOMEM;
	http->config = config;
	http->context = context;
	error = start(http, why, why_size);
	if (error) {
		http_close((struct mw_sink *)http);
		return error;
	}
	*ret = (struct mw_sink *)http;
	return 0;
}

/* The time for one wait, 0 when there is none left. */
static int time_left(const struct sending *s)
{
	int64_t left = s->end - mw_sink_clock();

	return left <= 0                            ? 0
	       : left < s->http->config->timeout_ms ? (int)left
	                                            : s->http->config->timeout_ms;
}

/* By the rules of Idempotency-Key it has not ended with the first request, and then says how that
 * ended. A receiver that means that it has the record would say so for ever. */
static void weigh_conflict(const struct sending *s, long status)
{
	struct http *http = s->http;
	const char *uid = s->items[0].emission.uid;

	if (http->config->body != MW_HTTP_WEBHOOK || status != 409)
		return;
	if (strcmp(http->conflict, uid) != 0) {
		memcpy(http->conflict, uid, sizeof(http->conflict));
		http->conflict_since = mw_sink_clock();
	}
	if (mw_sink_clock() - http->conflict_since >=
	    CONFLICT_WAITS * (int64_t)http->config->timeout_ms)
		mw_sink_refuse(&s->items[0], s->report->why);
}

static enum mw_http_verdict judge(const struct sending *s, const struct mw_http_answer *answer,
                                  size_t n)
{
	struct http *http = s->http;
	enum mw_http_verdict verdict =
	        mw_http_judge(http->config->body, http->url.origin, answer, s->items, n, s->report);

	if (http->config->indexer_ack && s->items[0].outcome == MW_SINK_DONE)
		mw_http_ack_expect(&http->ack, answer, http->url.origin, s->items, n, s->report);
	weigh_conflict(s, answer->status);
	return verdict;
}

/* Posts the next `n` items. */
static enum mw_http_verdict post(const struct sending *s, size_t n, int timeout_ms)
{
	const struct mw_sink_config *config = s->http->config;
	const struct mw_http_answer *answer;
	enum mw_http_verdict verdict = MW_HTTP_SAID;
	struct mw_http_request request = {
	        .url = s->http->url.url,
	        .is_gzip = config->compress,
	        .key = config->body == MW_HTTP_WEBHOOK ? s->items[0].emission.uid : NULL,
	        .timeout_ms = timeout_ms,
	};
	int error = mw_http_body(config, s->http->context->host, s->items, n, &request.body);

	if (!error && config->compress)
		error = mw_gzip(&request.body);
	if (error)
		mw_sink_wrong(s->report, "protocol", "no memory");
	else
		error = mw_http_post(s->http->client, &request, &answer, s->report);
	if (!error)
		verdict = judge(s, answer, n);
	else if (error == -EFBIG && n > 1)
		verdict = MW_HTTP_HALVE;
	free(request.body.data);
	return verdict;
}

static bool is_settled(const struct mw_sink_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].outcome == MW_SINK_RETRY)
			return false;
	return true;
}

/* One request, and the indexer's word for it where that is wanted. Returns whether to go on. */
static bool step(struct sending *s, int timeout_ms)
{
	struct http *http = s->http;
	size_t n = mw_http_ack_pending(&http->ack, s->items, s->count);

	if (!n) {
		n = s->count < s->most ? s->count : s->most;
		if (post(s, n, timeout_ms) == MW_HTTP_HALVE) {
			s->most = n / 2;
			*s->report = (struct mw_sink_report){.reason = NULL};
			return true;
		}
		if (http->config->body != MW_HTTP_WEBHOOK)
			s->most *= 2;
	}
	if (mw_http_ack_pending(&http->ack, s->items, n))
		mw_http_ack_wait(&http->ack, http->client, &http->url, http->context->stop, s->end,
		                 s->items, s->report);
	if (!is_settled(s->items, n))
		return false;
	s->items += n;
	s->count -= n;
	return true;
}

static void http_send(struct mw_sink *sink, struct mw_sink_item *items, size_t count,
                      struct mw_sink_report *report)
{
	struct http *http = (struct http *)sink;
	struct sending s = {
	        .http = http,
	        .report = report,
	        .items = items,
	        .count = count,
	        .most = http->config->body == MW_HTTP_WEBHOOK ? 1 : count,
	        .end = mw_sink_clock() + 2 * (int64_t)http->config->timeout_ms,
	};
	int timeout_ms;

	do
		timeout_ms = s.count ? time_left(&s) : 0;
	while (timeout_ms && !mw_sink_stopped(http->context->stop, 0) && step(&s, timeout_ms));
}

const struct mw_sink_ops mw_sink_http = {
        .batch = 256,
        .batch_bytes = (size_t)512 << 10,
        .open = http_open,
        .send = http_send,
        .reopen = http_reopen,
        .close = http_close,
};
