/* What stays when the daemon has gone, and what a daemon before has left: maps with what is known
 * of the loads that are open are taken on, so that nothing that is under way is forgotten. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "../core/clock.h"
#include "daemon_programs_inside.h"

#define GRACE_MS 10000
#define IN_FLIGHT_US 20000 /* a program that runs has ended after that */

const char mw_programs_layout[] = MW_PROGRAMS_LAYOUT;

const char *const mw_programs_shared[] = {"tasks", "processes", "runtimes", "pythons",
                                          "sites", "ids",       NULL};

/* Maps that tell it what nobody has read. */
static const char *const last_words[] = {"events", "counters", "told", NULL};

static struct bpf_map *map_of(const struct mw_programs *p, const char *name)
{
	return bpf_object__find_map_by_name(p->bpf->obj, name);
}

int mw_programs_inherit(struct mw_programs *p)
{
	const struct mw_pins *from = p->bpf->bss->resting ? mw_heritage_like(p->heritage) : NULL;
	int error = 0;

	for (const char *const *name = mw_programs_shared; from && !error && *name; name++) {
		int fd = mw_pins_get(from, *name);

		error = fd < 0 ? fd : bpf_map__reuse_fd(map_of(p, *name), fd);
		if (fd >= 0)
			close(fd);
	}
	return error;
}

/* Layouts of interpreters have a version; the first that has none is no more one. */
static void learn_pythons(struct mw_programs *p)
{
	int fd = bpf_map__fd(p->bpf->maps.pythons);

	for (p->pythons = 0; p->pythons < MW_K_PYTHONS; p->pythons++) {
		struct mw_py_offsets *python = &p->python[p->pythons];

		if (bpf_map_lookup_elem(fd, &p->pythons, python) || !python->version)
			break;
	}
}

int mw_programs_take_stock(struct mw_programs *p)
{
	void *memory = mmap(NULL, sizeof(*p->site) * MW_K_SITES, PROT_READ, MAP_SHARED,
	                    bpf_map__fd(p->bpf->maps.sites), 0);

	if (memory == MAP_FAILED)
		return -errno;
	p->site = memory;
	learn_pythons(p);
	return mw_programs_sign(p);
}

/* The first thing that cannot stay is told: all of it does not. */
static void put(struct mw_programs *p, const char *name, int fd)
{
	if (p->pins.path[0] && !p->unpinned)
		p->unpinned = mw_pins_put(&p->pins, name, fd);
}

void mw_programs_stay_one(struct mw_programs *p, size_t i)
{
	if (p->link[i])
		put(p, mw_programs_table[i].name, bpf_link__fd(p->link[i]));
}

static void name_probe(const struct mw_probes *probes, size_t i, char ret[static 48])
{
	snprintf(ret, 48, "probe-%u-%zu", probes->number, i);
}

void mw_programs_stay_probes(struct mw_programs *p, const struct mw_probes *probes)
{
	char name[48];

	for (size_t i = 0; i < MW_UPROBES_MAX; i++) {
		if (probes->uprobes.link[i] < 0)
			continue;
		name_probe(probes, i, name);
		put(p, name, probes->uprobes.link[i]);
	}
}

void mw_programs_leave_probes(struct mw_programs *p, const struct mw_probes *probes)
{
	char name[48];

	for (size_t i = 0; !p->leaves && i < MW_UPROBES_MAX; i++) {
		name_probe(probes, i, name);
		if (probes->uprobes.link[i] >= 0)
			mw_pins_take(&p->pins, name);
	}
}

static void put_maps(struct mw_programs *p, const char *const *names)
{
	for (; *names; names++)
		put(p, *names, bpf_map__fd(map_of(p, *names)));
}

static void put_all(struct mw_programs *p)
{
	put_maps(p, mw_programs_shared);
	put_maps(p, last_words);
	put(p, "bss", bpf_map__fd(p->bpf->maps.bss));
	for (size_t i = 0; i < MW_PROGRAMS; i++)
		mw_programs_stay_one(p, i);
	for (const struct mw_probes *probes = p->probes; probes; probes = probes->next)
		mw_programs_stay_probes(p, probes);
}

/* What cannot stay whole does not stay. */
static void settle(struct mw_programs *p)
{
	if (!p->unpinned && p->pins.path[0])
		p->unpinned = mw_pins_settle(&p->pins, mw_programs_layout);
	if (p->unpinned)
		mw_pins_remove(&p->pins);
}

void mw_programs_stay(struct mw_programs *p, bool on)
{
	if (!on || !p->options.stays) {
		mw_pins_remove(&p->pins);
		p->unpinned = 0;
		if (!on && p->took_over)
			mw_heritage_drop(p->heritage, NULL, true);
		return;
	}
	if (p->pins.path[0])
		return;
	p->unpinned = mw_pins_new(&p->pins);
	put_all(p);
	if (!p->bpf->bss->resting)
		settle(p);
}

bool mw_programs_stays(const struct mw_programs *programs)
{
	return programs->pins.path[0] != '\0';
}

int mw_programs_unpinned(const struct mw_programs *programs)
{
	return programs->unpinned;
}

void mw_programs_leave(struct mw_programs *programs)
{
	programs->leaves = true;
}

/* The variables of programs with maps like ours. */
static void rest(const struct mw_pins *pins)
{
	struct mw_bpf__bss *bss;
	int fd = mw_pins_get(pins, "bss");

	if (fd < 0)
		return;
	bss = mmap(NULL, sizeof(*bss), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (bss == MAP_FAILED)
		return;
	bss->resting = true;
	munmap(bss, sizeof(*bss));
}

uint64_t mw_programs_take_over(struct mw_programs *programs,
                               void (*event)(void *context, const struct mw_programs_event *event),
                               void *context)
{
	if (programs->bpf->bss->resting)
		settle(programs);
	programs->bpf->bss->resting = false;
	mw_heritage_each_like(programs->heritage, rest);
	usleep(IN_FLIGHT_US);
	programs->took_over = true;
	programs->grace = mw_clock_ms() + GRACE_MS;
	return mw_heritage_read(programs->heritage, event, context);
}

void mw_programs_drop_old(struct mw_programs *programs)
{
	mw_heritage_drop(programs->heritage, NULL, false);
}

uint64_t mw_programs_tick(struct mw_programs *programs)
{
	if (mw_clock_ms() < programs->grace || !mw_heritage_is_there(programs->heritage))
		return 0;
	mw_heritage_drop(programs->heritage, &programs->pins, true);
	return mw_heritage_read(programs->heritage, NULL, NULL);
}

void mw_programs_told(struct mw_programs *programs, uint64_t lost)
{
	uint32_t key = 0;

	bpf_map_update_elem(bpf_map__fd(programs->bpf->maps.told), &key, &lost, BPF_ANY);
}
