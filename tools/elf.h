/* A reader of 64-bit ELF files that trusts nothing in them and never holds more than a buffer of
 * one: libtorch_cpu.so is 400 MB, and the file is whatever a watched process has mapped. */
#ifndef MW_TOOLS_ELF_H
#define MW_TOOLS_ELF_H

#include <stddef.h>
#include <stdint.h>

#define MW_ELF_LOADS_MAX 16
#define MW_ELF_SYMBOLS_MAX (2u << 20) /* looked at in one table; libtorch_cpu.so has 531000 */
#define MW_ELF_NAME_MAX 128

/* Reads exactly `len` bytes at `offset` of the file into `buf`. Returns 0 or a negative errno. */
typedef int mw_elf_read_fn(void *userdata, uint64_t offset, void *buf, size_t len);

struct mw_elf_load {
	uint64_t vaddr;
	uint64_t offset;
	uint64_t size; /* bytes that come from the file */
	uint32_t flags;
};

struct mw_elf_table {
	uint64_t offset;
	uint64_t size; /* 0: the file has none */
};

struct mw_elf {
	mw_elf_read_fn *read;
	void *userdata;
	uint64_t size;
	struct mw_elf_load loads[MW_ELF_LOADS_MAX];
	size_t load_count;
	struct mw_elf_table dynamic; /* what the dynamic linker goes by */
	uint64_t frames_vaddr;       /* of the sorted index of .eh_frame, .eh_frame_hdr */
	struct mw_elf_table frames;
	struct mw_elf_table symbols;
	struct mw_elf_table names;
};

struct mw_elf_symbol {
	uint64_t vaddr;             /* in: the address to name */
	uint64_t value;             /* where the function starts, once found */
	char name[MW_ELF_NAME_MAX]; /* as in the file, any bytes, cut at the end; "": not found */
	uint32_t name_offset;
	uint32_t rank; /* of what was found so far; 0: nothing */
};

/* Reads the headers of a file of `size` bytes into `ret`, which keeps `read` and `userdata` for
 * the calls below. Holds nothing that must be released; untouched on failure. Returns 0, -ENOEXEC
 * when it is not an ELF file of this machine's kind, or what `read` returned. */
int mw_elf_open(struct mw_elf *ret, mw_elf_read_fn *read, void *userdata, uint64_t size);

/* The address, as linked, of the byte at `offset` of the file in an executable segment, in
 * `ret`. Returns 0 or -ENOENT. */
int mw_elf_vaddr(const struct mw_elf *elf, uint64_t offset, uint64_t *ret);

/* The segment that has the byte at linked address `vaddr` from the file, or NULL. */
const struct mw_elf_load *mw_elf_load_at(const struct mw_elf *elf, uint64_t vaddr);

/* Reads exactly `len` bytes at `offset` of the file. Returns 0, -EFAULT when they are not all
 * there, or what the reader returned. */
int mw_elf_read_at(const struct mw_elf *elf, uint64_t offset, void *buf, size_t len);

/* Reads exactly `len` bytes at linked address `vaddr`, all from one segment. Returns 0, -EFAULT,
 * or what the reader returned. */
int mw_elf_read(const struct mw_elf *elf, uint64_t vaddr, void *buf, size_t len);

/* Finds in the sorted index the unwind entry (FDE) that would cover `vaddr`, and puts its linked
 * address in `ret`. Whether it does cover it only the entry can say. Returns 0, -ENOENT when there
 * is none or no index, or what the reader returned. */
int mw_elf_find_fde(const struct mw_elf *elf, uint64_t vaddr, uint64_t *ret);

/* The code that the unwind entry covering `vaddr` is about, from `ret_from` up to `ret_to`: a
 * function, or a part of one. Returns 0, -ENOENT when no entry covers it, or what the reader
 * returned. */
int mw_elf_find_code(const struct mw_elf *elf, uint64_t vaddr, uint64_t *ret_from,
                     uint64_t *ret_to);

/* Names the function around each `vaddr` of `symbols`, all in one pass over .symtab, or .dynsym
 * where the file is stripped. Those not found keep an empty name. Returns 0 or what the reader
 * returned. */
int mw_elf_find_symbols(const struct mw_elf *elf, struct mw_elf_symbol *symbols, size_t count);

#endif
