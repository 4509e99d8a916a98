#include "writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/text.h"

#define FIRST 16384
#define REPLACEMENT "\xef\xbf\xbd"

void mw_writer_start(struct mw_writer *w, size_t max)
{
	*w = (struct mw_writer){.max = max};
}

static bool grow(struct mw_writer *w, size_t len)
{
	size_t cap = w->cap ? w->cap : FIRST;
	char *data;

	while (cap <= w->len + len)
		cap *= 2;
	data = realloc(w->data, cap);
	if (!data) {
		w->error = -ENOMEM;
		return false;
	}
	w->data = data;
	w->cap = cap;
	return true;
}

/* Room for `len` bytes more, where there is a buffer even for none; false when there is none. */
static inline bool reserve(struct mw_writer *w, size_t len)
{
	w->total += len;
	if (w->error)
		return false;
	if (len > w->max || w->len > w->max - len) {
		w->error = -EFBIG;
		return false;
	}
	return len < w->cap - w->len || grow(w, len);
}

void mw_write_raw(struct mw_writer *w, const char *s, size_t len)
{
	if (!reserve(w, len))
		return;
	memcpy(w->data + w->len, s, len);
	w->len += len;
}

/* The comma and the key before a value. */
static void begin(struct mw_writer *w, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	bool comma = w->needs_comma;
	char *at;

	w->needs_comma = true;
	if (!reserve(w, comma + (key ? len + 3 : 0)))
		return;
	at = w->data + w->len;
	if (comma)
		*at++ = ',';
	if (key) {
		*at++ = '"';
		at = mempcpy(at, key, len);
		*at++ = '"';
		*at++ = ':';
	}
	w->len = (size_t)(at - w->data);
}

void mw_write_open(struct mw_writer *w, const char *key, char bracket)
{
	begin(w, key);
	mw_write_raw(w, &bracket, 1);
	w->needs_comma = false;
}

void mw_write_close(struct mw_writer *w, char bracket)
{
	mw_write_raw(w, &bracket, 1);
	w->needs_comma = true;
}

static void write_digits(struct mw_writer *w, int64_t value)
{
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char digits[24], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*--at = '-';
	mw_write_raw(w, at, (size_t)(digits + sizeof(digits) - at));
}

void mw_write_number(struct mw_writer *w, const char *key, int64_t value)
{
	begin(w, key);
	write_digits(w, value);
}

void mw_write_number_text(struct mw_writer *w, const char *key, int64_t value)
{
	begin(w, key);
	mw_write_raw(w, "\"", 1);
	write_digits(w, value);
	mw_write_raw(w, "\"", 1);
}

void mw_write_bool(struct mw_writer *w, const char *key, bool value)
{
	begin(w, key);
	mw_write_raw(w, value ? "true" : "false", value ? 4 : 5);
}

void mw_write_word(struct mw_writer *w, const char *key, const char *ours)
{
	begin(w, key);
	mw_write_raw(w, "\"", 1);
	mw_write_raw(w, ours, strlen(ours));
	mw_write_raw(w, "\"", 1);
}

/* Whether a byte stands for itself in JSON. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Whether one of eight bytes may not be plain; it looks for those below 0x20, from 0x7f on, and for
 * the two. */
static bool is_any_special(uint64_t bytes)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	uint64_t quotes = bytes ^ ones * '"', slashes = bytes ^ ones * '\\';

	return ((bytes | (bytes + ones) | ((bytes - ones * 0x20) & ~bytes) |
	         ((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes)) &
	        highs) != 0;
}

static size_t plain_run(const char *s, size_t len)
{
	size_t n = 0;
	uint64_t bytes;

	for (; len - n >= sizeof(bytes); n += sizeof(bytes)) {
		memcpy(&bytes, s + n, sizeof(bytes));
		if (is_any_special(bytes))
			break;
	}
	while (n < len && is_plain((unsigned char)s[n]))
		n++;
	return n;
}

/* Appends a piece of a text, if it still fits; else no more of the text does. */
static bool append(struct mw_writer *w, const char *s, size_t len)
{
	if (len > w->shown_left) {
		w->shown_left = 0;
		return false;
	}
	w->shown_left -= len;
	mw_write_raw(w, s, len);
	return true;
}

