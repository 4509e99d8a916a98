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
#define BELL 8192 /* holds the longest record */
#define CPUS_MANY 64
#define CPUS_MAX 4096

struct cpu {
	struct mw_ring ring;
	struct mw_ring bell; /* gets the same records, and wakes us; what is in it is not read */
};

/* While nothing happens the bells wake us with the next record. As soon as something does, they are
 * stopped, and a timer has the rings read, until nothing has come for a while. */
struct mw_mappings {
	const struct mw_mappings_callbacks *callbacks;
	void *context;
	int epoll, timer;
	struct timespec interval;
	bool rings; /* the bells */
	bool runs;  /* the timer */
	bool news;  /* since it was read */
	uint64_t lost;
	bool missed; /* the caller has not been told yet */
	int cpus;
	struct cpu cpu[];
};

static int watch(const struct mw_mappings *mappings, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(mappings->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int run_timer(struct mw_mappings *mappings, bool on)
{
	struct itimerspec timer = {.it_value = {0}};

	if (on)
		timer = (struct itimerspec){mappings->interval, mappings->interval};
	mappings->runs = on;
	return timerfd_settime(mappings->timer, 0, &timer, NULL) < 0 ? -errno : 0;
}

static void set_bells(struct mw_mappings *mappings, bool on)
{
	mappings->rings = on;
	for (int cpu = 0; cpu < mappings->cpus; cpu++)
		mw_ring_listen(&mappings->cpu[cpu].bell, on);
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

static void close_cpu(struct cpu *cpu)
{
	mw_ring_close(&cpu->ring);
	mw_ring_close(&cpu->bell);
}

static int open_cpu(struct mw_mappings *mappings, int number)
{
	size_t size = mappings->cpus > CPUS_MANY ? RING_SMALL : RING;
	struct cpu *cpu = &mappings->cpu[number];
	int r;

	r = mw_ring_open(&cpu->ring, number, size, false);
	if (r >= 0)
		r = mw_ring_open(&cpu->bell, number, BELL, true);
	if (r >= 0)
		r = watch(mappings, cpu->ring.fd);
	if (r >= 0)
		r = watch(mappings, cpu->bell.fd);
	if (r < 0)
		close_cpu(cpu);
	else
		mw_ring_listen(&cpu->bell, mappings->rings);
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
			close_cpu(&mappings->cpu[cpu]);
		if (!online[cpu] || mappings->cpu[cpu].ring.fd >= 0)
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
	mappings = calloc(1, sizeof(*mappings) + (size_t)cpus * sizeof(struct cpu));
	if (!mappings)
		return -ENOMEM;
	mappings->cpus = (int)cpus;
	for (int i = 0; i < mappings->cpus; i++)
		mappings->cpu[i].ring.fd = mappings->cpu[i].bell.fd = -1;
	mappings->epoll = epoll_create1(EPOLL_CLOEXEC);
	mappings->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	*ret = mappings;
	return mappings->epoll < 0 || mappings->timer < 0 ? -errno : 0;
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
	mappings->interval = (struct timespec){interval_ms / 1000, interval_ms % 1000 * 1000000L};
	r = watch(mappings, mappings->timer);
	if (r >= 0)
		r = run_timer(mappings, true);
	if (r >= 0)
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
		close_cpu(&mappings->cpu[cpu]);
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
		struct mw_ring *ring = &mappings->cpu[cpu].ring;

		if (ring->len && (!found || ring->time < found->time))
			found = ring;
	}
	return found;
}

/* What a fork and an exec mean depends on which was first, and they may be on different CPUs. True
 * when something had come. */
static bool read_rings(struct mw_mappings *mappings)
{
	struct mw_ring *ring;
	bool any = false;

	for (int cpu = 0; cpu < mappings->cpus; cpu++)
		if (mappings->cpu[cpu].ring.fd >= 0 && !mw_ring_begin(&mappings->cpu[cpu].ring))
			mappings->missed = true;
	for (int cpu = 0; cpu < mappings->cpus; cpu++)
		if (mappings->cpu[cpu].ring.fd >= 0)
			mw_ring_peek(&mappings->cpu[cpu].ring);
	while ((ring = oldest(mappings))) {
		any = true;
		hand_over(mappings, ring);
		mw_ring_peek(ring);
	}
	return any;
}

/* The kernel may write into a bell before it does into the ring: who is quick finds nothing there.
 */
static bool has_rung(struct mw_mappings *mappings)
{
	for (int cpu = 0; mappings->rings && cpu < mappings->cpus; cpu++)
		if (mw_ring_has_news(&mappings->cpu[cpu].bell))
			return true;
	return false;
}

static void keep_reading(struct mw_mappings *mappings)
{
	if (mappings->rings)
		set_bells(mappings, false);
	if (!mappings->runs)
		run_timer(mappings, true);
}

/* Bells first, then one more look by the timer: a record that was written as they were set may have
 * rung none. */
static void calm_down(struct mw_mappings *mappings)
{
	if (mappings->rings)
		run_timer(mappings, false);
	else
		set_bells(mappings, true);
}

void mw_mappings_poll(struct mw_mappings *mappings)
{
	uint64_t ticks;
	bool ticked = mappings->runs && read(mappings->timer, &ticks, sizeof(ticks)) > 0;
	bool any = read_rings(mappings);

	if (any)
		mappings->callbacks->caught_up(mappings->context);
	mappings->news |= any || has_rung(mappings);
	if (mappings->news)
		keep_reading(mappings);
	else if (ticked)
		calm_down(mappings);
	if (ticked)
		mappings->news = false;
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
		        .prot = map->prot,
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
