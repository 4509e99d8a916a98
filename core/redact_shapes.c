/* Secrets that are known by their own form. */
#include <string.h>

#include "redact_scan.h"

#define LOOK 1024 /* how much of a long body is looked at for what it needs */

static bool in_body(char c, enum mw_secret_body body)
{
	uint8_t kind = mw_char[(uint8_t)c];

	switch (body) {
	case MW_BODY_HEX:
		return kind & MW_HEX;
	case MW_BODY_UPPER:
		return kind & (MW_UPPER | MW_DIGIT);
	case MW_BODY_ALNUM:
		return kind & MW_ALNUM;
	case MW_BODY_WORD:
		return kind & MW_ALNUM || c == '_' || c == '-';
	case MW_BODY_DOTTED:
		return kind & MW_NAME;
	case MW_BODY_BASE64:
		return kind & MW_ALNUM || c == '+' || c == '/' || c == '=';
	case MW_BODY_PATH:
		return kind & MW_NAME || c == '/';
	}
	return false;
}

size_t mw_body_end(const struct mw_scan *s, size_t i, enum mw_secret_body body)
{
	while (i < s->len && in_body(s->text[i], body))
		i++;
	return i;
}

static bool has(const struct mw_scan *s, size_t from, size_t to, unsigned kinds)
{
	for (size_t i = from; i < to; i++)
		if (mw_is(s, i, kinds))
			return true;
	return false;
}

/* Looks at [from, to) only: a body may be long, and there may be many. */
static bool has_need(const struct mw_scan *s, size_t from, size_t to, enum mw_secret_need need)
{
	switch (need) {
	case MW_NEED_NOTHING:
	case MW_NEED_EXACT:
		return true;
	case MW_NEED_DIGIT:
		return has(s, from, to, MW_DIGIT);
	case MW_NEED_DOT:
		return memchr(s->text + from, '.', to - from) != NULL;
	case MW_NEED_MIXED:
		return has(s, from, to, MW_LOWER) && has(s, from, to, MW_UPPER) &&
		       (has(s, from, to, MW_DIGIT) ||
		        memchr(s->text + from, '=', to - from) != NULL);
	}
	return false;
}

/* Whether the body at `from` is one of `row`; its end in `*ret`. */
static bool is_body(const struct mw_scan *s, size_t from, const struct mw_secret_prefix *row,
                    size_t *ret)
{
	size_t to = from;

	while (to < s->len && to - from < LOOK && in_body(s->text[to], row->body))
		to++;
	if (to - from < row->least || !has_need(s, from, to, row->need))
		return false;
	if (row->need == MW_NEED_EXACT && (to - from > row->least || mw_is(s, to, MW_ALNUM)))
		return false;
	*ret = mw_body_end(s, to, row->body);
	return true;
}