/* \uXXXX, or with a `slash` of two, its text. Returns its bytes. */
static size_t escape_number(uint32_t code, const char *slash, char *out)
{
	static const char digits[] = "0123456789abcdef";
	char *at = stpcpy(out, slash);

	*at++ = 'u';
	for (int shift = code > 0xfffff ? 20 : code > 0xffff ? 16 : 12; shift >= 0; shift -= 4)
		*at++ = digits[code >> shift & 15];
	return (size_t)(at - out);
}

static size_t escape_pair(char a, char b, char *out)
{
	out[0] = a;
	out[1] = b;
	return 2;
}

static size_t copy(const char *s, size_t n, char *out)
{
	memcpy(out, s, n);
	return n;
}

/* How one character that is not plain is written; in `out`. Returns its bytes. */
static size_t escape(const char *s, size_t n, uint32_t code, char out[static 16])
{
	if (code == '"' || code == '\\')
		return escape_pair('\\', (char)code, out);
	if (code == '\n' || code == '\t' || code == '\r')
		return escape_pair('\\', code == '\n' ? 'n' : code == '\t' ? 't' : 'r', out);
	/* A NUL ends the text of many readers, and with it what stands behind. */
	if (!code || code == 0xfffd)
		return copy(REPLACEMENT, 3, out);
	if (mw_text_is_shown(code))
		return copy(s, n, out);
	if (code > 0xffff) {
		size_t len = escape_number(0xd800 + ((code - 0x10000) >> 10), "\\", out);

		return len + escape_number(0xdc00 + ((code - 0x10000) & 0x3ff), "\\", out + len);
	}
	return escape_number(code, "\\", out);
}

/* One more character or run of plain ones. Returns the bytes of `s` it takes, 0 when it does not
 * fit. */
static size_t step(struct mw_writer *w, const char *s, size_t len)
{
	size_t n = plain_run(s, len);
	char piece[16];
	uint32_t code;

	if (n) {
		n = n < w->shown_left ? n : w->shown_left;
		append(w, s, n);
		return n;
	}
	n = mw_utf8_next(s, len, &code);
	return append(w, piece, escape(s, n, code, piece)) ? n : 0;
}

void mw_write_text_open(struct mw_writer *w, const char *key)
{
	begin(w, key);
	mw_write_raw(w, "\"", 1);
	w->text_left = w->text_max;
	w->shown_left = w->shown_max;
}

