/* The probes in interpreters, and the processes that run them. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/user.h>

#include <bpf/bpf.h>

#include "daemon_programs_inside.h"

/* The number under which a site like that is entered, or none is. Loads that are open go on
 * counting on theirs, those that began under a daemon before, too: numbers that were used are given
 * away last. 0: there is none left. */
static uint32_t find_number(const struct mw_programs *p, const struct mw_k_site *look)
{
	static const struct mw_k_site blank;
	uint32_t used = 0, fresh = 0;

	for (uint32_t i = 0; i < MW_K_SITES; i++) {
		uint32_t number = (p->next_site + i) % MW_K_SITES;

		if (!number)
			continue;
		if (!memcmp(&p->site[number], look, sizeof(*look)))
			return number;
		if (!fresh && !memcmp(&p->site[number], &blank, sizeof(blank)))
			fresh = number;
		if (!used && !p->site_used[number])
			used = number;
	}
	return fresh ? fresh : used;
}

static int take_number(struct mw_programs *p, const struct mw_k_site *look, uint32_t *ret)
{
	*ret = find_number(p, look);
	if (!*ret || p->site_used[*ret] == UINT16_MAX)
		return -ENOSPC;
	p->site_used[*ret]++;
	p->next_site = *ret + 1;
	return bpf_map_update_elem(bpf_map__fd(p->bpf->maps.sites), ret, look, BPF_ANY);
}

/* Strings got eight bytes shorter with 3.12. What the process itself is known to run counts more.
 * 0: nothing is known. */
static uint32_t text_offset(uint32_t version)
{
	if (!version)
		return 0;
	return version < 0x030c ? 48 : 40;
}

/* The kernel's struct pt_regs begins as this does. */
static uint32_t place_of(uint8_t reg)
{
	static const uint32_t places[] = {
#define PLACE(name) offsetof(struct user_regs_struct, name)
	        PLACE(rax), PLACE(rdx), PLACE(rcx), PLACE(rbx), PLACE(rsi), PLACE(rdi),
	        PLACE(rbp), PLACE(rsp), PLACE(r8),  PLACE(r9),  PLACE(r10), PLACE(r11),
	        PLACE(r12), PLACE(r13), PLACE(r14), PLACE(r15),
#undef PLACE
	};

	return places[reg];
}

static void translate(const struct mw_site *from, uint32_t version, struct mw_k_site *to)
{
	*to = (struct mw_k_site){
	        .kind = from->kind,
	        .convention = from->convention,
	        .text = text_offset(version),
	        .takes_path = from->takes_path,
	        .skip = from->skip,
	};
	for (uint32_t i = 0; i < MW_K_BODIES && i < from->body_count; i++) {
		to->from[i] = from->body[i].from;
		to->to[i] = from->body[i].to;
		for (int j = 0; j < MW_K_BELOW; j++)
			to->below[i][j] = (uint8_t)(from->body[i].below[j] / 8);
	}
	for (int i = 0; i < 2; i++)
		to->usdt[i] = (struct mw_k_usdt){.at = place_of(from->usdt_arg[i].reg),
		                                 .in_memory = from->usdt_arg[i].in_memory,
		                                 .distance = from->usdt_arg[i].distance};
}

/* Enters the sites under numbers of their own. */
static int number_sites(struct mw_programs *p, const struct mw_python_sites *sites,
                        struct mw_uprobes *ret)
{
	int error = 0;

	for (uint32_t i = 0; !error && i < sites->count && ret->count < MW_UPROBES_MAX; i++) {
		struct mw_k_site look;
		uint32_t number;

		translate(&sites->site[i], sites->version, &look);
		error = take_number(p, &look, &number);
		if (error)
			break;
		ret->offset[ret->count] = sites->site[i].offset;
		ret->semaphore[ret->count] = sites->site[i].semaphore;
		ret->cookie[ret->count++] = number;
	}
	return error;
}

static void forget_sites(struct mw_programs *p, const struct mw_uprobes *uprobes)
{
	for (size_t i = 0; i < uprobes->count; i++)
		p->site_used[uprobes->cookie[i]]--;
}

