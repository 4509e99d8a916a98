/* Which sinks are configured. */
#ifndef MW_TOOLS_SINK_READ_H
#define MW_TOOLS_SINK_READ_H

#include <jansson.h>

/* What run and the daemon would send to, by the policies, `policy` (NULL: none) besides, and the
 * daemon's configuration `path`, NULL: its usual one, where there is one that we may read. A new
 * reference in `*ret`, for mw_sinks_read(). Returns 0, or the exit status after saying what is
 * wrong. */
int mw_sink_read(const char *policy, const char *path, json_t **ret);

#endif
