/* What a receiver of Fluent's Forward protocol says. Pure; every byte is hostile. */
#ifndef MW_COURIER_FORWARD_ANSWER_H
#define MW_COURIER_FORWARD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MW_FORWARD_ANSWER 16384 /* bytes of one answer */

struct mw_forward_text {
	const char *s; /* in the bytes that were read */
	size_t len;
};

struct mw_forward_answer {
	enum { MW_FORWARD_HELO, MW_FORWARD_PONG, MW_FORWARD_ACK } kind;
	struct mw_forward_text nonce, auth; /* HELO; `auth` empty: no user is asked for */
	bool keepalive;                     /* HELO */
	bool ok;                            /* PONG */
	struct mw_forward_text reason, hostname, digest; /* PONG */
	struct mw_forward_text chunk;                    /* ACK */
};

/* Reads the answer that the bytes begin with. Returns how many of them it has; 0 when it is not all
 * there; -EBADMSG when it is none; -ENOMEM. */
ssize_t mw_forward_answer(const char *data, size_t len, struct mw_forward_answer *ret);

#endif
