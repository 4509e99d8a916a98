#include "python_sites.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "insn.h"
#include "python_parts.h"

#define NOP 0x90

const char *mw_site_refusal(enum mw_site_refusal why)
{
	static const char *const words[MW_SITE_REFUSALS] = {
	        [MW_SITE_NOP5] = "starts with a 5-byte nop, on which a probe is not safe",
	        [MW_SITE_TRAP] = "starts with what no probe may be put on",
	        [MW_SITE_ELSEWHERE] = "is not the start of a function of this file",
	        [MW_SITE_CONVENTION] = "takes its arguments in a way that is not known",
	        [MW_SITE_SEMAPHORE] = "has its semaphore where none can be",
	        [MW_SITE_TOO_MANY] = "is one of too many",
	};

	return why < MW_SITE_REFUSALS ? words[why] : "";
}

void mw_sites_refuse(struct mw_python_sites *sites, uint32_t kind, uint64_t entry,
                     enum mw_site_refusal why)
{
	if (sites->refused_count < MW_SITES_MAX)
		sites->refused[sites->refused_count++] = (struct mw_refused_site){kind, why, entry};
}

/* As much code at `vaddr` as an instruction or an endbr64 and an instruction can have. Returns how
 * much there is, 0 when it is no code. */
static int read_start(const struct mw_elf *elf, uint64_t vaddr, uint8_t *buf, size_t max)
{
	const struct mw_elf_load *load = mw_elf_load_at(elf, vaddr);
	uint64_t left;
	int r;

	if (!load || !(load->flags & PF_X))
		return 0;
	left = load->size - (vaddr - load->vaddr);
	if (left < max)
		max = (size_t)left;
	r = mw_elf_read(elf, vaddr, buf, max);
	if (r < 0)
		return r == -EFAULT ? 0 : r;
	return (int)max;
}

/* An address out of a table is only believed where the compiler says that code starts there: a
 * breakpoint in the middle of an instruction would break the process. Without any unwind entry
 * there is nothing to ask. A USDT's instruction was put where it is on purpose, and is a nop. */
static int is_start(const struct mw_elf *elf, const struct mw_site *site)
{
	uint64_t from, to;
	int r;

	if (site->convention == MW_BY_USDT)
		return 1;
	r = mw_elf_find_code(elf, site->entry, &from, &to);
	if (r == -ENOENT)
		return 1;
	return r < 0 ? r : from == site->entry;
}

/* Puts the probe on the function's first instruction that does something: the one after endbr64,
 * which would be single-stepped. The stack pointer is the same there, and nobody jumps in between.
 * Returns 1, 0 when it is refused, or what the reader returned. */
static int place(struct mw_python_sites *sites, const struct mw_elf *elf, struct mw_site *site)
{
	const struct mw_elf_load *load = mw_elf_load_at(elf, site->entry);
	uint8_t code[4 + MW_INSN_MAX];
	enum mw_insn_cost cost;
	size_t skip;
	int r;

	r = read_start(elf, site->entry, code, sizeof(code));
	if (r < 0)
		return r;
	skip = mw_insn_endbr(code, (size_t)r);
	if (!r || !load) {
		mw_sites_refuse(sites, site->kind, site->entry, MW_SITE_ELSEWHERE);
		return 0;
	}
	cost = mw_insn_cost(code + skip, (size_t)r - skip);
	if (cost == MW_INSN_REFUSED || (site->convention == MW_BY_USDT && code[0] != NOP)) {
		mw_sites_refuse(sites, site->kind, site->entry,
		                mw_insn_is_nop5(code + skip, (size_t)r - skip) ? MW_SITE_NOP5
		                                                               : MW_SITE_TRAP);
		return 0;
	}
	site->slow = cost == MW_INSN_SLOW;
	site->skip = (uint32_t)skip;
	site->offset = site->entry - load->vaddr + load->offset + skip;
	return 1;
}

static bool is_known(const struct mw_python_sites *sites, const struct mw_site *site)
{
	for (uint32_t i = 0; i < sites->count; i++)
		if (sites->site[i].entry == site->entry && sites->site[i].kind == site->kind)
			return true;
	for (uint32_t i = 0; i < sites->refused_count; i++)
		if (sites->refused[i].entry == site->entry && sites->refused[i].kind == site->kind)
			return true;
	return false;
}

int mw_sites_add(struct mw_python_sites *sites, const struct mw_elf *elf, struct mw_site site)
{
	int r;

	if (is_known(sites, &site))
		return 0;
	if (sites->count == MW_SITES_MAX) {
		mw_sites_refuse(sites, site.kind, site.entry, MW_SITE_TOO_MANY);
		return 0;
	}
	r = is_start(elf, &site);
	if (!r)
		mw_sites_refuse(sites, site.kind, site.entry, MW_SITE_ELSEWHERE);
	if (r <= 0)
		return r;
	r = place(sites, elf, &site);
	if (r <= 0)
		return r;
	r = site.convention == MW_BY_USDT ? 0 : mw_sites_bodies(&site, elf);
	if (r < 0)
		return r;
	sites->site[sites->count++] = site;
	return 0;
}

static bool has_site(const struct mw_python_sites *sites, uint32_t kind)
{
	for (uint32_t i = 0; i < sites->count; i++)
		if (sites->site[i].kind == kind)
			return true;
	return false;
}

static bool has(const struct mw_python_sites *sites, uint32_t kind)
{
	if (has_site(sites, kind))
		return true;
	for (uint32_t i = 0; i < sites->refused_count; i++)
		if (sites->refused[i].kind == kind)
			return true;
	return false;
}

static int find(struct mw_python_sites *sites, const struct mw_elf *elf)
{
	struct mw_elf_dynamic dynamic;
	int r;

	r = mw_elf_dynamic(elf, &dynamic);
	if (r < 0)
		return r;
	r = mw_sites_torch(sites, elf, &dynamic);
	/* libtorch is no interpreter, and has large tables. */
	if (r < 0 || sites->count || sites->refused_count)
		return r;
	r = mw_sites_runtime(sites, elf, &dynamic);
	if (r < 0)
		return r;
	r = mw_sites_methods(sites, elf, &dynamic);
	if (r < 0)
		return r;
	sites->wants_pickle = sites->runtime && !has(sites, MW_K_UNPICKLER);
	/* Every event of the interpreter costs something while it is on, from id() to open(). */
	return has_site(sites, MW_K_SYS_AUDIT) ? 0 : mw_sites_usdt(sites, elf);
}

int mw_python_sites(const struct mw_elf *elf, struct mw_python_sites *ret)
{
	int r;

	*ret = (struct mw_python_sites){0};
#if !defined(__x86_64__)
	return -ENOTSUP;
#endif
	r = find(ret, elf);
	if (r < 0)
		*ret = (struct mw_python_sites){0};
	return r;
}
