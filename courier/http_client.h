/* POST by libcurl, in bounds: the time of each, the size of what is answered, no redirects, no wait
 * beyond `stop`. Connections are kept from one to the next. */
#ifndef MW_COURIER_HTTP_CLIENT_H
#define MW_COURIER_HTTP_CLIENT_H

#include "../tools/buffer.h"
#include "http_answer.h"
#include "http_url.h"

#define MW_HTTP_ANSWER ((size_t)1 << 20) /* bytes of the body of an answer */

struct mw_http_client;

/* Makes one for the receiver of `config`, whose texts are borrowed, and reads the secrets that it
 * names. `channel` is sent as Splunk's request channel, NULL: none. No I/O but of those files.
 * Returns 0 or a negative errno with a line in `why`. */
int mw_http_client_new(const struct mw_sink_config *config, const struct mw_http_url *url,
                       const char *channel, int stop, struct mw_http_client **ret, char *why,
                       size_t why_size);
void mw_http_client_free(struct mw_http_client *client); /* NULL is allowed */

struct mw_http_request {
	const char *url;
	struct mw_buffer body;
	bool is_gzip;    /* the body */
	const char *key; /* Idempotency-Key, or NULL */
	int timeout_ms;
};

/* Posts. Returns 0 with the whole answer, less what is secret, which is there until the next post;
 * or a negative errno, told in `report`: -EFBIG when the answer is longer than MW_HTTP_ANSWER,
 * -ECANCELED stopped (which is not told), -EIO for all else. */
int mw_http_post(struct mw_http_client *client, const struct mw_http_request *request,
                 const struct mw_http_answer **ret, struct mw_sink_report *report);

#endif
