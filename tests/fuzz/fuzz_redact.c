/* Any bytes, redacted as text and as a command line: the result fits, replaces and never invents,
 * does not change when it is redacted again, and takes time linear in the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../core/redact.h"
#include "../../tools/text.h"

#define TEXT_MAX 4096
#define LONG_TEXT (16 << 10)
#define LONG_SECONDS 1.0 /* of the processor; linear takes some ms, quadratic more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char first[MW_REDACT_ROOM(TEXT_MAX)], second[MW_REDACT_ROOM(sizeof(first))];

static bool is_utf8(const char *s, size_t len)
{
	uint32_t code;

	for (size_t i = 0, n; i < len; i += n) {
		n = mw_utf8_next(s + i, len - i, &code);
		if (n == 1 && (uint8_t)s[i] >= 0x80)
			return false;
	}
	return true;
}

/* Every byte of the result is of the text, in its order, or of a replacement. */
static bool is_made_of(const char *result, size_t len, const char *text, size_t size)
{
	static const char start[] = "<redacted:";
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		const char *end = NULL, *here;

		if (len - i > sizeof(start) && !memcmp(result + i, start, sizeof(start) - 1))
			end = memchr(result + i, '>', len - i < 40 ? len - i : 40);
		if (end) {
			i = (size_t)(end - result);
			continue;
		}
		here = memchr(text + at, result[i], size - at);
		if (!here)
			return false;
		at = (size_t)(here - text) + 1;
	}
	return true;
}

static void as_text(const char *text, size_t size)
{
	bool cut = true;
	size_t n = mw_redact(text, size, first, MW_REDACT_ROOM(size), &cut), m;

	if (cut || n >= MW_REDACT_ROOM(size) || first[n])
		abort();
	if (!is_made_of(first, n, text, size) || (is_utf8(text, size) && !is_utf8(first, n)))
		abort();
	m = mw_redact(first, n, second, sizeof(second), &cut);
	if (cut || m != n || memcmp(first, second, n) != 0)
		abort();
}

/* In any room the result is the start of the whole one. */
static void in_room(const char *text, size_t size, size_t room)
{
	bool cut, is_short;
	size_t n = mw_redact(text, size, first, MW_REDACT_ROOM(size), NULL);
	char *small = malloc(room);
	size_t m;

	if (!small)
		return;
	m = mw_redact(text, size, small, room, &cut);
	is_short = m < n;
	if (m >= room || small[m] || cut != is_short || memcmp(small, first, m) != 0)
		abort();
	if (is_utf8(text, size) && !is_utf8(small, m))
		abort();
	free(small);
}

/* NULs end the arguments. */
static void as_arguments(const char *text, size_t size)
{
	struct mw_redact_argv argv = {0}, again = {0};

	for (size_t i = 0, len; i < size; i += len + 1) {
		size_t n, m;

		len = strnlen(text + i, size - i);
		n = mw_redact_arg(&argv, text + i, len, first, sizeof(first), NULL);
		m = mw_redact_arg(&again, first, n, second, sizeof(second), NULL);
		if (n >= sizeof(first) || first[n] || m != n || memcmp(first, second, n) != 0)
			abort();
		if (argv.program != again.program || argv.owed != again.owed)
			abort();
	}
}

static void at_length(const char *text, size_t size)
{
	size_t room = MW_REDACT_ROOM(LONG_TEXT);
	char *data = malloc(LONG_TEXT), *out = malloc(room);
	clock_t start;

	for (size_t i = 0; data && i < LONG_TEXT; i++)
		data[i] = text[i % size];
	start = clock();
	if (data && out)
		mw_redact(data, LONG_TEXT, out, room, NULL);
	if ((double)(clock() - start) / CLOCKS_PER_SEC > LONG_SECONDS)
		abort();
	free(data);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 2 || size > TEXT_MAX)
		return 0;
	/* Of its own, so that reading past it is seen. */
	text = malloc(size - 1);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	as_text(text, size - 1);
	in_room(text, size - 1, (size_t)data[0] + 1);
	as_arguments(text, size - 1);
	if (data[0] == 0xa5)
		at_length(text, size - 1);
	free(text);
	return 0;
}
