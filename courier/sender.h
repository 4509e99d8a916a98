/* One sink and the thread that sends to it: what the spool has for it, in order, again until it is
 * acknowledged. */
#ifndef MW_COURIER_SENDER_H
#define MW_COURIER_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "sink.h"
#include "spool.h"

struct mw_sender;

struct mw_sender_view {
	uint64_t sent, refused; /* records, since the thread was started */
	uint64_t errors;        /* times that sending has failed */
	char why[MW_SINK_WHY];  /* the present trouble, "": none */
	char reason[16];        /* of the last error, a word */
	int64_t last_success;   /* ns since 1970, 0: none yet */
};

/* Starts it. `config` and the host's name are borrowed, `spool` and `context`, whose `stop` is the
 * sender's own, are copied. Returns 0 or a negative errno. */
int mw_sender_start(const struct mw_sink_config *config, const struct mw_spool_options *spool,
                    const struct mw_sink_context *context, struct mw_sender **ret);

/* There is something new in the spool. */
void mw_sender_wake(struct mw_sender *sender);

/* The operator wants files and connections opened anew. */
void mw_sender_reopen(struct mw_sender *sender);

/* Whether all that was in the spool at the last wake has been sent. */
bool mw_sender_idle(const struct mw_sender *sender);

void mw_sender_look(struct mw_sender *sender, struct mw_sender_view *ret);

/* Tells it to end: no wait of it goes on. */
void mw_sender_stop(struct mw_sender *sender);

/* Waits for its end, at most `ms`. Returns false when it has not ended; nothing is freed then. */
bool mw_sender_join(struct mw_sender *sender, int ms);

#endif
