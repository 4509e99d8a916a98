#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cfi.h"
#include "insn.h"
#include "python_parts.h"

#define CODE_MAX (256u << 10) /* of one body; the interpreter's main loop has 60 kB */
#define MW_BELOW 1024         /* bytes of a frame that are looked at */
#define JUMPS_MAX 512         /* out of one body that are looked up */

struct range {
	uint64_t from, to;
};

struct bodies {
	const struct mw_elf *elf;
	struct range range[MW_BODIES_MAX];
	uint32_t count;
	bool cut;
};

static bool is_inside(const struct bodies *bodies, uint64_t vaddr)
{
	for (uint32_t i = 0; i < bodies->count; i++)
		if (vaddr >= bodies->range[i].from && vaddr < bodies->range[i].to)
			return true;
	return false;
}

/* A stub that goes on to another library: one indirect jump, after an endbr64 and the prefix of a
 * checked jump at most. Its code is not on the stack, and the unwind entry that covers it covers
 * all of them. Returns 1 or 0, or what the reader returned. */
static int is_stub(const struct mw_elf *elf, uint64_t vaddr)
{
	uint8_t code[4 + MW_INSN_MAX] = {0};
	struct mw_insn insn;
	size_t skip;
	int r;

	r = mw_elf_read(elf, vaddr, code, sizeof(code));
	if (r < 0)
		return r == -EFAULT ? 0 : r;
	skip = mw_insn_endbr(code, sizeof(code));
	return mw_insn_read(code + skip, sizeof(code) - skip, &insn) &&
	       insn.flow == MW_INSN_INDIRECT;
}

/* Code leaves a function by a jump for two reasons: to a part of it that lies elsewhere, or instead
 * of a call and a return. Either way what it jumps to is a body, whole. */
static int follow(struct bodies *bodies, uint64_t target)
{
	struct range range;
	int r;

	if (is_inside(bodies, target))
		return 0;
	r = mw_elf_find_code(bodies->elf, target, &range.from, &range.to);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = is_stub(bodies->elf, target);
	if (r)
		return r < 0 ? r : 0;
	if (bodies->count == MW_BODIES_MAX)
		bodies->cut = true;
	else
		bodies->range[bodies->count++] = range;
	return 0;
}

static int follow_all(struct bodies *bodies, struct range range, const uint8_t *code)
{
	size_t len = (size_t)(range.to - range.from), jumps = 0;
	struct mw_insn insn;
	int r;

	for (size_t at = 0; at < len; at += insn.len) {
		uint64_t target;

		if (!mw_insn_read(code + at, len - at, &insn)) {
			bodies->cut = true;
			return 0;
		}
		target = range.from + at + insn.len + (uint64_t)(int64_t)insn.distance;
		if ((insn.flow != MW_INSN_JUMP && insn.flow != MW_INSN_MAYBE_JUMP) ||
		    is_inside(bodies, target))
			continue;
		if (jumps++ == JUMPS_MAX) {
			bodies->cut = true;
			return 0;
		}
		r = follow(bodies, target);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_body(struct bodies *bodies, struct range range)
{
	uint64_t len = range.to - range.from;
	uint8_t *code;
	int r;

	if (len > CODE_MAX) {
		bodies->cut = true;
		return 0;
	}
	code = malloc(len + 1);
	if (!code)
		return -ENOMEM;
	r = mw_elf_read(bodies->elf, range.from, code, len);
	if (!r)
		r = follow_all(bodies, range, code);
	else if (r == -EFAULT)
		r = 0;
	free(code);
	return r;
}

/* The return address lies at the end of the caller's frame, and the one of the next call where the
 * stack pointer was. */
static void take_frame(const struct mw_elf *elf, uint64_t vaddr, struct mw_body *ret)
{
	struct mw_cfi *cfi = malloc(sizeof(*cfi));
	uint32_t count = 0;
	uint64_t fde;

	if (cfi && !mw_elf_find_fde(elf, vaddr, &fde) && !mw_cfi_load(cfi, elf, fde))
		for (size_t i = 0; i < cfi->offset_count && count < MW_BELOW_MAX; i++)
			if (cfi->offset[i] > 8 && cfi->offset[i] <= MW_BELOW &&
			    !(cfi->offset[i] % 8))
				ret->below[count++] = (uint16_t)cfi->offset[i];
	free(cfi);
}

/* Compilers keep all within 2 GB, for their own jumps to reach. */
static void keep(struct mw_site *site, const struct bodies *bodies)
{
	for (uint32_t i = 0; i < bodies->count; i++) {
		int64_t from = (int64_t)(bodies->range[i].from - site->entry);
		int64_t to = (int64_t)(bodies->range[i].to - site->entry);

		if (from < INT32_MIN || to > INT32_MAX || from >= to)
			continue;
		site->body[site->body_count] =
		        (struct mw_body){.from = (int32_t)from, .to = (int32_t)to};
		take_frame(bodies->elf, bodies->range[i].from, &site->body[site->body_count++]);
	}
	site->bodies_cut = bodies->cut;
}

int mw_sites_bodies(struct mw_site *site, const struct mw_elf *elf)
{
	struct bodies bodies = {.elf = elf};
	int r;

	r = mw_elf_find_code(elf, site->entry, &bodies.range[0].from, &bodies.range[0].to);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	bodies.count = 1;
	for (uint32_t i = 0; i < bodies.count; i++) {
		r = read_body(&bodies, bodies.range[i]);
		if (r < 0)
			return r;
	}
	keep(site, &bodies);
	return 0;
}
