#include "http_secrets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <jansson.h>

#include "sink_config.h"

#define SUSPECT_MIN 8 /* bytes; what is shorter is no secret, and many words have it */

/* Takes the text. The longest come first: where one is a part of another, nothing of that is left.
 */
static int keep(struct mw_http_secrets *secrets, char *text)
{
	char **texts = text ? realloc(secrets->texts, (secrets->count + 1) * sizeof(*texts)) : NULL;
	size_t at = secrets->count;

	if (!texts) {
		mw_secret_free(text);
		return -ENOMEM;
	}
	secrets->texts = texts;
	for (; at && strlen(texts[at - 1]) < strlen(text); at--)
		texts[at] = texts[at - 1];
	texts[at] = text;
	secrets->count++;
	return 0;
}

/* Without the quotes around it. */
static int keep_as_json(struct mw_http_secrets *secrets, const char *text)
{
	json_t *value = json_string_nocheck(text);
	char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
	size_t len = quoted ? strlen(quoted) : 0;
	int error = 0;

	json_decref(value);
	if (len > 2 && strncmp(quoted + 1, text, len - 2) != 0)
		error = keep(secrets, strndup(quoted + 1, len - 2));
	mw_secret_free(quoted);
	return error;
}

int mw_http_secrets_add(struct mw_http_secrets *secrets, const char *text)
{
	int error;

	if (!text || !*text)
		return 0;
	error = keep(secrets, strdup(text));
	return error ? error : keep_as_json(secrets, text);
}

int mw_http_secrets_suspect(struct mw_http_secrets *secrets, const char *text)
{
	return strlen(text) < SUSPECT_MIN ? 0 : mw_http_secrets_add(secrets, text);
}

/* As receivers read it; in a query a plus is a space. */
static int suspect_decoded(struct mw_http_secrets *secrets, char *text)
{
	char *decoded;
	int error;

	for (char *plus = strchr(text, '+'); plus; plus = strchr(plus, '+'))
		*plus = ' ';
	decoded = curl_easy_unescape(NULL, text, 0, NULL);
	error = decoded ? mw_http_secrets_suspect(secrets, decoded) : -ENOMEM;
	curl_free(decoded);
	return error;
}

static int suspect_piece(struct mw_http_secrets *secrets, const char *piece, size_t len)
{
	char *text = strndup(piece, len);
	int error = text ? mw_http_secrets_suspect(secrets, text) : -ENOMEM;

	if (!error)
		error = suspect_decoded(secrets, text);
	mw_secret_free(text);
	return error;
}

static int suspect_pieces(struct mw_http_secrets *secrets, const char *text, const char *between)
{
	int error = 0;

	while (*text && !error) {
		size_t len = strcspn(text, between);

		error = suspect_piece(secrets, text, len);
		text += len + (text[len] != '\0');
	}
	return error;
}

static int add_part(struct mw_http_secrets *secrets, CURLU *u, CURLUPart part, const char *between)
{
	char *text = NULL;
	int error;

	if (curl_url_get(u, part, &text, 0) != CURLUE_OK)
		return 0;
	error = mw_http_secrets_suspect(secrets, text);
	if (!error)
		error = suspect_pieces(secrets, text, between);
	curl_free(text);
	return error;
}

int mw_http_secrets_add_url(struct mw_http_secrets *secrets, const char *url)
{
	CURLU *u = curl_url();
	int error = u ? 0 : -ENOMEM;

	if (!error && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		error = add_part(secrets, u, CURLUPART_PATH, "/");
		if (!error)
			error = add_part(secrets, u, CURLUPART_QUERY, "&=;");
	}
	curl_url_cleanup(u);
	return error;
}

/* Reads "\/" and "\u00e9". Returns the bytes of the escape, or 0 where it has to stay. */
static size_t read_escape(const char *s, size_t len, uint32_t *ret)
{
	char digits[5] = "", *end;

	*ret = '/';
	if (len >= 2 && s[1] == '/')
		return 2;
	if (len < 6 || s[1] != 'u')
		return 0;
	memcpy(digits, s + 2, 4);
	*ret = (uint32_t)strtoul(digits, &end, 16);
	if (*end || strspn(digits, "0123456789abcdefABCDEF") != 4 || *ret < ' ' || *ret == '"' ||
	    *ret == '\\' || *ret == 0x7f || (*ret >= 0xd800 && *ret < 0xe000))
		return 0;
	return 6;
}

static size_t put_utf8(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	out[0] = (char)(0xe0 | code >> 12);
	out[1] = (char)(0x80 | (code >> 6 & 0x3f));
	out[2] = (char)(0x80 | (code & 0x3f));
	return 3;
}

static size_t plain_escapes(char *text, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		uint32_t code;
		size_t n = text[i] == '\\' ? read_escape(text + i, len - i, &code) : 0;

		if (n) {
			used += put_utf8(text + used, code);
			i += n;
			continue;
		}
		if (text[i] == '\\' && i + 1 < len)
			text[used++] = text[i++];
		text[used++] = text[i++];
	}
	return used;
}

static void hide(char *text, size_t len, const char *secret)
{
	size_t size = strlen(secret);
	char *at = memmem(text, len, secret, size);

	for (; at; at = memmem(at, len - (size_t)(at - text), secret, size))
		memset(at, '*', size);
}

size_t mw_http_secrets_hide(const struct mw_http_secrets *secrets, char *text, size_t len)
{
	len = plain_escapes(text, len);
	for (size_t i = 0; i < secrets->count; i++)
		hide(text, len, secrets->texts[i]);
	return len;
}

void mw_http_secrets_free(struct mw_http_secrets *secrets)
{
	for (size_t i = 0; i < secrets->count; i++)
		mw_secret_free(secrets->texts[i]);
	free(secrets->texts);
	*secrets = (struct mw_http_secrets){.count = 0};
}
