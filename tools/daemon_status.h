/* How the daemon is, for `modelwatch status` and for metrics. */
#ifndef MW_TOOLS_DAEMON_STATUS_H
#define MW_TOOLS_DAEMON_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "daemon_engine.h"
#include "tally.h"

struct mw_daemon_facts {
	int64_t started, reloaded; /* ns since 1970; 0: never */
	int asked;                 /* the mode that is asked for, and the one there is: */
	int mode;                  /* enum mw_verdict */
	const char *policy_digest; /* in hex */
	const char *alerts_path;   /* or NULL */
	struct mw_engine_view view;
	const struct mw_tally *tally;
	const json_t *courier; /* mw_courier_view(), borrowed; NULL: there are no sinks */
};

/* An object of the schema modelwatch.status/1 (docs/man/modelwatch-status.1): a new reference, or
 * NULL when there is no memory. */
json_t *mw_daemon_status(const struct mw_daemon_facts *facts, int64_t now);

/* A record of the schema modelwatch.heartbeat/1 (docs/alerts.md): that we are there, and how;
 * `ends` that it is the last. A new reference, or NULL when there is no memory. */
json_t *mw_daemon_heartbeat(const struct mw_daemon_facts *facts, int64_t now, bool ends);

#endif