int mw_programs_attach(struct mw_programs *programs, const char *path,
                       const struct mw_python_sites *sites, struct mw_probes **ret)
{
	struct mw_probes *probes = calloc(1, sizeof(*probes));
	int error;

	if (!probes)
		return -ENOMEM;
	error = number_sites(programs, sites, &probes->uprobes);
	if (!error)
		error = mw_uprobes_attach(programs->program[0], 0, path, &probes->uprobes);
	if (error) {
		forget_sites(programs, &probes->uprobes);
		free(probes);
		return error;
	}
	probes->number = programs->next_probes++;
	probes->next = programs->probes;
	probes->back = &programs->probes;
	if (probes->next)
		probes->next->back = &probes->next;
	programs->probes = probes;
	mw_programs_stay_probes(programs, probes);
	*ret = probes;
	return 0;
}

void mw_programs_detach(struct mw_programs *programs, struct mw_probes *probes)
{
	mw_programs_leave_probes(programs, probes);
	*probes->back = probes->next;
	if (probes->next)
		probes->next->back = probes->back;
	mw_uprobes_detach(&probes->uprobes);
	forget_sites(programs, &probes->uprobes);
	free(probes);
}

bool mw_programs_is_attached(const struct mw_probes *probes, uint32_t site)
{
	return probes && site < probes->uprobes.count && probes->uprobes.attached[site];
}

bool mw_programs_share_probes(const struct mw_programs *programs)
{
	return programs->multi;
}

bool mw_programs_is_body(const struct mw_programs *programs, uint32_t number, int64_t at)
{
	struct mw_k_site site;

	if (number >= MW_K_SITES ||
	    bpf_map_lookup_elem(bpf_map__fd(programs->bpf->maps.sites), &number, &site))
		return false;
	for (int i = 0; i < MW_K_BODIES; i++)
		if (at >= site.from[i] && at < site.to[i])
			return true;
	return false;
}

static int python_of(struct mw_programs *p, const struct mw_py_offsets *offsets, uint32_t *ret)
{
	for (*ret = 0; *ret < p->pythons; ++*ret)
		if (!memcmp(&p->python[*ret], offsets, sizeof(*offsets)))
			return 0;
	if (p->pythons == MW_K_PYTHONS)
		return -ENOSPC;
	p->python[p->pythons++] = *offsets;
	return bpf_map_update_elem(bpf_map__fd(p->bpf->maps.pythons), ret, offsets, BPF_ANY);
}

static struct mw_k_program file_key(dev_t dev, uint64_t ino)
{
	return (struct mw_k_program){.ino = ino, .dev = major(dev) << 20 | minor(dev)};
}

int mw_programs_runtime(struct mw_programs *programs, dev_t dev, uint64_t ino, uint64_t distance,
                        const struct mw_py_offsets *offsets)
{
	const struct mw_k_program key = file_key(dev, ino);
	struct mw_k_runtime runtime = {.distance = distance};
	int error = python_of(programs, offsets, &runtime.python);

	return error ? error
	             : bpf_map_update_elem(bpf_map__fd(programs->bpf->maps.runtimes), &key,
	                                   &runtime, BPF_ANY);
}

void mw_programs_no_runtime(struct mw_programs *programs, dev_t dev, uint64_t ino)
{
	const struct mw_k_program key = file_key(dev, ino);

	if (!programs->leaves)
		bpf_map_delete_elem(bpf_map__fd(programs->bpf->maps.runtimes), &key);
}

int mw_programs_process(struct mw_programs *programs, pid_t pid, uint64_t runtime,
                        const struct mw_py_offsets *offsets)
{
	struct mw_k_process process = {.runtime = runtime};
	uint32_t key = (uint32_t)pid;
	int error = python_of(programs, offsets, &process.python);

	return error ? error
	             : bpf_map_update_elem(bpf_map__fd(programs->bpf->maps.processes), &key,
	                                   &process, BPF_ANY);
}

void mw_programs_forget(struct mw_programs *programs, pid_t pid)
{
	uint32_t key = (uint32_t)pid;

	bpf_map_delete_elem(bpf_map__fd(programs->bpf->maps.processes), &key);
}