/* The end of what is left of a text, between two characters. */
static size_t cut(const char *s, size_t len, size_t max)
{
	if (len <= max)
		return len;
	for (len = max; len && max - len < 3 && ((unsigned char)s[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

void mw_write_text_piece(struct mw_writer *w, const char *s, size_t len)
{
	size_t end = cut(s, len, w->text_left), n = 1;

	if (w->error && !w->counts)
		return;
	for (size_t i = 0; i < end && n; i += n)
		n = step(w, s + i, end - i);
	if (end == len && n) {
		w->text_left -= len;
		return;
	}
	if (w->text_left)
		mw_write_raw(w, "...", 3);
	w->text_left = w->shown_left = 0;
	w->has_cut = true;
}

void mw_write_text_close(struct mw_writer *w)
{
	mw_write_raw(w, "\"", 1);
}

void mw_write_text(struct mw_writer *w, const char *key, struct mw_str s)
{
	if (!s.s)
		return;
	mw_write_text_open(w, key);
	mw_write_text_piece(w, s.s, s.len);
	mw_write_text_close(w);
}

void mw_write_shown(struct mw_writer *w, const char *key, struct mw_str s)
{
	char piece[24];

	if (!s.s)
		return;
	mw_write_text_open(w, key);
	for (size_t i = 0, n; i < s.len; i += n) {
		uint32_t code;

		if (!w->text_left) {
			w->has_cut = true;
			break;
		}
		n = plain_run(s.s + i, s.len - i);
		if (!n) {
			n = mw_utf8_next(s.s + i, s.len - i, &code);
			if (code && code != 0xfffd && !mw_text_is_shown(code)) {
				mw_write_text_piece(w, piece, escape_number(code, "\\", piece));
				continue;
			}
		}
		mw_write_text_piece(w, s.s + i, n);
	}
	mw_write_text_close(w);
}

static void write_value(struct mw_writer *w, const json_t *value, int depth);

static void write_list(struct mw_writer *w, const json_t *list, int depth)
{
	size_t count = json_array_size(list);

	mw_write_raw(w, "[", 1);
	w->needs_comma = false;
	for (size_t i = 0; i < count && i < w->list_max; i++) {
		begin(w, NULL);
		write_value(w, json_array_get(list, i), depth + 1);
	}
	w->has_cut |= count > w->list_max;
	mw_write_close(w, ']');
}

static void write_key(struct mw_writer *w, const char *key)
{
	mw_write_text_open(w, NULL);
	mw_write_text_piece(w, key, strlen(key));
	mw_write_raw(w, "\":", 2);
}

static void write_object(struct mw_writer *w, const json_t *object, int depth)
{
	json_t *shared = (json_t *)(uintptr_t)object; /* jansson's iterators want it so */
	size_t left = w->list_max;
	void *at;

	mw_write_raw(w, "{", 1);
	w->needs_comma = false;
	for (at = json_object_iter(shared); at && left; left--) {
		write_key(w, json_object_iter_key(at));
		write_value(w, json_object_iter_value(at), depth + 1);
		at = json_object_iter_next(shared, at);
	}
	w->has_cut |= at != NULL;
	mw_write_close(w, '}');
}

static void write_real(struct mw_writer *w, const json_t *value)
{
	char text[64];
	size_t len = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY);

	mw_write_raw(w, text, len < sizeof(text) ? len : 0);
}

static void write_value(struct mw_writer *w, const json_t *value, int depth)
{
	switch (depth > w->depth_max ? JSON_NULL : json_typeof(value)) {
	case JSON_OBJECT:
		write_object(w, value, depth);
		break;
	case JSON_ARRAY:
		write_list(w, value, depth);
		break;
	case JSON_STRING:
		w->text_left = w->text_max;
		w->shown_left = w->shown_max;
		mw_write_raw(w, "\"", 1);
		mw_write_text_piece(w, json_string_value(value), json_string_length(value));
		mw_write_raw(w, "\"", 1);
		break;
	case JSON_INTEGER:
		w->needs_comma = false;
		mw_write_number(w, NULL, json_integer_value(value));
		break;
	case JSON_REAL:
		write_real(w, value);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		w->needs_comma = false;
		mw_write_bool(w, NULL, json_is_true(value));
		break;
	case JSON_NULL:
		w->has_cut |= depth > w->depth_max;
		mw_write_raw(w, "null", 4);
		break;
	}
}

void mw_write_json(struct mw_writer *w, const char *key, const json_t *value)
{
	if (!value)
		return;
	begin(w, key);
	write_value(w, value, 0);
	w->needs_comma = true;
}

void mw_write_member(struct mw_writer *w, const char *key, const json_t *value)
{
	write_key(w, key);
	write_value(w, value, 0);
	w->needs_comma = true;
}

void mw_write_raw_member(struct mw_writer *w, const char *key, const char *value)
{
	begin(w, key);
	mw_write_raw(w, value, strlen(value));
}

/* A backslash of our own is doubled, too: a reader takes the first for CEF's. */
static size_t cef_escape(const char *s, size_t n, uint32_t code, bool is_header,
                         char out[static 16])
{
	if (code == '\\' || code == (is_header ? '|' : '='))
		return escape_pair('\\', (char)code, out);
	if (!is_header && (code == '\n' || code == '\r'))
		return escape_pair('\\', code == '\n' ? 'n' : 'r', out);
	if (!code || code == 0xfffd)
		return copy(REPLACEMENT, 3, out);
	return mw_text_is_shown(code) ? copy(s, n, out) : escape_number(code, "\\\\", out);
}

void mw_write_cef(struct mw_writer *w, struct mw_str s, bool is_header)
{
	size_t end = cut(s.s, s.len, w->text_left), i = 0, n;
	char piece[16];
	uint32_t code;

	for (; i < end; i += n) {
		n = mw_utf8_next(s.s + i, end - i, &code);
		if (!append(w, piece, cef_escape(s.s + i, n, code, is_header, piece)))
			break;
	}
	w->text_left -= i;
	if (i == s.len)
		return;
	if (w->text_left || i)
		mw_write_raw(w, "...", 3);
	w->text_left = w->shown_left = 0;
	w->has_cut = true;
}
