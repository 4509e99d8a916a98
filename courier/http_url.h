/* Where a sink of HTTP posts to. */
#ifndef MW_COURIER_HTTP_URL_H
#define MW_COURIER_HTTP_URL_H

#include "sink_config.h"

/* Texts are owned. */
struct mw_http_url {
	char *url;        /* with the path that receivers of this body have, when none was given */
	char *ack;        /* HEC: where the indexer's acknowledgements are asked for, or NULL */
	char *origin;     /* scheme, host and port, for people */
	char *connect_to; /* for curl: the address, where `tls.server_name` stands in the URL */
};

/* Returns 0, -EINVAL with a line in `why`, or -ENOMEM. Free with mw_http_url_free(). */
int mw_http_url_make(const struct mw_sink_config *config, struct mw_http_url *ret, char *why,
                     size_t why_size);
void mw_http_url_free(struct mw_http_url *url);

#endif
