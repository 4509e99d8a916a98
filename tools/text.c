#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../core/redact.h"

#define REPLACEMENT 0xfffdu
#define PIECE 4096 /* bytes of one piece that are looked at */

/* How many bytes the sequence that starts with `first` has, and the least code point that needs
 * them: what is less is an overlong form. */
static size_t sequence(uint8_t first, uint32_t *least, uint32_t *bits)
{
	if (first >= 0xc2 && first < 0xe0) {
		*least = 0x80;
		*bits = first & 0x1f;
		return 2;
	}
	if (first >= 0xe0 && first < 0xf0) {
		*least = 0x800;
		*bits = first & 0x0f;
		return 3;
	}
	if (first >= 0xf0 && first < 0xf5) {
		*least = 0x10000;
		*bits = first & 0x07;
		return 4;
	}
	return 0;
}

size_t mw_utf8_next(const char *s, size_t len, uint32_t *ret)
{
	const uint8_t *p = (const uint8_t *)s;
	uint32_t least, bits;
	size_t n;

	*ret = *p;
	if (*p < 0x80)
		return 1;
	*ret = REPLACEMENT;
	n = sequence(*p, &least, &bits);
	if (!n || n > len)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		bits = bits << 6 | (p[i] & 0x3f);
	}
	if (bits < least || bits > 0x10ffff || (bits >= 0xd800 && bits < 0xe000))
		return 1;
	*ret = bits;
	return n;
}

size_t mw_utf8_clean(const char *s, size_t len, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		uint32_t code;
		size_t n = mw_utf8_next(s + i, len - i, &code);
		bool valid = n > 1 || (uint8_t)s[i] < 0x80;

		if (used + (valid ? n : 3) >= size)
			break;
		memcpy(out + used, valid ? s + i : "\xef\xbf\xbd", valid ? n : 3);
		used += valid ? n : 3;
		i += n;
	}
	out[used] = '\0';
	return used;
}

size_t mw_utf8_mark(const char *s, size_t len)
{
	return len >= 3 && !memcmp(s, "\xef\xbb\xbf", 3) ? 3 : 0;
}

void mw_text_start(struct mw_text *t, char *out, size_t size)
{
	*t = (struct mw_text){out, size, 0};
	out[0] = '\0';
}

void mw_text_add(struct mw_text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->out + t->len, t->size - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n < t->size - t->len ? (size_t)n : t->size - t->len - 1;
}

bool mw_text_is_shown(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == REPLACEMENT)
		return false;
	return !(code >= 0x200b && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
	       !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff && code != 0x061c &&
	       !(code >= 0xe0000 && code <= 0xe0fff);
}

/* One character as it is shown, in `out`. Returns its bytes. */
static size_t show(const char *s, size_t n, uint32_t code, char out[static 12])
{
	if (mw_text_is_shown(code)) {
		memcpy(out, s, n);
		return n;
	}
	if (code == '\n' || code == '\t' || code == '\r')
		return (size_t)snprintf(out, 12, "\\%c",
		                        code == '\n'   ? 'n'
		                        : code == '\t' ? 't'
		                                       : 'r');
	if (n == 1)
		return (size_t)snprintf(out, 12, "\\x%02x", (unsigned)(uint8_t)*s);
	return (size_t)snprintf(out, 12, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
}

static size_t shown_len(const char *s, size_t len)
{
	size_t total = 0;
	char piece[12];
	uint32_t code;

	for (size_t i = 0, n; i < len; i += n) {
		n = mw_utf8_next(s + i, len - i, &code);
		total += show(s + i, n, code, piece);
	}
	return total;
}

/* Appends what lies within the first `head` or the last `tail` bytes as shown, with "..." between.
 */
static void put(struct mw_text *t, const char *text, size_t text_len, size_t head, size_t tail)
{
	char s[MW_REDACT_ROOM(PIECE)];
	size_t len = mw_redact(text, text_len < PIECE ? text_len : PIECE, s, sizeof(s), NULL);
	size_t total = shown_len(s, len), at = 0;
	bool dots = false;
	char piece[12];
	uint32_t code;

	for (size_t i = 0, n; i < len; i += n) {
		size_t wide;

		n = mw_utf8_next(s + i, len - i, &code);
		wide = show(s + i, n, code, piece);
		if (total <= head + tail || at + wide <= head || at >= total - tail) {
			if (wide >= t->size - t->len)
				break;
			memcpy(t->out + t->len, piece, wide);
			t->len += wide;
			t->out[t->len] = '\0';
		} else if (!dots) {
			mw_text_add(t, "...");
			dots = true;
		}
		at += wide;
	}
}

void mw_text_shown(struct mw_text *t, const char *s, size_t len, size_t max)
{
	put(t, s, len, max - max / 4, max / 4);
}

void mw_text_tail(struct mw_text *t, const char *s, size_t len, size_t max)
{
	put(t, s, len, 0, max);
}
