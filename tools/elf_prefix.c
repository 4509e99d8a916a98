#include "elf_dynamic.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define NAMES_MAX (64u << 20)
#define CHUNK 65536
#define NAME_MAX_LEN 256

/* Names that begin as wanted, by where they lie among the names. */
struct wanted {
	uint32_t offset[MW_ELF_PREFIX_MAX];
	char rest[MW_ELF_PREFIX_MAX][NAME_MAX_LEN];
	size_t count;
};

static int want_name(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                     uint64_t offset, size_t prefix, struct wanted *ret)
{
	char *rest = ret->rest[ret->count];
	uint64_t left = dynamic->names_size - offset - prefix;
	size_t len = left < NAME_MAX_LEN - 1 ? (size_t)left : NAME_MAX_LEN - 1;
	int r;

	r = mw_elf_read(elf, dynamic->names + offset + prefix, rest, len);
	if (r < 0)
		return r == -EFAULT ? 0 : r;
	rest[len] = 0;
	ret->offset[ret->count++] = (uint32_t)offset;
	return 0;
}

/* In pieces that overlap, so that no name is cut by their border. */
static int want_names(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                      const char *prefix, struct wanted *ret)
{
	uint64_t total = dynamic->names_size < NAMES_MAX ? dynamic->names_size : NAMES_MAX;
	size_t len = strlen(prefix);
	char chunk[CHUNK];
	size_t n;
	int r;

	for (uint64_t at = 0; at + len <= total; at += n - len + 1) {
		const char *found = chunk;

		n = total - at < CHUNK ? (size_t)(total - at) : CHUNK;
		r = mw_elf_read(elf, dynamic->names + at, chunk, n);
		if (r < 0)
			return r == -EFAULT ? 0 : r;
		while ((found = memmem(found, (size_t)(chunk + n - found), prefix, len))) {
			if (ret->count == MW_ELF_PREFIX_MAX)
				return 0;
			r = want_name(elf, dynamic, at + (uint64_t)(found - chunk), len, ret);
			if (r < 0)
				return r;
			found++;
		}
	}
	return 0;
}

static void offer_symbols(const Elf64_Sym *symbols, size_t count, const struct wanted *wanted,
                          mw_elf_export_fn *each, void *userdata)
{
	for (size_t i = 0; i < count; i++) {
		if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC ||
		    symbols[i].st_shndx == SHN_UNDEF)
			continue;
		for (size_t k = 0; k < wanted->count; k++)
			if (symbols[i].st_name == wanted->offset[k])
				each(userdata,
				     &(struct mw_elf_export){symbols[i].st_value,
				                             symbols[i].st_size},
				     wanted->rest[k]);
	}
}

/* How many symbols there are is written nowhere: linkers put the names behind them. */
int mw_elf_each_export(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                       const char *prefix, mw_elf_export_fn *each, void *userdata)
{
	Elf64_Sym chunk[CHUNK / sizeof(Elf64_Sym)];
	const size_t max = sizeof(chunk) / sizeof(chunk[0]);
	struct wanted wanted = {.count = 0};
	uint64_t total = 0;
	size_t n;
	int r;

	r = want_names(elf, dynamic, prefix, &wanted);
	if (r < 0 || !wanted.count)
		return r;
	if (dynamic->names > dynamic->symbols)
		total = (dynamic->names - dynamic->symbols) / sizeof(Elf64_Sym);
	if (total > MW_ELF_SYMBOLS_MAX)
		total = MW_ELF_SYMBOLS_MAX;
	for (uint64_t done = 0; done < total; done += n) {
		n = total - done < max ? (size_t)(total - done) : max;
		r = mw_elf_read(elf, dynamic->symbols + done * sizeof(Elf64_Sym), chunk,
		                n * sizeof(Elf64_Sym));
		if (r < 0)
			return r == -EFAULT ? 0 : r;
		offer_symbols(chunk, n, &wanted, each, userdata);
	}
	return 0;
}
