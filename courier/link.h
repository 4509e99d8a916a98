/* The connection that a sink keeps, made again when it is gone, and what is said of its troubles.
 */
#ifndef MW_COURIER_LINK_H
#define MW_COURIER_LINK_H

#include "channel.h"
#include "sink.h"

struct mw_link {
	const char *address;
	const struct mw_sink_tls *tls; /* NULL: none */
	int timeout_ms, stop;
	struct mw_channel *channel; /* NULL: not connected */
};

/* Connects unless there is a connection that the receiver has not closed. Returns 1 when it is a
 * new one, 0 when not, or a negative errno, which `report` says. */
int mw_link_ready(struct mw_link *link, struct mw_sink_report *report);

/* Says of a call of the channel what went wrong, in `report` unless it says something, and closes
 * it: nothing is known of what was on its way. */
void mw_link_wrong(struct mw_link *link, int error, struct mw_sink_report *report);

/* Reads away what the receiver says unasked. Returns 0, -EPIPE when it has closed, or -EPROTO when
 * it does not stop. */
int mw_link_ignore(struct mw_link *link);

/* Closes it once the receiver has, who has read all of it then, or when that takes too long. */
void mw_link_end(struct mw_link *link);

/* Closes it at once. */
void mw_link_close(struct mw_link *link);

#endif
