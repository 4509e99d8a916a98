/* A sink: where records are sent. One thread has one sink; its calls may wait, within their time.
 */
#ifndef MW_COURIER_SINK_H
#define MW_COURIER_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/words.h"
#include "emission.h"
#include "format.h"
#include "sink_config.h"

#define MW_SINK_WHY 256

enum mw_sink_outcome {
	MW_SINK_RETRY,   /* not taken, or not known to be: it is sent again */
	MW_SINK_DONE,    /* acknowledged, as far as the protocol has acknowledgements */
	MW_SINK_REFUSED, /* will never be taken: a dead letter */
};

/* One record on its way. */
struct mw_sink_item {
	struct mw_emission emission;
	enum mw_severity severity;
	const char *id; /* of the finding: the record's `id` */
	int64_t time;   /* of the record, ns since 1970 */
	char *text;     /* in the sink's format, and its length; NULL for one that `wants_json` */
	size_t len;
	json_t *json;                 /* in the sink's format; NULL for one that does not */
	enum mw_sink_outcome outcome; /* MW_SINK_RETRY before send() */
	char why[MW_SINK_WHY];        /* MW_SINK_REFUSED: in words that can be shown; "": none */
};

struct mw_sink_report {
	char why[MW_SINK_WHY];    /* what is wrong, for people; "" when nothing is */
	const char *reason;       /* the same as one word of a metric: connect, tls, timeout, auth,
	                             refused,       protocol, busy, disk, closed; NULL when nothing is */
	int64_t retry_after_ms;   /* what the receiver asks for; 0: nothing */
	char detail[MW_SINK_WHY]; /* the receiver's acknowledgement in words, for `sink test` */
};

/* What every sink is given to wait by. */
struct mw_sink_context {
	int stop; /* a descriptor that is readable once it is to give up waiting; borrowed */
	const char *host; /* this host's name */
	bool again;       /* a courier before us has died, maybe in the middle of a record */
};

struct mw_sink; /* the state of one: each kind has its own struct that begins it */

struct mw_sink_ops {
	bool wants_json;
	size_t batch, batch_bytes; /* the most of one send() */

	/* `config` and `context` are borrowed until close(). No I/O that waits. Returns 0 or a
	 * negative errno, with a line in `why`. */
	int (*open)(const struct mw_sink_config *config, const struct mw_sink_context *context,
	            struct mw_sink **ret, char *why, size_t why_size);

	/* Sends the items in their order, connecting when need be, and sets the outcome of each.
	 * Returns within `config->timeout_ms` twice over, and soon after `stop` is readable. What
	 * is not known to have arrived stays MW_SINK_RETRY. */
	void (*send)(struct mw_sink *sink, struct mw_sink_item *items, size_t count,
	             struct mw_sink_report *report);

	/* SIGHUP: files are opened anew, connections made anew. May be NULL. */
	void (*reopen)(struct mw_sink *sink);
	void (*close)(struct mw_sink *sink);
};

extern const struct mw_sink_ops mw_sink_file, mw_sink_stdout, mw_sink_journald, mw_sink_syslog,
        mw_sink_relp, mw_sink_forward, mw_sink_http, mw_sink_kafka;

/* How records are sent to sinks of a type; NULL when this was built without it. */
const struct mw_sink_ops *mw_sink_ops(enum mw_sink_type type);

#endif