/* The first row whose prefix starts with `c` or a later byte. */
static size_t first_row(char c)
{
	size_t low = 0, high = mw_secret_prefix_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (mw_secret_prefixes[middle].prefix[0] < c)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool mw_find_prefixed(const struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	char c = s->text[i];
	size_t to;

	for (size_t r = first_row(c); r < mw_secret_prefix_count; r++) {
		const struct mw_secret_prefix *row = &mw_secret_prefixes[r];
		size_t from = i + strlen(row->prefix);

		if (row->prefix[0] != c)
			break;
		if (!mw_text_has(s, i, row->prefix) || !is_body(s, from, row, &to))
			continue;
		*ret = (struct mw_secret){row->keep ? from : i, to, row->kind};
		return true;
	}
	return false;
}

/* core.telegram.org/bots/api: the bot's number, a colon, 35 of base64url that start with AA. In
 * URLs "bot" stands before it. */
static bool telegram(const struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	size_t from = mw_text_has(s, i, "bot") ? i + 3 : i, colon = from, to;

	while (mw_is(s, colon, MW_DIGIT) && colon - from < 11)
		colon++;
	if (colon - from < 8 || !mw_text_has(s, colon, ":AA"))
		return false;
	to = mw_body_end(s, colon + 1, MW_BODY_WORD);
	if (to - colon < 26)
		return false;
	*ret = (struct mw_secret){from, to, "telegram-token"};
	return true;
}

/* discord.com/developers: the user's number in base64 (so M, N or O first), 6 or 7 of time, 27 or
 * more of HMAC. */
static bool discord(const struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	static const size_t least[] = {23, 6, 27}, most[] = {28, 7, 40};
	size_t at = i;

	if (!mw_among(s->text[i], "MNO"))
		return false;
	for (int part = 0; part < 3; part++) {
		size_t from = at;

		while (at - from <= most[part] && at < s->len && in_body(s->text[at], MW_BODY_WORD))
			at++;
		if (at - from < least[part] || at - from > most[part])
			return false;
		if (part < 2 && !mw_text_has(s, at++, "."))
			return false;
	}
	*ret = (struct mw_secret){i, at, "discord-token"};
	return true;
}

/* Entra ID client secrets: three characters, a digit, "Q~", 31 to 34 more (gitleaks). */
static bool azure(const struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	size_t at = i + 6;

	if (!mw_is(s, i + 3, MW_DIGIT) || !mw_text_has(s, i + 4, "Q~"))
		return false;
	while (mw_is(s, at, MW_NAME) || mw_text_has(s, at, "~"))
		at++;
	if (at - i < 30)
		return false;
	*ret = (struct mw_secret){i, at, "azure-key"};
	return true;
}

bool mw_find_shaped(const struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	return telegram(s, i, ret) || discord(s, i, ret) || azure(s, i, ret);
}

/* What a PEM block has between its borders, as lines or with \n for them. No more than that: a
 * block that does not end must not hide the command after it. */
static bool in_pem(char c)
{
	return in_body(c, MW_BODY_BASE64) || mw_among(c, "\n\r \t\\:,-");
}

/* The end of a label that starts at `i`, and of the dashes after it. */
static size_t pem_label(const struct mw_scan *s, size_t i)
{
	size_t at = i;

	while (at - i < 48 && (mw_is(s, at, MW_UPPER | MW_DIGIT) || mw_text_has(s, at, " ")))
		at++;
	return mw_text_has(s, at, "-----") ? at + 5 : at;
}

/* RFC 7468, and the older forms: "-----BEGIN OPENSSH PRIVATE KEY-----". */
bool mw_find_pem(const struct mw_scan *s, size_t i, struct mw_secret *ret)
{
	static const char begin[] = "-----BEGIN ", name[] = "PRIVATE KEY";
	size_t from = i + sizeof(begin) - 1, at;

	if (!mw_text_has(s, i, begin))
		return false;
	at = pem_label(s, from);
	if (!memmem(s->text + from, at - from, name, sizeof(name) - 1))
		return false;
	while (at < s->len && in_pem(s->text[at]) && !mw_text_has(s, at, "-----END "))
		at++;
	if (mw_text_has(s, at, "-----END "))
		at = pem_label(s, at + 9);
	*ret = (struct mw_secret){i, at, "private-key"};
	return true;
}

static bool ends_url(const struct mw_scan *s, size_t i)
{
	return i >= s->len || mw_is(s, i, MW_SPACE | MW_QUOTE) || s->text[i] == '\\' ||
	       mw_marker_at(s, i) || mw_text_has(s, i, "://");
}

/* The end of "user:password@host" in a URL that is as it should be: at the path. */
static size_t authority_end(const struct mw_scan *s, size_t from, size_t *ret_colon, size_t *ret_at)
{
	size_t i = from;

	*ret_colon = *ret_at = 0;
	for (; !ends_url(s, i) && !mw_among(s->text[i], "/?#"); i++) {
		if (s->text[i] == ':' && !*ret_colon)
			*ret_colon = i;
		if (s->text[i] == '@')
			*ret_at = i;
	}
	return i;
}

/* A password that has an unescaped slash: what stands after the colon is no port. */
static size_t late_at(const struct mw_scan *s, size_t colon, size_t end)
{
	size_t i = colon + 1;

	while (i < end && mw_is(s, i, MW_DIGIT))
		i++;
	if (i == end)
		return 0;
	for (i = end; !ends_url(s, i); i++)
		if (s->text[i] == '@')
			return i;
	return 0;
}

/* RFC 3986, 3.2.1. Without a colon the whole of it can be a token. */
void mw_find_in_url(struct mw_scan *s, size_t i)
{
	size_t from = i + 3, colon, at, end = authority_end(s, from, &colon, &at);

	if (i <= s->floor || !mw_is(s, i - 1, MW_ALNUM) || mw_text_has(s, from, "["))
		return;
	if (colon && !at)
		at = late_at(s, colon, end);
	if (!at)
		return;
	if (!colon || colon > at) {
		if (mw_is_random(s, (struct mw_secret){from, at, NULL}, false))
			mw_lies_ahead(s, from, at, "url-credentials");
		return;
	}
	if (colon + 1 < at && !mw_among(s->text[colon + 1], "${"))
		mw_lies_ahead(s, colon + 1, at, "url-password");
}
