/* The monitor's side of the memory that it shares with its courier (courier/shared.h), and what it
 * has to remember about it. */
#ifndef MW_TOOLS_COURIER_RING_H
#define MW_TOOLS_COURIER_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../courier/shared.h"

struct mw_courier_ring {
	struct mw_shared *shared;
	size_t size, room; /* bytes of the memory, and of the data in it */
	int fd;            /* to read it */
	uint64_t *ends;    /* of the records that are kept, a ring itself */
	size_t first, count;
	uint64_t tail; /* the end of what is not kept any more */
};

/* Returns 0 or a negative errno. Close it in any case; zeroed it may be closed, too. */
int mw_courier_ring_open(struct mw_courier_ring *ring);
void mw_courier_ring_close(struct mw_courier_ring *ring);

/* Whether there is room for a record of so many bytes. */
bool mw_courier_ring_fits(const struct mw_courier_ring *ring, size_t len);

/* Puts a record at the end. False: there is no room. */
bool mw_courier_ring_keep(struct mw_courier_ring *ring, const char *line, size_t len);

/* The first `count` are not needed any more. */
void mw_courier_ring_forget(struct mw_courier_ring *ring, size_t count);

/* One that there was no room for; told by a record that is kept, or by whoever finds the memory
 * when we are dead. */
void mw_courier_ring_lose(struct mw_courier_ring *ring);
void mw_courier_ring_told(struct mw_courier_ring *ring);
uint64_t mw_courier_ring_lost(const struct mw_courier_ring *ring);

/* Whoever reads it now is out of date. Returns the turn of the next. */
uint64_t mw_courier_ring_turn(struct mw_courier_ring *ring);

#endif
