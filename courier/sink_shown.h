/* Sinks as they are shown to people. Paths and queries of URLs and values of headers are often
 * secrets, as those of webhooks are. */
#ifndef MW_COURIER_SINK_SHOWN_H
#define MW_COURIER_SINK_SHOWN_H

#include <stddef.h>

#include <jansson.h>

/* The scheme, host and port of a URL, and "/..." for what is behind them. */
void mw_sink_url_shown(const char *url, char *out, size_t size);

/* A copy of what the configuration says of a sink, without them: a new reference, or NULL. */
json_t *mw_sink_shown(const json_t *sink);

#endif
