#include "courier_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "share.h"

#define MOST (32u << 20) /* bytes of all together */
#define KEPT_MAX 65536   /* records */

/* Who may not write long files would be ended by SIGXFSZ. */
static size_t size_allowed(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_FSIZE, &files) && files.rlim_cur < MOST)
		return (size_t)files.rlim_cur;
	return MOST;
}

int mw_courier_ring_open(struct mw_courier_ring *ring)
{
	void *memory;

	*ring = (struct mw_courier_ring){.fd = -1, .size = size_allowed()};
	if (ring->size <= sizeof(*ring->shared))
		return -EFBIG;
	ring->ends = calloc(KEPT_MAX, sizeof(*ring->ends));
	if (!ring->ends)
		return -ENOMEM;
	ring->fd = mw_share_page("modelwatch-courier", ring->size, &memory);
	if (ring->fd < 0)
		return ring->fd;
	ring->shared = memory;
	ring->room = ring->size - sizeof(*ring->shared);
	return 0;
}

void mw_courier_ring_close(struct mw_courier_ring *ring)
{
	if (ring->shared) {
		munmap(ring->shared, ring->size);
		close(ring->fd);
	}
	free(ring->ends);
	*ring = (struct mw_courier_ring){.fd = -1};
}

/* When all is taken it goes on at the beginning: memory that was never needed is none. */
static uint64_t next_start(const struct mw_courier_ring *ring)
{
	uint64_t over = ring->tail % ring->room;

	return ring->count || !over ? ring->tail : ring->tail + ring->room - over;
}

static void copy(struct mw_courier_ring *ring, uint64_t to, const char *line, size_t len)
{
	size_t at = (size_t)(to % ring->room);
	size_t part = len < ring->room - at ? len : ring->room - at;

	memcpy(ring->shared->data + at, line, part);
	memcpy(ring->shared->data, line + part, len - part);
}

bool mw_courier_ring_fits(const struct mw_courier_ring *ring, size_t len)
{
	size_t used = ring->count ? (size_t)(ring->shared->end - ring->tail) : 0;

	return ring->count < KEPT_MAX && len <= ring->room - used;
}

bool mw_courier_ring_keep(struct mw_courier_ring *ring, const char *line, size_t len)
{
	uint64_t end = ring->shared->end;

	if (!mw_courier_ring_fits(ring, len))
		return false;
	if (!ring->count) {
		ring->tail = end = next_start(ring);
		ring->shared->start = end;
	}
	copy(ring, end, line, len);
	end += len;
	ring->ends[(ring->first + ring->count++) % KEPT_MAX] = end;
	ring->shared->end = end;
	return true;
}

void mw_courier_ring_forget(struct mw_courier_ring *ring, size_t count)
{
	if (!count)
		return;
	ring->tail = ring->ends[(ring->first + count - 1) % KEPT_MAX];
	ring->first = (ring->first + count) % KEPT_MAX;
	ring->count -= count;
}

void mw_courier_ring_lose(struct mw_courier_ring *ring)
{
	ring->shared->lost++;
}

void mw_courier_ring_told(struct mw_courier_ring *ring)
{
	ring->shared->lost = 0;
}

uint64_t mw_courier_ring_lost(const struct mw_courier_ring *ring)
{
	return ring->shared->lost;
}

uint64_t mw_courier_ring_turn(struct mw_courier_ring *ring)
{
	return ++ring->shared->turn;
}
