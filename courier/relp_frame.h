/* Frames of RELP, the Reliable Event Logging Protocol (librelp's doc/relp.html):
 * "TXNR COMMAND LENGTH[ DATA]\n". */
#ifndef MW_COURIER_RELP_FRAME_H
#define MW_COURIER_RELP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MW_RELP_NUMBER_MAX 999999999 /* of a TXNR and of a length */
#define MW_RELP_ANSWER_MAX 16384     /* bytes of a frame that a receiver may send */

/* What a receiver has said; its texts lie in the bytes that were parsed. */
struct mw_relp_frame {
	uint32_t number;
	const char *command; /* `command_len` letters */
	size_t command_len;
	const char *data; /* `len` bytes */
	size_t len;
};

/* Reads one frame from the beginning of `len` bytes. Returns how many it takes, 0 when its end is
 * not there yet, or -EPROTO. */
int mw_relp_parse(const char *bytes, size_t len, struct mw_relp_frame *ret);

/* Whether it is a `command`. */
bool mw_relp_is(const struct mw_relp_frame *frame, const char *command);

/* The number that an answer begins with, 200 for good; -EPROTO when it begins with none. */
int mw_relp_code(const struct mw_relp_frame *frame);

/* Whether an answer to "open" offers `command` ("commands=a,b"). */
bool mw_relp_offers(const struct mw_relp_frame *frame, const char *command);

#endif
