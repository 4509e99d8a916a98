/* A report as one page: report.html with the style, the script and the model put in. The page may
 * fetch nothing and run nothing but that very script: its own policy names both by their hashes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "report.h"

extern const char mw_page_html[], mw_page_html_end[];
extern const char mw_page_css[], mw_page_css_end[];
extern const char mw_page_js[], mw_page_js_end[];

/* What stands for a hash in a policy: sha256-BASE64. */
static int put_hash(const char *data, size_t len, FILE *out)
{
	unsigned char digest[EVP_MAX_MD_SIZE], base64[4 * EVP_MAX_MD_SIZE / 3 + 8];
	unsigned int size;

	if (!EVP_Digest(data, len, digest, &size, EVP_sha256(), NULL))
		return -ENOMEM;
	EVP_EncodeBlock(base64, digest, (int)size);
	fprintf(out, "'sha256-%s'", (const char *)base64);
	return 0;
}

/* "<" stands only in strings, where it can be written so. Nothing in the model can then end the
 * element it stands in, and with JSON_ENSURE_ASCII nothing in it is anything but ASCII. */
static int put_escaped(const char *data, size_t len, void *context)
{
	FILE *out = context;

	for (size_t i = 0; i < len; i++)
		if (data[i] == '<')
			fputs("\\u003c", out);
		else
			fputc(data[i], out);
	return ferror(out) ? -1 : 0;
}

static int put_model(const json_t *model, FILE *out)
{
	return json_dump_callback(model, put_escaped, out, JSON_COMPACT | JSON_ENSURE_ASCII)
	               ? -ENOMEM
	               : 0;
}

static int put_style(const json_t *model, FILE *out)
{
	(void)model;
	fwrite(mw_page_css, 1, (size_t)(mw_page_css_end - mw_page_css), out);
	return 0;
}

static int put_script(const json_t *model, FILE *out)
{
	(void)model;
	fwrite(mw_page_js, 1, (size_t)(mw_page_js_end - mw_page_js), out);
	return 0;
}

static int put_style_hash(const json_t *model, FILE *out)
{
	(void)model;
	return put_hash(mw_page_css, (size_t)(mw_page_css_end - mw_page_css), out);
}

static int put_script_hash(const json_t *model, FILE *out)
{
	(void)model;
	return put_hash(mw_page_js, (size_t)(mw_page_js_end - mw_page_js), out);
}

/* What the template has between two @ stands for what is put in. */
static const struct {
	const char *name;
	int (*put)(const json_t *model, FILE *out);
} words[] = {
        {"STYLE_HASH", put_style_hash}, {"SCRIPT_HASH", put_script_hash},
        {"STYLE", put_style},           {"SCRIPT", put_script},
        {"MODEL", put_model},
};

static int put(const char *word, size_t len, const json_t *model, FILE *out)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == len && !memcmp(words[i].name, word, len))
			return words[i].put(model, out);
	return -EINVAL;
}

int mw_report_page(const json_t *model, FILE *out)
{
	const char *at = mw_page_html;
	int error = 0;

	while (!error && at < mw_page_html_end) {
		size_t text = strcspn(at, "@"), word;

		fwrite(at, 1, text, out);
		at += text;
		if (*at != '@')
			break;
		word = strcspn(++at, "@");
		error = put(at, word, model, out);
		at += word + 1;
	}
	return error ? error : ferror(out) ? -EIO : 0;
}
