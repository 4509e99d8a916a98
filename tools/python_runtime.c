#include <errno.h>

#include "python_parts.h"

static int absent_is_no_error(int r)
{
	return r == -ENOENT || r == -EFAULT ? 0 : r;
}

/* A version's own names in the API, the latest first. Before 3.11 nothing in the file holds the
 * version as a number; a name that a version brought is never brought by an older one. What comes
 * after 3.10 always has Py_Version. */
static const struct {
	const char *name;
	uint32_t version;
} brought[] = {
        {"PyModule_AddObjectRef", 0x030a},
        {"PyModule_AddType", 0x0309},
        {"PyCode_NewWithPosOnlyArgs", 0x0308},
        {"PyContextVar_New", 0x0307},
};

static int find_version(struct mw_python_sites *sites, const struct mw_elf *elf,
                        const struct mw_elf_dynamic *dynamic)
{
	struct mw_elf_export symbol;
	uint32_t number;
	int r;

	r = mw_elf_find_export(elf, dynamic, "Py_Version", &symbol);
	if (!r) {
		r = mw_elf_read(elf, symbol.value, &number, sizeof(number));
		if (!r && number >> 24 == 3)
			sites->version = number >> 16;
		return absent_is_no_error(r);
	}
	for (size_t i = 0; r == -ENOENT && i < sizeof(brought) / sizeof(brought[0]); i++) {
		r = mw_elf_find_export(elf, dynamic, brought[i].name, &symbol);
		if (!r)
			sites->version = brought[i].version;
	}
	return absent_is_no_error(r);
}

/* A static interpreter that exports nothing still has the section that _PyRuntime alone is in (3.10
 * and later). */
int mw_sites_runtime(struct mw_python_sites *sites, const struct mw_elf *elf,
                     const struct mw_elf_dynamic *dynamic)
{
	struct mw_elf_export symbol;
	struct mw_elf_table section;
	uint64_t vaddr;
	int r;

	r = mw_elf_find_export(elf, dynamic, "_PyRuntime", &symbol);
	if (!r) {
		sites->runtime = symbol.value;
		return find_version(sites, elf, dynamic);
	}
	if (r != -ENOENT)
		return r;
	r = mw_elf_find_section(elf, ".PyRuntime", &vaddr, &section);
	if (!r)
		sites->runtime = vaddr;
	return absent_is_no_error(r);
}
