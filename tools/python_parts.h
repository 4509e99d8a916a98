/* What the files that read an interpreter share: each adds the sites it finds. */
#ifndef MW_TOOLS_PYTHON_PARTS_H
#define MW_TOOLS_PYTHON_PARTS_H

#include "elf_dynamic.h"
#include "python_sites.h"

/* Adds a site of which kind, convention and entry are known, unless it is there already: judges its
 * first instruction and finds its bodies. Returns 0 or what the reader returned. */
int mw_sites_add(struct mw_python_sites *sites, const struct mw_elf *elf, struct mw_site site);

/* Says that there is a site which may not be probed. */
void mw_sites_refuse(struct mw_python_sites *sites, uint32_t kind, uint64_t entry,
                     enum mw_site_refusal why);

/* _pickle's functions and sys.audit(), by the tables of methods. Returns 0, -EFBIG, -ENOMEM, or
 * what the reader returned, as the following do. */
int mw_sites_methods(struct mw_python_sites *sites, const struct mw_elf *elf,
                     const struct mw_elf_dynamic *dynamic);

/* libtorch's readers and unpickler, by their symbols. */
int mw_sites_torch(struct mw_python_sites *sites, const struct mw_elf *elf,
                   const struct mw_elf_dynamic *dynamic);

/* The probe python:audit, by its note: a site of the same kind as sys.audit(). */
int mw_sites_usdt(struct mw_python_sites *sites, const struct mw_elf *elf);

/* Fills in the bodies of a site. */
int mw_sites_bodies(struct mw_site *site, const struct mw_elf *elf);

/* Version and _PyRuntime. */
int mw_sites_runtime(struct mw_python_sites *sites, const struct mw_elf *elf,
                     const struct mw_elf_dynamic *dynamic);

#endif
