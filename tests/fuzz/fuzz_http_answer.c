/* Any bytes as the answer of a receiver of HTTP; the first say of which kind it is, with which
 * status, and how many records it is about. What is not DONE is told, or to be sent in halves; only
 * a status of success makes any DONE; what is told can be shown, and has no secret in it. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../courier/http_answer.h"
#include "../../courier/http_secrets.h"

#define ITEMS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shown(const char *why)
{
	if (!memchr(why, 0, MW_SINK_WHY))
		abort();
	for (; *why; why++)
		if ((unsigned char)*why < ' ' || *why == 0x7f)
			abort();
}

static void check(const struct mw_http_answer *answer, const struct mw_sink_item *items,
                  size_t count, enum mw_http_verdict verdict, const struct mw_sink_report *report)
{
	bool is_good = answer->status >= 200 && answer->status < 300;

	if (verdict == MW_HTTP_HALVE && count < 2)
		abort();
	for (size_t i = 0; i < count; i++) {
		if (items[i].outcome == MW_SINK_DONE && !is_good)
			abort();
		if (items[i].outcome != MW_SINK_DONE && !report->reason)
			abort();
		if ((items[i].outcome == MW_SINK_REFUSED) != !!items[i].why[0])
			abort();
		check_shown(items[i].why);
	}
	check_shown(report->why);
	check_shown(report->detail);
}

/* Returns how long it is without them. */
static size_t check_secrets(char *text, size_t len)
{
	struct mw_http_secrets secrets = {.count = 0};
	size_t left;

	if (mw_http_secrets_add(&secrets, "to\"k\\en") ||
	    mw_http_secrets_add_url(&secrets, "https://h/T0/s3gment+%2F?key=qu3ry-of-hook"))
		abort();
	left = mw_http_secrets_hide(&secrets, text, len);
	if (left > len)
		abort();
	for (size_t i = 0; i < secrets.count; i++)
		if (memmem(text, left, secrets.texts[i], strlen(secrets.texts[i])))
			abort();
	mw_http_secrets_free(&secrets);
	text[left] = '\0';
	return left;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const long statuses[] = {200, 201, 400, 401, 403, 404, 409, 413, 422, 429, 500, 302};
	struct mw_http_answer answer = {.retry_after_ms = 1000};
	struct mw_sink_item items[ITEMS] = {{.len = 0}};
	struct mw_sink_report report = {.reason = NULL};
	enum mw_http_verdict verdict;
	size_t count;
	char *text;

	if (size < 3)
		return 0;
	count = 1 + data[2] % ITEMS;
	answer.status = statuses[data[1] % (sizeof(statuses) / sizeof(statuses[0]))];
	answer.len = size - 3;
	text = calloc(1, answer.len + 1);
	if (!text)
		return 0;
	memcpy(text, data + 3, answer.len);
	answer.len = check_secrets(text, answer.len);
	answer.body = text;
	verdict = mw_http_judge(data[0] % 4, "https://h:443", &answer, items, count, &report);
	check(&answer, items, count, verdict, &report);
	if (mw_http_ack_id(&answer) < -ENOENT || mw_http_acked(&answer, 7) > 1)
		abort();
	free(text);
	return 0;
}
