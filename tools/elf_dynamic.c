#include "elf_dynamic.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define ENTRIES_MAX 256 /* of a dynamic section */
#define CHAIN_MAX 4096  /* symbols of one bucket that are looked at */
#define NAME_MAX_LEN 256
#define SECTIONS_MAX 256

/* What lies outside of the file is not there. */
static int absent(int r)
{
	return r == -EFAULT ? -ENOENT : r;
}

static void note_entry(struct mw_elf_dynamic *ret, const Elf64_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val;

	switch (entry->d_tag) {
	case DT_SYMTAB:
		ret->symbols = value;
		break;
	case DT_STRTAB:
		ret->names = value;
		break;
	case DT_STRSZ:
		ret->names_size = value;
		break;
	case DT_GNU_HASH:
		ret->gnu_hash = value;
		break;
	case DT_HASH:
		ret->hash = value;
		break;
	case DT_RELA:
		ret->rela = value;
		break;
	case DT_RELASZ:
		ret->rela_size = value;
		break;
	}
}

int mw_elf_dynamic(const struct mw_elf *elf, struct mw_elf_dynamic *ret)
{
	uint64_t count = elf->dynamic.size / sizeof(Elf64_Dyn);
	Elf64_Dyn entries[ENTRIES_MAX];
	int r;

	*ret = (struct mw_elf_dynamic){0};
	if (count > ENTRIES_MAX)
		count = ENTRIES_MAX;
	r = mw_elf_read_at(elf, elf->dynamic.offset, entries, count * sizeof(Elf64_Dyn));
	if (r < 0)
		return r == -EFAULT ? 0 : r;
	for (uint64_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++)
		note_entry(ret, &entries[i]);
	return 0;
}

/* Whether symbol `index` is defined here and has that name: 1 or 0, or what the reader returned. */
static int is_export(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic, uint32_t index,
                     const char *name, struct mw_elf_export *ret)
{
	size_t len = strlen(name) + 1;
	char found[NAME_MAX_LEN];
	Elf64_Sym symbol;
	int r;

	r = mw_elf_read(elf, dynamic->symbols + (uint64_t)index * sizeof(symbol), &symbol,
	                sizeof(symbol));
	if (r < 0)
		return absent(r);
	if (symbol.st_shndx == SHN_UNDEF || len > sizeof(found) ||
	    symbol.st_name >= dynamic->names_size || len > dynamic->names_size - symbol.st_name)
		return 0;
	r = mw_elf_read(elf, dynamic->names + symbol.st_name, found, len);
	if (r < 0)
		return absent(r);
	if (memcmp(found, name, len))
		return 0;
	*ret = (struct mw_elf_export){symbol.st_value, symbol.st_size};
	return 1;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (uint8_t)*name;
	return hash;
}

/* The table: header, a Bloom filter, which only saves time, the buckets, then a hash for each
 * symbol from `first` on, whose lowest bit ends the bucket. */
static int find_gnu(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                    const char *name, struct mw_elf_export *ret)
{
	struct {
		uint32_t buckets, first, bloom_words, shift;
	} header;
	uint32_t hash = gnu_hash(name), index, other;
	uint64_t buckets;
	int r;

	r = mw_elf_read(elf, dynamic->gnu_hash, &header, sizeof(header));
	if (r < 0 || !header.buckets)
		return r < 0 ? absent(r) : -ENOENT;
	buckets = dynamic->gnu_hash + sizeof(header) + (uint64_t)header.bloom_words * 8;
	r = mw_elf_read(elf, buckets + (uint64_t)(hash % header.buckets) * 4, &index, 4);
	if (r < 0 || index < header.first)
		return r < 0 ? absent(r) : -ENOENT;
	for (size_t i = 0; i < CHAIN_MAX; i++, index++) {
		r = mw_elf_read(elf,
		                buckets + ((uint64_t)header.buckets + index - header.first) * 4,
		                &other, 4);
		if (r < 0)
			return absent(r);
		r = (hash | 1) == (other | 1) ? is_export(elf, dynamic, index, name, ret) : 0;
		if (r)
			return r < 0 ? r : 0;
		if (other & 1)
			break;
	}
	return -ENOENT;
}

static uint32_t sysv_hash(const char *name)
{
	uint32_t hash = 0;

	for (; *name; name++) {
		hash = (hash << 4) + (uint8_t)*name;
		hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
	}
	return hash;
}

/* The table: how many buckets and symbols, the buckets, then for each symbol the next one. */
static int find_sysv(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                     const char *name, struct mw_elf_export *ret)
{
	uint32_t header[2], index;
	uint64_t at;
	int r;

	r = mw_elf_read(elf, dynamic->hash, header, sizeof(header));
	if (r < 0 || !header[0])
		return r < 0 ? absent(r) : -ENOENT;
	at = dynamic->hash + 8 + (uint64_t)(sysv_hash(name) % header[0]) * 4;
	for (size_t i = 0; i < CHAIN_MAX; i++) {
		r = mw_elf_read(elf, at, &index, 4);
		if (r < 0 || !index)
			return r < 0 ? absent(r) : -ENOENT;
		r = is_export(elf, dynamic, index, name, ret);
		if (r)
			return r < 0 ? r : 0;
		at = dynamic->hash + 8 + ((uint64_t)header[0] + index) * 4;
	}
	return -ENOENT;
}

int mw_elf_find_export(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                       const char *name, struct mw_elf_export *ret)
{
	if (dynamic->gnu_hash)
		return find_gnu(elf, dynamic, name, ret);
	return dynamic->hash ? find_sysv(elf, dynamic, name, ret) : -ENOENT;
}

static int section_is(const struct mw_elf *elf, const Elf64_Shdr *names, const Elf64_Shdr *section,
                      const char *name)
{
	size_t len = strlen(name) + 1;
	char found[64];
	int r;

	if (len > sizeof(found) || section->sh_name >= names->sh_size ||
	    len > names->sh_size - section->sh_name ||
	    names->sh_offset > UINT64_MAX - section->sh_name)
		return 0;
	r = mw_elf_read_at(elf, names->sh_offset + section->sh_name, found, len);
	if (r < 0)
		return r == -EFAULT ? 0 : r;
	return !memcmp(found, name, len);
}

int mw_elf_find_section(const struct mw_elf *elf, const char *name, uint64_t *ret_vaddr,
                        struct mw_elf_table *ret)
{
	Elf64_Shdr sections[SECTIONS_MAX];
	Elf64_Ehdr header;
	size_t count;
	int r;

	r = mw_elf_read_at(elf, 0, &header, sizeof(header));
	if (r < 0)
		return absent(r);
	count = header.e_shnum < SECTIONS_MAX ? header.e_shnum : SECTIONS_MAX;
	if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= count)
		return -ENOENT;
	r = mw_elf_read_at(elf, header.e_shoff, sections, count * sizeof(Elf64_Shdr));
	if (r < 0)
		return absent(r);
	for (size_t i = 0; i < count; i++) {
		r = section_is(elf, &sections[header.e_shstrndx], &sections[i], name);
		if (r < 0)
			return r;
		if (!r)
			continue;
		*ret_vaddr = sections[i].sh_flags & SHF_ALLOC ? sections[i].sh_addr : 0;
		*ret = (struct mw_elf_table){sections[i].sh_offset, sections[i].sh_size};
		return 0;
	}
	return -ENOENT;
}
