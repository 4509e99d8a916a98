/* A connection to a receiver of Fluent's Forward protocol, with the handshake that it may ask for.
 */
#ifndef MW_COURIER_FORWARD_LINK_H
#define MW_COURIER_FORWARD_LINK_H

#include "forward_pack.h"
#include "link.h"

struct mw_forward_link {
	struct mw_link link;
	struct mw_forward_self self; /* `salt` is of each handshake */
	int timeout_ms;              /* of one wait */
	int64_t end;                 /* of all of them, on mw_sink_clock() */
	bool is_guarded;             /* the receiver speaks first: a handshake */
	bool is_once;                /* the receiver takes one message a connection */
	struct mw_buffer in;         /* what was read, of which `taken` bytes are the last answer */
	size_t taken;
};

/* Connects, and proves who both are, unless there is a connection already. Returns 0, or a negative
 * errno that `report` says. */
int mw_forward_link_ready(struct mw_forward_link *f, struct mw_sink_report *report);

/* Sends. The same. */
int mw_forward_link_say(struct mw_forward_link *f, const struct mw_buffer *what,
                        struct mw_sink_report *report);

/* Waits for the next answer, whose texts are there until the next call. The same. */
int mw_forward_link_hear(struct mw_forward_link *f, struct mw_forward_answer *ret,
                         struct mw_sink_report *report);

/* Says what is wrong with the receiver, which is not talked to any more. Returns -EPROTO. */
int mw_forward_link_wrong(struct mw_forward_link *f, struct mw_sink_report *report,
                          const char *reason, const char *why);

/* Closes it once the receiver has, as mw_link_end(). */
void mw_forward_link_end(struct mw_forward_link *f);

void mw_forward_link_close(struct mw_forward_link *f);

#endif
