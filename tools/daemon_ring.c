#include "daemon_ring.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TIME_BEFORE_END 16 /* in each record, by its sample_type */

static struct perf_event_attr attributes(size_t size, bool wake_each)
{
	struct perf_event_attr attr = {
	        .type = PERF_TYPE_SOFTWARE,
	        .config = PERF_COUNT_SW_DUMMY,
	        .size = sizeof(attr),
	        .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
	        .sample_id_all = 1,
	        .mmap = 1, /* those that can be executed; mmap_data would be the others */
	        .mmap2 = 1,
	        .comm = 1,
	        .comm_exec = 1,
	        .task = 1,
	        .use_clockid = 1, /* CPUs are compared */
	        .clockid = CLOCK_BOOTTIME,
	        .watermark = 1, /* wakeup_events would only count samples */
	        .wakeup_watermark = wake_each ? 1 : (uint32_t)size / 2,
	};

	return attr;
}

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int mw_ring_open(struct mw_ring *ret, int cpu, size_t size, bool wake_each)
{
	struct perf_event_attr attr = attributes(size, wake_each);
	struct mw_ring ring = {.size = size};
	int r;

	ring.fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring.fd < 0)
		return -errno;
	ring.memory = mmap(NULL, page() + size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	if (ring.memory == MAP_FAILED) {
		r = -errno;
		close(ring.fd);
		return r;
	}
	*ret = ring;
	return 0;
}

void mw_ring_close(struct mw_ring *ring)
{
	if (ring->fd < 0)
		return;
	munmap(ring->memory, page() + ring->size);
	close(ring->fd);
	*ring = (struct mw_ring){.fd = -1};
}

bool mw_ring_begin(struct mw_ring *ring)
{
	const struct perf_event_mmap_page *control = ring->memory;

	ring->head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
	return ring->head - ring->tail + MW_RECORD_SIDE_MAX <= ring->size;
}

static void give_back(struct mw_ring *ring, uint64_t tail)
{
	struct perf_event_mmap_page *control = ring->memory;

	ring->tail = tail;
	__atomic_store_n(&control->data_tail, tail, __ATOMIC_RELEASE);
}

void mw_ring_listen(struct mw_ring *ring, bool on)
{
	if (ring->fd < 0)
		return;
	if (on) {
		mw_ring_begin(ring);
		give_back(ring, ring->head);
	}
	ioctl(ring->fd, PERF_EVENT_IOC_PAUSE_OUTPUT, !on);
}

bool mw_ring_has_news(struct mw_ring *ring)
{
	if (ring->fd < 0)
		return false;
	mw_ring_begin(ring);
	return ring->head != ring->tail;
}

static const uint8_t *data(const struct mw_ring *ring)
{
	return (const uint8_t *)ring->memory + page();
}

/* `len` is less than the ring's size. */
static void copy_out(const struct mw_ring *ring, uint64_t at, void *to, size_t len)
{
	size_t start = at & (ring->size - 1);
	size_t first = len < ring->size - start ? len : ring->size - start;

	memcpy(to, data(ring) + start, first);
	memcpy((uint8_t *)to + first, data(ring), len - first);
}

bool mw_ring_peek(struct mw_ring *ring)
{
	uint64_t there = ring->head - ring->tail;
	struct perf_event_header header;

	ring->len = 0;
	if (there < sizeof(header))
		return false;
	copy_out(ring, ring->tail, &header, sizeof(header));
	/* The kernel's own, but nothing is read that is not there. */
	if (header.size < sizeof(header) + TIME_BEFORE_END || header.size > there) {
		ring->tail = ring->head;
		return false;
	}
	ring->len = header.size;
	copy_out(ring, ring->tail + ring->len - TIME_BEFORE_END, &ring->time, sizeof(ring->time));
	return true;
}

const void *mw_ring_record(const struct mw_ring *ring, uint8_t copy[MW_RECORD_SIDE_MAX])
{
	size_t start = ring->tail & (ring->size - 1);

	if (ring->len > MW_RECORD_SIDE_MAX)
		return NULL;
	if (ring->len <= ring->size - start)
		return data(ring) + start;
	copy_out(ring, ring->tail, copy, ring->len);
	return copy;
}

void mw_ring_next(struct mw_ring *ring)
{
	give_back(ring, ring->tail + ring->len);
	ring->len = 0;
}
