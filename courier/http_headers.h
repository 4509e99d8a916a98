/* What a request of a sink says of itself, and the secrets in it. */
#ifndef MW_COURIER_HTTP_HEADERS_H
#define MW_COURIER_HTTP_HEADERS_H

#include <curl/curl.h>

#include "http_secrets.h"
#include "sink_config.h"

struct mw_http_headers {
	struct curl_slist *list;
	struct mw_http_secrets secrets; /* of files, and what headers of the configuration say */
};

/* The headers of every request; reads the secrets from their files. `channel` is Splunk's, NULL:
 * none. Returns 0, -EINVAL or another negative errno with a line in `why`; free in either case. */
int mw_http_headers_make(const struct mw_sink_config *config, const char *channel,
                         struct mw_http_headers *ret, char *why, size_t why_size);
void mw_http_headers_free(struct mw_http_headers *headers); /* wipes them */

#endif
