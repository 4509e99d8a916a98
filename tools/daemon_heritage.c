#include "daemon_heritage.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../ebpf/event.h"
#include "daemon_parts.h"

#define SETS 8
#define READ_MOST 65536 /* records of one set */

struct set {
	struct mw_pins pins;
	bool is_like;
	int events, counters, told; /* descriptors, or negative */
};

struct mw_heritage {
	size_t count;
	struct set set[SETS]; /* newest first */
};

static bool has_all(const struct mw_pins *pins, const char *const *maps)
{
	int fd = 0;

	for (; fd >= 0 && *maps; maps++) {
		fd = mw_pins_get(pins, *maps);
		if (fd >= 0)
			close(fd);
	}
	return fd >= 0;
}

int mw_heritage_open(const char *layout, const char *const *maps, struct mw_heritage **ret)
{
	struct mw_heritage *h = calloc(1, sizeof(*h));
	struct mw_pins found[SETS];

	if (!h)
		return -ENOMEM;
	mw_pins_tidy();
	h->count = mw_pins_list(found, SETS);
	if (h->count > SETS)
		h->count = SETS;
	for (size_t i = 0; i < h->count; i++) {
		struct set *set = &h->set[i];

		set->pins = found[i];
		set->is_like = mw_pins_is_whole(&set->pins, layout) && has_all(&set->pins, maps);
		set->events = mw_pins_get(&set->pins, "events");
		set->counters = set->is_like ? mw_pins_get(&set->pins, "counters") : -1;
		set->told = set->is_like ? mw_pins_get(&set->pins, "told") : -1;
	}
	*ret = h;
	return 0;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void shut_all(struct set *set)
{
	shut(&set->events);
	shut(&set->counters);
	shut(&set->told);
}

void mw_heritage_close(struct mw_heritage *heritage)
{
	for (size_t i = 0; heritage && i < heritage->count; i++)
		shut_all(&heritage->set[i]);
	free(heritage);
}

const struct mw_pins *mw_heritage_like(const struct mw_heritage *heritage)
{
	for (size_t i = 0; i < heritage->count; i++)
		if (heritage->set[i].is_like)
			return &heritage->set[i].pins;
	return NULL;
}

void mw_heritage_each_like(const struct mw_heritage *heritage,
                           void (*each)(const struct mw_pins *pins))
{
	for (size_t i = 0; i < heritage->count; i++)
		if (heritage->set[i].is_like && heritage->set[i].pins.path[0])
			each(&heritage->set[i].pins);
}

void mw_heritage_drop(struct mw_heritage *heritage, const struct mw_pins *own, bool all)
{
	for (size_t i = 0; i < heritage->count; i++)
		if (all || heritage->set[i].is_like)
			mw_pins_remove(&heritage->set[i].pins);
	if (all)
		mw_pins_clear(own && own->path[0] ? own : NULL);
}

bool mw_heritage_is_there(const struct mw_heritage *heritage)
{
	for (size_t i = 0; i < heritage->count; i++)
		if (heritage->set[i].pins.path[0])
			return true;
	return false;
}

/* What was lost of it since somebody has told of that. */
static uint64_t untold(const struct set *set)
{
	static const int lost[] = {MW_K_RING_FULL, MW_K_NO_SCRATCH};
	uint64_t told = 0, total = 0;
	uint32_t key = 0;

	for (uint32_t hook = 0; hook < MW_K_HOOKS; hook++)
		for (int i = 0; i < 2; i++)
			total += mw_programs_sum(set->counters,
			                         hook * MW_K_COUNTERS + (uint32_t)lost[i]);
	bpf_map_lookup_elem(set->told, &key, &told);
	return total > told ? total - told : 0;
}

static void read_like(const struct set *set,
                      void (*event)(void *context, const struct mw_programs_event *event),
                      void *context)
{
	struct mw_daemon_parts *parts;
	int most = READ_MOST, n;

	if (mw_daemon_parts_open(set->events, event, context, &parts))
		return;
	while ((n = mw_daemon_parts_poll(parts)) > 0 && most > 0)
		most -= n;
	mw_daemon_parts_close(parts);
}

static int count_one(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	return 0;
}

static uint64_t count_unlike(const struct set *set)
{
	struct ring_buffer *ring = ring_buffer__new(set->events, count_one, NULL, NULL);
	int n = ring ? ring_buffer__consume(ring) : 0;

	ring_buffer__free(ring);
	return n > 0 ? (uint64_t)n : 0;
}

uint64_t mw_heritage_read(struct mw_heritage *heritage,
                          void (*event)(void *context, const struct mw_programs_event *event),
                          void *context)
{
	uint64_t lost = 0;

	for (size_t i = heritage->count; i-- > 0;) {
		struct set *set = &heritage->set[i];

		if (set->events < 0)
			continue;
		if (set->is_like) {
			read_like(set, event, context);
			lost += untold(set);
			shut_all(set);
		} else if (!set->pins.path[0]) {
			lost += count_unlike(set);
			shut_all(set);
		}
	}
	return lost;
}
