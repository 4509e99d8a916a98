/* Metrics in the text format of Prometheus. */
#ifndef MW_TOOLS_DAEMON_METRICS_H
#define MW_TOOLS_DAEMON_METRICS_H

#include <stddef.h>

#include "buffer.h"
#include "daemon_status.h"

/* All of them as text; the caller frees `*ret`. Returns 0 or -ENOMEM. */
int mw_metrics_text(const struct mw_daemon_facts *facts, char **ret, size_t *ret_len);

/* The answer of a HTTP server to `request`, its head without the empty line: `text` for GET or HEAD
 * of /metrics, else an error. Appended to `answer`, or nothing when there is no memory. */
void mw_metrics_http(const char *request, const char *text, size_t len, struct mw_buffer *answer);

/* Replaces the file at `path`, for everybody to read, so that whoever reads finds the old or the
 * new one whole. Returns 0 or a negative errno. */
int mw_metrics_file(const char *path, const char *text, size_t len);

#endif
