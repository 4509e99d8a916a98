#include "http_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

static const char *const paths[] = {
        [MW_HTTP_WEBHOOK] = "/",
        [MW_HTTP_HEC] = "/services/collector/event",
        [MW_HTTP_ELASTIC] = "/_bulk",
        [MW_HTTP_OTLP] = "/v1/logs",
};

static const char hec_ack[] = "/services/collector/ack";

static bool has(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	bool is_there = curl_url_get(u, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return is_there;
}

static int whole(CURLU *u, char **ret)
{
	char *text = NULL;

	if (curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
		*ret = strdup(text);
	curl_free(text);
	return *ret ? 0 : -ENOMEM;
}

static const char *check(CURLU *u)
{
	char *scheme = NULL;
	const char *wrong = NULL;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		wrong = "is neither http nor https";
	else if (has(u, CURLUPART_USER) || has(u, CURLUPART_PASSWORD))
		wrong = "has a user in it: say `user` and `password_file`";
	else if (has(u, CURLUPART_FRAGMENT))
		wrong = "has a fragment in it";
	curl_free(scheme);
	return wrong;
}

static int make_origin(CURLU *u, char **ret)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	int error = -ENOMEM;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	    asprintf(ret, "%s://%s:%s", scheme, host, port) >= 0)
		error = 0;
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return error;
}

/* The path of the acknowledgements lies beside that of the events, wherever a proxy has put it. */
static int make_ack(CURLU *u, char **ret)
{
	char *path = NULL, *beside = NULL, *at;
	int error = -ENOMEM;

	if (curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return -ENOMEM;
	at = strstr(path, "/services/collector");
	if (at)
		*at = '\0';
	if (asprintf(&beside, "%s%s", at ? path : "", hec_ack) < 0)
		beside = NULL;
	if (beside && curl_url_set(u, CURLUPART_PATH, beside, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_QUERY, NULL, 0) == CURLUE_OK)
		error = whole(u, ret);
	free(beside);
	curl_free(path);
	return error;
}

/* The name goes into the URL, where curl takes from it what certificate, handshake and Host have;
 * the connection stays the address's. */
static int rename_host(CURLU *u, const char *name, char **ret_connect_to)
{
	char *host = NULL, *port = NULL;
	int error = -ENOMEM;

	if (curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	    asprintf(ret_connect_to, "::%s:%s", host, port) >= 0)
		error = curl_url_set(u, CURLUPART_HOST, name, 0) == CURLUE_OK ? 0 : -EINVAL;
	curl_free(host);
	curl_free(port);
	return error;
}

static int make_path(CURLU *u, const char *usual)
{
	char *path = NULL;
	int error = 0;

	if (curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return -ENOMEM;
	if (!strcmp(path, "/") && curl_url_set(u, CURLUPART_PATH, usual, 0) != CURLUE_OK)
		error = -ENOMEM;
	curl_free(path);
	return error;
}

static int fill(CURLU *u, const struct mw_sink_config *config, struct mw_http_url *ret)
{
	int error = make_origin(u, &ret->origin);

	if (!error && config->tls.server_name)
		error = rename_host(u, config->tls.server_name, &ret->connect_to);
	if (!error)
		error = make_path(u, paths[config->body]);
	if (!error)
		error = whole(u, &ret->url);
	if (!error && config->body == MW_HTTP_HEC)
		error = make_ack(u, &ret->ack);
	return error;
}

int mw_http_url_make(const struct mw_sink_config *config, struct mw_http_url *ret, char *why,
                     size_t why_size)
{
	const char *wrong = config->url ? NULL : "is missing";
	CURLU *u = curl_url();
	int error = -ENOMEM;

	*ret = (struct mw_http_url){0};
	if (!u)
		return -ENOMEM;
	if (!wrong && curl_url_set(u, CURLUPART_URL, config->url, 0) != CURLUE_OK)
		wrong = "is no URL";
	if (!wrong)
		wrong = check(u);
	if (!wrong)
		error = fill(u, config, ret);
	curl_url_cleanup(u);
	if (error == -EINVAL)
		wrong = "and `server_name` do not go together";
	if (wrong) {
		snprintf(why, why_size, "`url` %s", wrong);
		error = -EINVAL;
	}
	if (error)
		mw_http_url_free(ret);
	return error;
}

void mw_http_url_free(struct mw_http_url *url)
{
	free(url->url);
	free(url->ack);
	free(url->origin);
	free(url->connect_to);
	*url = (struct mw_http_url){0};
}
