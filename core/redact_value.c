/* Where a value ends, and whether it can be a secret. */
#include <string.h>
#include <strings.h>

#include "redact_scan.h"

#define LOOK 256 /* how much of a long value is looked at */

struct value {
	size_t from, to;
	bool quoted;
};

/* The closing quote of [from, ...) that was opened by `quote` behind `slashes` backslashes. */
static size_t closing(const struct mw_scan *s, size_t from, char quote, size_t slashes)
{
	size_t before = 0;

	for (size_t i = from; i < s->len; i++) {
		if (s->text[i] == '\\') {
			before++;
			continue;
		}
		if (s->text[i] == quote && (slashes ? before <= slashes : before % 2 == 0))
			return slashes ? i - before : i;
		before = 0;
	}
	return s->len;
}

/* A string as JSON, Python or a shell writes it, perhaps inside another. */
static bool quoted(const struct mw_scan *s, size_t i, struct value *ret)
{
	size_t at = i, slashes = 0;

	while (at < i + 2 && at < s->len && mw_among(s->text[at], "bfruBFRU"))
		at++;
	while (slashes < 3 && mw_text_has(s, at, "\\")) {
		slashes++;
		at++;
	}
	if (!mw_is(s, at, MW_QUOTE))
		return false;
	ret->from = at + 1;
	if (!slashes && at + 2 < s->len && s->text[at + 1] == s->text[at] &&
	    s->text[at + 2] == s->text[at])
		ret->from = at + 3;
	ret->to = closing(s, ret->from, s->text[at], slashes);
	ret->quoted = true;
	return true;
}

static bool ends_bare(const struct mw_scan *s, size_t i, enum mw_extent extent)
{
	if (mw_is(s, i, MW_SPACE | MW_QUOTE))
		return true;
	if (s->text[i] == '\\' && i + 1 < s->len && mw_among(s->text[i + 1], "nrt\"'\\"))
		return true;
	return extent == MW_TO_COMMA && mw_among(s->text[i], ",;&");
}

/* Closing brackets at the end belong to what is around the value. */
static size_t without_brackets(const struct mw_scan *s, size_t from, size_t to)
{
	while (to > from && mw_among(s->text[to - 1], ")]};"))
		to--;
	return to;
}

static void bare(struct mw_scan *s, size_t i, enum mw_extent extent, struct value *ret)
{
	size_t to = i;

	/* Names may follow each other within one such value: its end is looked for once. */
	if (extent == MW_TO_COMMA && i < s->bare_to) {
		to = s->bare_to;
	} else {
		while (to < s->len && !ends_bare(s, to, extent))
			to++;
		to = without_brackets(s, i, to);
		if (extent == MW_TO_COMMA)
			s->bare_to = to;
	}
	*ret = (struct value){i, to, false};
}

/* A header ends with its line, or with the string it stands in. */
static void line(const struct mw_scan *s, size_t i, struct value *ret)
{
	size_t to = i;

	while (to < s->len && s->text[to] != '\n' && s->text[to] != '\r' &&
	       !mw_is(s, to, MW_QUOTE) && !mw_text_has(s, to, "\\n") &&
	       !mw_text_has(s, to, "\\r") && !mw_text_has(s, to, "\\'") &&
	       !mw_text_has(s, to, "\\\""))
		to++;
	*ret = (struct value){i, to, false};
}

static void extend(struct mw_scan *s, size_t i, enum mw_extent extent, struct value *ret)
{
	if (extent == MW_TO_END)
		*ret = (struct value){i, s->len, true};
	else if (quoted(s, i, ret))
		return;
	else if (extent == MW_TO_LINE)
		line(s, i, ret);
	else
		bare(s, i, extent, ret);
}

/* Code that gets the value from elsewhere. */
static bool is_fetched(const struct mw_scan *s, size_t i)
{
	for (size_t k = 0; mw_no_value_from[k]; k++) {
		size_t n = strlen(mw_no_value_from[k]);

		if (n <= s->len - i && !strncasecmp(s->text + i, mw_no_value_from[k], n))
			return true;
	}
	return false;
}

static bool is_word(const struct mw_scan *s, const struct value *v)
{
	for (size_t k = 0; mw_no_values[k]; k++)
		if (strlen(mw_no_values[k]) == v->to - v->from &&
		    !strncasecmp(s->text + v->from, mw_no_values[k], v->to - v->from))
			return true;
	return false;
}

/* $NAME, ${NAME}, {name}: of a shell's variables only those in capitals, passwords have dollars. */
static bool is_variable(const struct mw_scan *s, const struct value *v)
{
	bool dollar = mw_text_has(s, v->from, "$");
	bool brace = mw_text_has(s, v->from + dollar, "{");
	size_t i = v->from + dollar + brace;
	unsigned kinds = MW_UPPER | MW_DIGIT | (brace ? MW_LOWER : 0);

	if (!dollar && !brace)
		return false;
	while (i < v->to && (mw_is(s, i, kinds) || s->text[i] == '_'))
		i++;
	return brace ? i + 1 >= v->to && mw_text_has(s, i, "}") : i == v->to;
}

/* ****, xxxx, ... */
static bool is_blank(const struct mw_scan *s, const struct value *v)
{
	char c = s->text[v->from];

	if (!mw_among(c, "*xX.-#") || (c != '*' && v->to - v->from < 3))
		return false;
	for (size_t i = v->from; i < v->to; i++)
		if (s->text[i] != c)
			return false;
	return true;
}

static bool is_none(const struct mw_scan *s, const struct value *v)
{
	return v->from >= v->to || is_word(s, v) || is_variable(s, v) || is_blank(s, v);
}

