/* A record that a process hands over by a call to the floor (core/floor.h). */
#ifndef MW_TOOLS_FLOOR_MESSAGE_H
#define MW_TOOLS_FLOOR_MESSAGE_H

#include "../core/floor.h"
#include "floor_tracee.h"

struct mw_floor_letter {
	struct mw_floor_message message;
	uint64_t address; /* of the message in the process */
	uint8_t *frame;
	struct mw_unpacked unpacked; /* points into the frame */
};

/* Reads the message at `address` and the record in it. Returns 0, release with
 * mw_floor_letter_free(); -EBADMSG when it is none; or another negative errno. */
int mw_floor_letter_read(const struct mw_tracee *tracee, uint64_t address,
                         struct mw_floor_letter *ret);

/* Writes the reply, and the descriptors `fds` (-1: none) as the process's own. Returns 0 or a
 * negative errno. The task still waits for its answer. */
int mw_floor_letter_reply(const struct mw_tracee *tracee, const struct mw_floor_letter *letter,
                          const struct mw_reply *reply, const int fds[static MW_WIRE_FDS]);

void mw_floor_letter_free(struct mw_floor_letter *letter);

#endif
