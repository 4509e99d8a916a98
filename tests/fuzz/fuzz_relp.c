/* Any bytes as what a receiver of RELP says: a frame lies within them, is the same however the
 * bytes come in, and so is a refusal. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../courier/relp_frame.h"

#define BYTES_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(const char *part, size_t part_len, const char *bytes, size_t len)
{
	return part >= bytes && part_len <= len && part <= bytes + len - part_len;
}

static void check(const struct mw_relp_frame *frame, const char *bytes, size_t taken)
{
	int code = mw_relp_code(frame);

	if (frame->number > MW_RELP_NUMBER_MAX || frame->len > MW_RELP_ANSWER_MAX ||
	    !is_within(frame->command, frame->command_len, bytes, taken) ||
	    (frame->len && !is_within(frame->data, frame->len, bytes, taken)) ||
	    bytes[taken - 1] != '\n')
		abort();
	if (code > 999 || (code >= 0 && frame->len < 3))
		abort();
	if (mw_relp_offers(frame, "syslog") && frame->len < strlen("commands=syslog"))
		abort();
}

/* A beginning says no more than the whole: nothing yet, or the same. */
static void check_beginnings(const char *bytes, size_t len, int whole)
{
	for (size_t i = 0; i < len && i < 64; i++) {
		char *piece = malloc(i + 1);
		struct mw_relp_frame frame = {0};
		int result;

		if (!piece)
			return;
		memcpy(piece, bytes, i);
		result = mw_relp_parse(piece, i, &frame);
		if (result && result != whole)
			abort();
		free(piece);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes;
	int taken = 1;

	if (size > BYTES_MAX)
		return 0;
	/* Of its own, so that reading past it is seen. */
	bytes = malloc(size ? size : 1);
	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	for (size_t at = 0; at < size && taken > 0; at += (size_t)taken) {
		struct mw_relp_frame frame = {0};

		taken = mw_relp_parse(bytes + at, size - at, &frame);
		if (taken > 0)
			check(&frame, bytes + at, (size_t)taken);
		check_beginnings(bytes + at, size - at, taken);
	}
	free(bytes);
	return 0;
}
