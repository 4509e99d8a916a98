#include "http_headers.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

static int add(struct curl_slist **list, const char *name, const char *value)
{
	struct curl_slist *longer;
	char *line = NULL;

	/* A name that ends in ";" is curl's for a header without a value. */
	if (asprintf(&line, *value ? "%s: %s" : "%s;", name, value) < 0)
		return -ENOMEM;
	longer = curl_slist_append(*list, line);
	OPENSSL_cleanse(line, strlen(line));
	free(line);
	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

static bool is_value(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool is_name(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
			return false;
	return true;
}

/* What says where the body ends, and how it is packed, is ours to say; and no text of the
 * configuration is a secret. */
static bool is_ours(const char *name)
{
	static const char *const ours[] = {"Content-Length",
	                                   "Content-Encoding",
	                                   "Content-Type",
	                                   "Transfer-Encoding",
	                                   "Connection",
	                                   "Host",
	                                   "Expect",
	                                   "Authorization",
	                                   "Proxy-Authorization"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcasecmp(ours[i], name))
			return true;
	return false;
}

static int add_given(const struct mw_sink_config *config, struct mw_http_headers *headers,
                     char *why, size_t why_size)
{
	const char *name;
	json_t *value;
	int error = 0;

	json_object_foreach(config->headers, name, value)
	{
		const char *text = json_string_value(value);

		if (!text || !is_name(name) || !is_value(text) || is_ours(name)) {
			snprintf(why, why_size, "`headers`: \"%.64s\" cannot be set",
			         is_name(name) ? name : "?");
			return -EINVAL;
		}
		error = error ? error : add(&headers->list, name, text);
		error = error ? error : mw_http_secrets_suspect(&headers->secrets, text);
	}
	return error;
}

static int add_authorization(struct mw_http_headers *headers, const char *scheme,
                             const char *secret)
{
	char *value = NULL;
	int error = mw_http_secrets_add(&headers->secrets, secret);

	if (error || asprintf(&value, "%s %s", scheme, secret) < 0)
		return -ENOMEM;
	error = add(&headers->list, "Authorization", value);
	mw_secret_free(value);
	return error;
}

/* A file may name another scheme before the token. */
static int add_token(const struct mw_sink_config *config, struct mw_http_headers *headers,
                     char *why, size_t why_size)
{
	const char *scheme = config->body == MW_HTTP_HEC       ? "Splunk"
	                     : config->body == MW_HTTP_ELASTIC ? "ApiKey"
	                                                       : "Bearer";
	char *token, *space;
	int error = mw_secret_read(config->token_file, &token, why, why_size);

	if (error)
		return error;
	space = strrchr(token, ' ');
	if (space)
		*space = '\0';
	if (is_value(token) && (!space || is_value(space + 1))) {
		error = add_authorization(headers, space ? token : scheme,
		                          space ? space + 1 : token);
	} else {
		snprintf(why, why_size, "%s: holds no token of one line", config->token_file);
		error = -EINVAL;
	}
	if (space)
		*space = ' ';
	mw_secret_free(token);
	return error;
}

static char *base64(const char *text)
{
	size_t len = strlen(text);
	char *out = malloc((len + 2) / 3 * 4 + 1);

	if (out)
		EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len);
	return out;
}

static int add_basic(const struct mw_sink_config *config, struct mw_http_headers *headers,
                     char *why, size_t why_size)
{
	char *password = NULL, *both = NULL, *encoded = NULL;
	int error = 0;

	if (strchr(config->user, ':')) {
		snprintf(why, why_size, "`user`: there is a colon in it");
		return -EINVAL;
	}
	if (config->password_file)
		error = mw_secret_read(config->password_file, &password, why, why_size);
	if (!error)
		error = mw_http_secrets_add(&headers->secrets, password);
	if (!error && asprintf(&both, "%s:%s", config->user, password ? password : "") < 0)
		both = NULL;
	if (!error)
		encoded = both ? base64(both) : NULL;
	if (!error)
		error = encoded ? add_authorization(headers, "Basic", encoded) : -ENOMEM;
	mw_secret_free(password);
	mw_secret_free(both);
	mw_secret_free(encoded);
	return error;
}

static int add_secret(const struct mw_sink_config *config, struct mw_http_headers *headers,
                      char *why, size_t why_size)
{
	if (config->token_file && config->user) {
		snprintf(why, why_size, "`token_file` and `user` do not go together");
		return -EINVAL;
	}
	if (config->token_file)
		return add_token(config, headers, why, why_size);
	return config->user ? add_basic(config, headers, why, why_size) : 0;
}

int mw_http_headers_make(const struct mw_sink_config *config, const char *channel,
                         struct mw_http_headers *ret, char *why, size_t why_size)
{
	const char *type =
	        config->body == MW_HTTP_ELASTIC ? "application/x-ndjson" : "application/json";
	int error;

	*ret = (struct mw_http_headers){.list = NULL};
	error = add(&ret->list, "Content-Type", type);
	/* Not to wait for a "100 Continue" that few receivers say. */
	if (!error && !curl_slist_append(ret->list, "Expect:"))
		error = -ENOMEM;
	if (!error && channel)
		error = add(&ret->list, "X-Splunk-Request-Channel", channel);
	if (!error)
		error = add_given(config, ret, why, why_size);
	return error ? error : add_secret(config, ret, why, why_size);
}

void mw_http_headers_free(struct mw_http_headers *headers)
{
	for (struct curl_slist *at = headers->list; at; at = at->next)
		OPENSSL_cleanse(at->data, strlen(at->data));
	curl_slist_free_all(headers->list);
	mw_http_secrets_free(&headers->secrets);
	*headers = (struct mw_http_headers){.list = NULL};
}
