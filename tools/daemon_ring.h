/* The ring that the kernel writes one CPU's side-band into. */
#ifndef MW_TOOLS_DAEMON_RING_H
#define MW_TOOLS_DAEMON_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon_record.h"

struct mw_ring {
	int fd; /* -1: none */
	void *memory;
	size_t size;   /* bytes of records that it holds, a power of two */
	uint64_t tail; /* up to here it was read */
	uint64_t head; /* up to here it is to be read */
	size_t len;    /* of the record at the tail, once peeked at; 0: there is none */
	uint64_t time; /* of that */
};

/* Opens the side-band of a CPU. `wake_each`: its descriptor becomes readable with each record,
 * which is a tax on whoever causes it; otherwise when the ring is half full. Returns 0 or a
 * negative errno, -ENODEV for a CPU that is offline. */
int mw_ring_open(struct mw_ring *ret, int cpu, size_t size, bool wake_each);

void mw_ring_close(struct mw_ring *ring);

/* Has the kernel write into it, after what is there was dropped, or leave it alone: then it costs
 * next to nothing, and wakes nobody. Nothing is done to one that is closed. */
void mw_ring_listen(struct mw_ring *ring, bool on);

/* Whether anything was written that was not read. Of one that is closed: no. */
bool mw_ring_has_news(struct mw_ring *ring);

/* Takes what has been written until now to be read next. False when the ring was too full for
 * another record: the kernel says that it dropped some only before the next one it writes. */
bool mw_ring_begin(struct mw_ring *ring);

/* Finds the length and time of the next record. False when there is none before the head. */
bool mw_ring_peek(struct mw_ring *ring);

/* The record that was peeked at, in the ring or copied into `copy`; NULL when it is longer than
 * MW_RECORD_SIDE_MAX. Good until mw_ring_next(). */
const void *mw_ring_record(const struct mw_ring *ring, uint8_t copy[MW_RECORD_SIDE_MAX]);

/* Gives the room of that record back to the kernel. */
void mw_ring_next(struct mw_ring *ring);

#endif
