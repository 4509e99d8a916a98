#include "http_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "http_headers.h"
#include "sink_report.h"

#define HEADERS_MAX ((size_t)256 << 10)
#define RETRY_AFTER_MAX 3600 /* seconds: a receiver does not silence us for longer */

struct mw_http_client {
	CURLM *multi;
	CURL *easy;
	struct mw_http_headers headers;
	struct curl_slist *connect_to;
	const struct mw_http_url *url; /* borrowed */
	int stop;
	curl_socket_t used; /* of the last request, while curl keeps it; or CURL_SOCKET_BAD */
	size_t head;        /* bytes of the headers of this answer */
	struct mw_buffer body;
	struct mw_http_answer answer;
	char error[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_state;

static void init_once(void)
{
	global_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Less than what it was given ends the transfer, with CURLE_WRITE_ERROR. */
static size_t take_body(char *data, size_t one, size_t len, void *context)
{
	struct mw_http_client *client = context;

	(void)one;
	return mw_buffer_add(&client->body, data, len, MW_HTTP_ANSWER) < 0 ? 0 : len;
}

static size_t take_header(char *data, size_t one, size_t len, void *context)
{
	struct mw_http_client *client = context;

	(void)data;
	(void)one;
	client->head += len;
	return client->head > HEADERS_MAX ? 0 : len;
}

static CURLcode set_tls(CURL *easy, const struct mw_sink_tls *tls)
{
	CURLcode state = curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);

#if LIBCURL_VERSION_NUM >= 0x075700
	/* Renewed authorities count from the next connection on. */
	if (state == CURLE_OK)
		state = curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
	if (state == CURLE_OK && tls->ca)
		state = curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca);
	/* Else the system's folder of authorities counts beside it. */
	if (state == CURLE_OK && tls->ca)
		state = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (state == CURLE_OK && tls->cert)
		state = curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert);
	if (state == CURLE_OK && tls->key)
		state = curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key);
	return state;
}

static CURLcode set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

/* The proxy that the environment names (https_proxy, no_proxy) sees nothing but what is encrypted.
 */
static CURLcode set_proxy(CURL *easy, const struct mw_http_url *url)
{
	return strncmp(url->origin, "https:", 6) ? curl_easy_setopt(easy, CURLOPT_PROXY, "")
	                                         : CURLE_OK;
}

static int set_options(struct mw_http_client *client, const struct mw_sink_config *config)
{
	CURL *easy = client->easy;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, client);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, client);
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, client->connect_to);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Not to wait, at the end, for a name server that does not answer. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	if (set_protocols(easy) != CURLE_OK || set_proxy(easy, client->url) != CURLE_OK ||
	    set_tls(easy, &config->tls) != CURLE_OK)
		return -EINVAL;
	return curl_easy_setopt(easy, CURLOPT_USERAGENT, "modelwatch/" MW_VERSION) == CURLE_OK
	               ? 0
	               : -ENOMEM;
}

int mw_http_client_new(const struct mw_sink_config *config, const struct mw_http_url *url,
                       const char *channel, int stop, struct mw_http_client **ret, char *why,
                       size_t why_size)
{
	struct mw_http_client *client;
	int error = -ENOMEM;

	pthread_once(&once, init_once);
	client = global_state == CURLE_OK ? calloc(1, sizeof(*client)) : NULL;
	if (!client)
		return -ENOMEM;
	client->stop = stop;
	client->used = CURL_SOCKET_BAD;
	client->url = url;
	client->multi = curl_multi_init();
	client->easy = curl_easy_init();
	if (!client->multi || !client->easy)
		goto fail;
	if (url->connect_to) {
		client->connect_to = curl_slist_append(NULL, url->connect_to);
		if (!client->connect_to)
			goto fail;
	}
	error = set_options(client, config);
	if (!error)
		error = mw_http_headers_make(config, channel, &client->headers, why, why_size);
	if (!error)
		error = mw_http_secrets_add_url(&client->headers.secrets, config->url);
	if (error)
		goto fail;
	*ret = client;
	return 0;
fail:
	mw_http_client_free(client);
	return error;
}

void mw_http_client_free(struct mw_http_client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->easy);
	curl_multi_cleanup(client->multi);
	mw_http_headers_free(&client->headers);
	curl_slist_free_all(client->connect_to);
	free(client->body.data);
	free(client);
}

