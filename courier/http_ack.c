#include "http_ack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sink_report.h"

#define PAUSE_MS 50 /* between two questions, at first */
#define PAUSE_MAX_MS 1000
#define PATIENCE_MS (5 * 60 * 1000) /* after which Splunk says to send again */

void mw_http_ack_expect(struct mw_http_ack *ack, const struct mw_http_answer *answer,
                        const char *origin, struct mw_sink_item *items, size_t count,
                        struct mw_sink_report *report)
{
	int64_t id = mw_http_ack_id(answer);

	for (size_t i = 0; i < count; i++)
		items[i].outcome = MW_SINK_RETRY;
	if (id < 0) {
		mw_sink_wrong(report, "protocol",
		              "%s: indexer acknowledgement is not enabled for the token", origin);
		return;
	}
	*ack = (struct mw_http_ack){.count = count, .id = id, .since = mw_sink_clock()};
	memcpy(ack->first, items[0].emission.uid, sizeof(ack->first));
	memcpy(ack->last, items[count - 1].emission.uid, sizeof(ack->last));
}

size_t mw_http_ack_pending(const struct mw_http_ack *ack, const struct mw_sink_item *items,
                           size_t count)
{
	bool is_it = ack->count && ack->count <= count &&
	             !strcmp(ack->first, items[0].emission.uid) &&
	             !strcmp(ack->last, items[ack->count - 1].emission.uid) &&
	             mw_sink_clock() - ack->since < PATIENCE_MS;

	return is_it ? ack->count : 0;
}

/* Asks once. Returns 1, 0 not yet, or -EIO, told in `report`. */
static int ask(const struct mw_http_ack *ack, struct mw_http_client *client,
               const struct mw_http_url *url, int timeout_ms, struct mw_sink_report *report)
{
	const struct mw_http_answer *answer;
	struct mw_sink_item none = {.len = 0};
	char text[64];
	struct mw_http_request request = {
	        .url = url->ack, .body = {.data = text}, .timeout_ms = timeout_ms};
	int acked;

	request.body.len =
	        (size_t)snprintf(text, sizeof(text), "{\"acks\":[%" PRId64 "]}", ack->id);
	if (mw_http_post(client, &request, &answer, report))
		return -EIO;
	if (answer->status != 200) {
		mw_http_judge(MW_HTTP_HEC, url->origin, answer, &none, 1, report);
		return -EIO;
	}
	acked = mw_http_acked(answer, ack->id);
	if (acked < 0)
		mw_sink_wrong_quoted(report, "protocol", "no answer about acknowledgements",
		                     answer->body, answer->len);
	return acked < 0 ? -EIO : acked;
}

void mw_http_ack_wait(struct mw_http_ack *ack, struct mw_http_client *client,
                      const struct mw_http_url *url, int stop, int64_t end,
                      struct mw_sink_item *items, struct mw_sink_report *report)
{
	int acked = 0, pause = PAUSE_MS;
	int64_t left;

	while (!acked && (left = end - mw_sink_clock()) > 0) {
		acked = ask(ack, client, url, (int)left, report);
		if (!acked && mw_sink_stopped(stop, pause))
			return;
		pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
	}
	if (!acked)
		mw_sink_wrong(report, "timeout", "%s: the indexer has not acknowledged yet",
		              url->origin);
	for (size_t i = 0; acked > 0 && i < ack->count; i++)
		items[i].outcome = MW_SINK_DONE;
	if (acked > 0) {
		snprintf(report->detail, sizeof(report->detail),
		         "%.100s: acknowledged by the indexer", url->origin);
		ack->count = 0;
	}
}