/* "$(cat file)" is a command, and worth seeing. */
static bool is_command(const struct mw_scan *s, const struct value *v)
{
	return v->quoted && (memmem(s->text + v->from, v->to - v->from, "$(", 2) ||
	                     memchr(s->text + v->from, '`', v->to - v->from));
}

/* make_key(x) is code: keys have no brackets. */
static bool is_call(const struct mw_scan *s, const struct value *v)
{
	size_t len = v->to - v->from < LOOK ? v->to - v->from : LOOK;

	return !v->quoted && mw_is(s, v->from, MW_LETTER) && memchr(s->text + v->from, '(', len);
}

/* The kinds of character in the part, if they change often: not in words nor in camel
 * case. Otherwise 0. */
static unsigned changing_kinds(const struct mw_scan *s, struct mw_secret part)
{
	size_t len = part.to - part.from < LOOK ? part.to - part.from : LOOK, changes = 0;
	unsigned seen = 0, last = 0;

	for (size_t i = part.from; i < part.from + len; i++) {
		unsigned kind = mw_char[(uint8_t)s->text[i]] & MW_ALNUM;

		changes += kind && last && kind != last;
		seen |= kind;
		last = kind;
	}
	return changes * 10 >= len * 3 ? seen : 0;
}

bool mw_is_random(const struct mw_scan *s, struct mw_secret part, bool mixed)
{
	unsigned seen = changing_kinds(s, part);

	if (part.to - part.from < 16)
		return false;
	return mixed ? seen == MW_ALNUM : seen & MW_DIGIT && seen & MW_LETTER;
}

/* .json, .pem, .txt */
static bool has_extension(const struct mw_scan *s, const struct value *v)
{
	size_t i = v->to;

	while (i > v->from && v->to - i < 5 && mw_is(s, i - 1, MW_LOWER))
		i--;
	return v->to - i >= 2 && i > v->from + 1 && s->text[i - 1] == '.';
}

/* What only ends like a file's name can be a directory that is named by a secret: there digits of
 * any kind betray it. */
static bool is_path(const struct mw_scan *s, const struct value *v)
{
	size_t end = v->to - v->from < LOOK ? v->to : v->from + LOOK;
	bool begins = mw_among(s->text[v->from], "/~") || mw_text_has(s, v->from, "./") ||
	              mw_text_has(s, v->from, "../");

	if (!begins && !has_extension(s, v))
		return false;
	for (size_t i = v->from, from = i; i <= end; i++) {
		if (i < end && s->text[i] != '/')
			continue;
		if (mw_is_random(s, (struct mw_secret){from, i, NULL}, begins))
			return false; /* base64 that happens to start with a slash */
		from = i + 1;
	}
	return true;
}

static bool is_small_number(const struct mw_scan *s, const struct value *v)
{
	size_t i = v->from;

	while (i < v->to && mw_is(s, i, MW_DIGIT))
		i++;
	return i == v->to && v->to - v->from < 6;
}

/* Letters and digits, or long; but no code and no identifier. */
static bool is_mixed(const struct mw_scan *s, const struct value *v)
{
	size_t len = v->to - v->from, end = len < LOOK ? v->to : v->from + LOOK;
	struct mw_secret part = {v->from, v->to, NULL};
	unsigned seen = 0;
	bool parts = false;

	for (size_t i = v->from; i < end; i++) {
		if (mw_is(s, i, MW_SPACE | MW_QUOTE) || mw_among(s->text[i], "()<>[]{}"))
			return false;
		seen |= mw_char[(uint8_t)s->text[i]];
		parts = parts || s->text[i] == '.' || s->text[i] == '_';
	}
	if (parts)
		return mw_is_random(s, part, false);
	if (seen & MW_DIGIT && seen & MW_LETTER && len >= 6)
		return true;
	return seen & MW_LETTER && (len >= 20 || (len >= 12 && changing_kinds(s, part)));
}

static bool is_hex40(const struct mw_scan *s, const struct value *v)
{
	return v->to - v->from == 40 && mw_body_end(s, v->from, MW_BODY_HEX) >= v->to;
}

/* Past the colon in user:password; the end if there is none. */
static size_t after_user(const struct mw_scan *s, const struct value *v)
{
	for (size_t i = v->from; i < v->to; i++)
		if (s->text[i] == ':')
			return i + 1;
	return v->to;
}

static bool fits(const struct mw_scan *s, struct value *v, unsigned value)
{
	switch ((enum mw_secret_value)value) {
	case MW_VALUE_ANY:
	case MW_VALUE_REST:
		return !is_command(s, v);
	case MW_VALUE_PLAIN:
		return !is_command(s, v) && !is_call(s, v) && !is_path(s, v) &&
		       !is_small_number(s, v);
	case MW_VALUE_TOKEN:
	case MW_VALUE_MIXED:
		return !is_path(s, v) && is_mixed(s, v);
	case MW_VALUE_RANDOM:
		return v->to - v->from >= 20 && is_mixed(s, v) &&
		       mw_is_random(s, (struct mw_secret){v->from, v->to, NULL}, true);
	case MW_VALUE_USER:
		v->from = after_user(s, v);
		return !is_none(s, v);
	case MW_VALUE_HEX40:
		return is_hex40(s, v);
	}
	return false;
}

bool mw_find_value(struct mw_scan *s, size_t i, enum mw_extent extent, unsigned value,
                   struct mw_secret *ret)
{
	struct value v;

	if (i >= s->len || is_fetched(s, i))
		return false;
	extend(s, i, extent, &v);
	if (mw_next_marker(s, v.from) < v.to || is_none(s, &v) || !fits(s, &v, value))
		return false;
	ret->from = v.from;
	ret->to = v.to;
	return true;
}
