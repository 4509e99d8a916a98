/* One sending of a record: what the spool gives it. The record itself is native JSON
 * (docs/alerts.md): an alert, an update of one, a loss or a heartbeat.
 *
 * Alike alerts are one finding: the spool sends the first one with
 *   "group": {"key": HEX, "first": TIME, "last": TIME}
 * and updates of it with the same `id`, a higher `update` and the whole `count`. `key` is made of
 * what the alerts have in common but for the host, so that it is the same on every host. */
#ifndef MW_COURIER_EMISSION_H
#define MW_COURIER_EMISSION_H

#include <stdint.h>

#include <jansson.h>

#define MW_UID_TEXT 40 /* bytes of a UUID with its NUL */

struct mw_emission {
	char uid[MW_UID_TEXT]; /* version 7; the same however often it is sent */
	uint64_t sequence;     /* in the spool, from 1 on: a gap shows a loss */
	const json_t *record;  /* borrowed */
};

#endif
