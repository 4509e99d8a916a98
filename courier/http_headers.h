/* What a request of a sink says of itself, and the secrets in it. */
#ifndef MW_COURIER_HTTP_HEADERS_H
#define MW_COURIER_HTTP_HEADERS_H

#include <curl/curl.h>

#include "sink_config.h"

struct mw_http_headers {
	struct curl_slist *list;
	char *secrets[2]; /* that an answer may repeat: what comes after the scheme, and the
	                     password that is in it; NULL: none */
};

/* The headers of every request; reads the secrets from their files. `channel` is Splunk's, NULL:
 * none. Returns 0, -EINVAL or another negative errno with a line in `why`; free in either case. */
int mw_http_headers_make(const struct mw_sink_config *config, const char *channel,
                         struct mw_http_headers *ret, char *why, size_t why_size);
void mw_http_headers_free(struct mw_http_headers *headers); /* wipes them */

/* A receiver may answer with what it was sent: stars for `secret` (NULL: none) in the `len` bytes.
 */
void mw_http_hide(char *text, size_t len, const char *secret);

#endif
