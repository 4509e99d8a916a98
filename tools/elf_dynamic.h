/* What the dynamic linker reads of an ELF file: symbols by name, and relocations. */
#ifndef MW_TOOLS_ELF_DYNAMIC_H
#define MW_TOOLS_ELF_DYNAMIC_H

#include "elf.h"

/* Addresses are linked ones, sizes in bytes; 0: the file has none. */
struct mw_elf_dynamic {
	uint64_t symbols, names, names_size;
	uint64_t gnu_hash, hash;
	uint64_t rela, rela_size;
};

struct mw_elf_export {
	uint64_t value;
	uint64_t size;
};

/* A symbol whose name begins with what was looked for, the rest of the name, cut, in `rest`. */
typedef void mw_elf_export_fn(void *userdata, const struct mw_elf_export *symbol, const char *rest);

/* Reads the dynamic section. A file that has none leaves `ret` empty. Returns 0 or what the reader
 * returned. */
int mw_elf_dynamic(const struct mw_elf *elf, struct mw_elf_dynamic *ret);

/* Finds the symbol of that name which the file defines, by its hash table. Returns 0, -ENOENT, or
 * what the reader returned. */
int mw_elf_find_export(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                       const char *name, struct mw_elf_export *ret);

/* Calls `each` for every function that the file defines whose name begins with `prefix`, at most
 * MW_ELF_PREFIX_MAX. Costs one pass over the names and one over the symbols, in small pieces.
 * Returns 0 or what the reader returned. */
#define MW_ELF_PREFIX_MAX 64
int mw_elf_each_export(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                       const char *prefix, mw_elf_export_fn *each, void *userdata);

/* Where the section of that name lies: its linked address in `ret_vaddr` (0: it is not loaded), and
 * its bytes in the file in `ret`. Returns 0, -ENOENT, or what the reader returned. */
int mw_elf_find_section(const struct mw_elf *elf, const char *name, uint64_t *ret_vaddr,
                        struct mw_elf_table *ret);

#endif
