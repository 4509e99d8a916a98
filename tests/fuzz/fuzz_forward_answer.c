/* Any bytes as what a receiver of the Forward protocol says: an answer is within the bytes that it
 * is said to have, its texts too, and it is the same when no more bytes are there. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../courier/forward_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct mw_forward_text text, const char *data, size_t len)
{
	if (text.len && (text.s < data || text.len > len || text.s > data + len - text.len))
		abort();
}

static void check(const struct mw_forward_answer *answer, const char *data, size_t len)
{
	within(answer->nonce, data, len);
	within(answer->auth, data, len);
	within(answer->reason, data, len);
	within(answer->hostname, data, len);
	within(answer->digest, data, len);
	within(answer->chunk, data, len);
}

/* What is done with one. */
static void use(const struct mw_forward_answer *answer)
{
	const struct mw_forward_self self = {.hostname = "me", .key = "k", .salt = "s"};
	struct mw_buffer ping = {0};

	if (answer->kind == MW_FORWARD_HELO && mw_forward_ping(&ping, &self, answer))
		abort();
	if (answer->kind == MW_FORWARD_PONG && mw_forward_proves(&self, "n", 1, answer))
		abort();
	free(ping.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	struct mw_forward_answer answer, again;
	ssize_t len;

	if (!text)
		return 0;
	memcpy(text, data, size);
	len = mw_forward_answer(text, size, &answer);
	if (len > (ssize_t)size || len > MW_FORWARD_ANSWER || (len < 0 && len != -EBADMSG) ||
	    (!len && size >= MW_FORWARD_ANSWER))
		abort();
	if (len > 0) {
		check(&answer, text, (size_t)len);
		use(&answer);
		if (mw_forward_answer(text, (size_t)len, &again) != len ||
		    mw_forward_answer(text, (size_t)len - 1, &again) != 0)
			abort();
	}
	free(text);
	return 0;
}
