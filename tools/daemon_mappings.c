#include "daemon_mappings.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon_ring.h"
#include "maps.h"

#define RING (256 << 10) /* a CPU: some 2000 records */
#define RING_SMALL (32 << 10)
#define CPUS_MANY 64
#define CPUS_MAX 4096

struct mw_mappings {
	const struct mw_mappings_callbacks *callbacks;
	void *context;
	int epoll;
	int timer; /* -1: the rings wake us */
	uint64_t lost;
	bool missed; /* the caller has not been told yet */
	int cpus;
	struct mw_ring ring[];
};

static int watch(const struct mw_mappings *mappings, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(mappings->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int start_timer(struct mw_mappings *mappings, unsigned interval_ms)
{
	struct timespec every = {interval_ms / 1000, interval_ms % 1000 * 1000000L};
	struct itimerspec timer = {every, every};

	mappings->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (mappings->timer < 0 || timerfd_settime(mappings->timer, 0, &timer, NULL) < 0)
		return -errno;
	return watch(mappings, mappings->timer);
}

static void set_range(bool *online, int cpus, long first, long last)
{
	for (long cpu = first < 0 ? 0 : first; cpu <= last && cpu < cpus; cpu++)
		online[cpu] = true;
}

/* The CPUs that are online, "0-3,6"; a kernel without that file has the first and no other. */
static void read_online(bool *online, int cpus)
{
	FILE *file = fopen("/sys/devices/system/cpu/online", "re");
	char text[4096] = "0", *at = text;
	long first, last;

	memset(online, 0, (size_t)cpus);
	if (file && !fgets(text, sizeof(text), file))
		*text = 0;
	if (file)
		fclose(file);
	while (*at >= '0' && *at <= '9') {
		first = last = strtol(at, &at, 10);
		if (*at == '-')
			last = strtol(at + 1, &at, 10);
		set_range(online, cpus, first, last);
		if (*at == ',')
			at++;
	}
}

static int open_cpu(struct mw_mappings *mappings, int cpu)
{
	size_t size = mappings->cpus > CPUS_MANY ? RING_SMALL : RING;
	struct mw_ring *ring = &mappings->ring[cpu];
	int r;

	r = mw_ring_open(ring, cpu, size, mappings->timer < 0);
	if (r < 0)
		return r;
	r = watch(mappings, ring->fd);
	if (r < 0)
		mw_ring_close(ring);
	return r;
}

/* Returns how many were opened, or a negative errno when one that is online could not be. */
static int open_online(struct mw_mappings *mappings)
{
	bool online[CPUS_MAX];
	int r, opened = 0;

	read_online(online, mappings->cpus);
	for (int cpu = 0; cpu < mappings->cpus; cpu++) {
		if (!online[cpu])
			mw_ring_close(&mappings->ring[cpu]);
		if (!online[cpu] || mappings->ring[cpu].fd >= 0)
			continue;
		r = open_cpu(mappings, cpu);
		if (r < 0 && r != -ENODEV)
			return r;
		opened += !r;
	}
	return opened;
}

static int allocate(struct mw_mappings **ret)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct mw_mappings *mappings;

	cpus = cpus < 1 ? 1 : cpus > CPUS_MAX ? CPUS_MAX : cpus;
	mappings = calloc(1, sizeof(*mappings) + (size_t)cpus * sizeof(struct mw_ring));
	if (!mappings)
		return -ENOMEM;
	mappings->cpus = (int)cpus;
	mappings->timer = -1;
	for (int cpu = 0; cpu < mappings->cpus; cpu++)
		mappings->ring[cpu].fd = -1;
	mappings->epoll = epoll_create1(EPOLL_CLOEXEC);
	*ret = mappings;
	return mappings->epoll < 0 ? -errno : 0;
}

int mw_mappings_open(const struct mw_mappings_callbacks *callbacks, void *context,
                     unsigned interval_ms, struct mw_mappings **ret)
{
	struct mw_mappings *mappings = NULL;
	int r;

	r = allocate(&mappings);
	if (r < 0)
		goto out;
	mappings->callbacks = callbacks;
	mappings->context = context;
	if (interval_ms)
		r = start_timer(mappings, interval_ms);
	if (r < 0)
		goto out;
	r = open_online(mappings);
	if (r < 0)
		goto out;
	*ret = mappings;
	return 0;
out:
	mw_mappings_close(mappings);
	return r;
}

void mw_mappings_close(struct mw_mappings *mappings)
{
	if (!mappings)
		return;
	for (int cpu = 0; cpu < mappings->cpus; cpu++)
		mw_ring_close(&mappings->ring[cpu]);
	if (mappings->timer >= 0)
		close(mappings->timer);
	if (mappings->epoll >= 0)
		close(mappings->epoll);
	free(mappings);
}

int mw_mappings_fd(const struct mw_mappings *mappings)
{
	return mappings->epoll;
}

uint64_t mw_mappings_lost(const struct mw_mappings *mappings)
{
	return mappings->lost;
}

static void lose(struct mw_mappings *mappings, uint64_t count)
{
	mappings->lost += count;
	mappings->missed = true;
}

static void tell(struct mw_mappings *mappings, const struct mw_side *side)
{
	const struct mw_mappings_callbacks *callbacks = mappings->callbacks;

	/* Those of another pid namespace, in which we see nobody. */
	if (side->kind != MW_SIDE_LOST && side->pid <= 0)
		return;
	if (side->kind == MW_SIDE_MAPPED)
		callbacks->mapped(mappings->context, &side->mapping);
	else if (side->kind == MW_SIDE_EXEC)
		callbacks->exec(mappings->context, side->pid);
	else if (side->kind == MW_SIDE_FORK && side->pid != side->parent)
		callbacks->forked(mappings->context, side->pid, side->parent);
	else if (side->kind == MW_SIDE_EXIT)
		callbacks->ended(mappings->context, side->pid, side->tid);
	else if (side->kind == MW_SIDE_LOST)
		lose(mappings, side->lost);
}

static void hand_over(struct mw_mappings *mappings, struct mw_ring *ring)
{
	uint8_t copy[MW_RECORD_SIDE_MAX];
	const void *record = mw_ring_record(ring, copy);
	struct mw_side side;

	if (record && mw_side_decode(record, ring->len, &side) >= 0)
		tell(mappings, &side);
	else
		lose(mappings, 1);
	mw_ring_next(ring);
}

/* The ring whose next record is the oldest. */
static struct mw_ring *oldest(struct mw_mappings *mappings)
{
	struct mw_ring *found = NULL;

	for (int cpu = 0; cpu < mappings->cpus; cpu++) {
		struct mw_ring *ring = &mappings->ring[cpu];

		if (ring->len && (!found || ring->time < found->time))
			found = ring;
	}
	return found;
}

/* What a fork and an exec mean depends on which was first, and they may be on different CPUs. */
void mw_mappings_poll(struct mw_mappings *mappings)
{
	struct mw_ring *ring;
	uint64_t ticks;

	/* Also lowers the descriptor until the next time. */
	if (mappings->timer >= 0 && read(mappings->timer, &ticks, sizeof(ticks)) < 0)
		ticks = 0;
	for (int cpu = 0; cpu < mappings->cpus; cpu++)
		if (mappings->ring[cpu].fd >= 0 && !mw_ring_begin(&mappings->ring[cpu]))
			mappings->missed = true;
	for (int cpu = 0; cpu < mappings->cpus; cpu++)
		if (mappings->ring[cpu].fd >= 0)
			mw_ring_peek(&mappings->ring[cpu]);
	while ((ring = oldest(mappings))) {
		hand_over(mappings, ring);
		mw_ring_peek(ring);
	}
	if (mappings->missed) {
		mappings->missed = false;
		mappings->callbacks->lost(mappings->context);
	}
}

void mw_mappings_follow_cpus(struct mw_mappings *mappings)
{
	int opened;

	mw_mappings_poll(mappings);
	opened = open_online(mappings);
	if (opened)
		mappings->callbacks->lost(mappings->context);
}

static void scan_process(struct mw_mappings *mappings, pid_t pid)
{
	const struct mw_mappings_callbacks *callbacks = mappings->callbacks;
	struct mw_maps maps = {0};

	if (mw_maps_read(pid, &maps) < 0)
		return;
	callbacks->scanned(mappings->context, pid, false);
	for (size_t i = 0; i < maps.count; i++) {
		const struct mw_map *map = &maps.maps[i];
		struct mw_mapping mapping = {
		        .pid = pid,
		        .address = map->start,
		        .length = map->end - map->start,
		        .offset = map->offset,
		        .dev = map->dev,
		        .ino = map->ino,
		        .path = mw_map_path(&maps, map),
		};

		if (map->ino && map->prot & MW_MAP_EXEC)
			callbacks->mapped(mappings->context, &mapping);
	}
	callbacks->scanned(mappings->context, pid, true);
	mw_maps_free(&maps);
}

int mw_mappings_scan(struct mw_mappings *mappings)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	char *end;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		long pid = strtol(entry->d_name, &end, 10);

		if (pid > 0 && !*end)
			scan_process(mappings, (pid_t)pid);
	}
	closedir(proc);
	mappings->callbacks->scanned(mappings->context, 0, true);
	return 0;
}