/* Drives the transfer to its end. Returns 0 with what became of it, -ECANCELED or -EIO. */
static int transfer(struct mw_http_client *client, CURLcode *ret)
{
	struct curl_waitfd stop = {.fd = client->stop, .events = CURL_WAIT_POLLIN};
	unsigned watched = client->stop >= 0;
	int running = 1, left;

	for (;;) {
		const CURLMsg *message;

		if (curl_multi_perform(client->multi, &running) != CURLM_OK)
			return -EIO;
		message = curl_multi_info_read(client->multi, &left);
		if (message && message->msg == CURLMSG_DONE) {
			*ret = message->data.result;
			return 0;
		}
		if (!running ||
		    curl_multi_poll(client->multi, &stop, watched, 1000, NULL) != CURLM_OK)
			return -EIO;
		if (mw_sink_stopped(client->stop, 0))
			return -ECANCELED;
	}
}

static const char *reason_of(CURLcode state)
{
	switch (state) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return "connect";
	case CURLE_OPERATION_TIMEDOUT:
		return "timeout";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return "tls";
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return "closed";
	default:
		return "protocol";
	}
}

static int complain(struct mw_http_client *client, CURLcode state, struct mw_sink_report *report)
{
	char ours[128];
	size_t len;

	if (state == CURLE_WRITE_ERROR) {
		mw_sink_wrong(report, "protocol", "%s: the answer is too long",
		              client->url->origin);
		return client->head > HEADERS_MAX ? -EIO : -EFBIG;
	}
	if (!client->error[0])
		snprintf(client->error, sizeof(client->error), "%s", curl_easy_strerror(state));
	len = mw_http_secrets_hide(&client->headers.secrets, client->error, strlen(client->error));
	snprintf(ours, sizeof(ours), "%s", client->url->origin);
	mw_sink_wrong_quoted(report, reason_of(state), ours, client->error, len);
	return -EIO;
}

static int finish(struct mw_http_client *client, struct mw_sink_report *report)
{
	struct mw_http_answer *answer = &client->answer;
	curl_off_t seconds = 0;

	curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_getinfo(client->easy, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds > RETRY_AFTER_MAX)
		seconds = RETRY_AFTER_MAX;
	answer->retry_after_ms = seconds > 0 ? seconds * 1000 : 0;
	if (mw_buffer_add(&client->body, "", 1, MW_HTTP_ANSWER + 1) < 0) {
		mw_sink_wrong(report, "protocol", "no memory");
		return -EIO;
	}
	/* What the receiver repeats of our secrets is nobody's business. */
	answer->len = mw_http_secrets_hide(&client->headers.secrets, client->body.data,
	                                   client->body.len - 1);
	answer->body = client->body.data;
	client->body.data[answer->len] = '\0';
	return 0;
}

static int run(struct mw_http_client *client, struct mw_sink_report *report)
{
	CURLcode state = CURLE_FAILED_INIT;
	int error = -EIO;

	if (curl_multi_add_handle(client->multi, client->easy) == CURLM_OK) {
		error = transfer(client, &state);
		curl_easy_getinfo(client->easy, CURLINFO_ACTIVESOCKET, &client->used);
		curl_multi_remove_handle(client->multi, client->easy);
	}
	if (error == -ECANCELED)
		return error;
	if (error || state != CURLE_OK)
		return complain(client, state, report);
	return finish(client, report);
}

/* Whether something was said after the last answer, which must not be taken for the next. */
static bool has_more_to_say(const struct mw_http_client *client)
{
	struct pollfd fd = {.fd = client->used, .events = POLLIN};

	return client->used != CURL_SOCKET_BAD && poll(&fd, 1, 0) > 0;
}

/* Puts a line of its own before the headers of every request. */
static struct curl_slist *before(struct curl_slist *room, char *line, struct curl_slist *headers)
{
	*room = (struct curl_slist){line, headers};
	return room;
}

int mw_http_post(struct mw_http_client *client, const struct mw_http_request *request,
                 const struct mw_http_answer **ret, struct mw_sink_report *report)
{
	char gzip[] = "Content-Encoding: gzip", key[64 + MW_UID_TEXT];
	struct curl_slist room[2], *headers = client->headers.list;
	CURL *easy = client->easy;

	if (request->is_gzip)
		headers = before(&room[0], gzip, headers);
	snprintf(key, sizeof(key), "Idempotency-Key: %s", request->key ? request->key : "");
	if (request->key)
		headers = before(&room[1], key, headers);
	client->head = client->body.len = 0;
	client->error[0] = '\0';
	*ret = &client->answer;
	if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK)
		return complain(client, CURLE_OUT_OF_MEMORY, report);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)has_more_to_say(client));
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->timeout_ms);
	return run(client, report);
}
