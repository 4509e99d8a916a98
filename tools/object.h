/* The files that watched processes have mapped: opened without trusting the process, a few kept
 * open, and read through a small cache. Everything here is bounded, so that the monitor stays
 * small however large the libraries are. */
#ifndef MW_TOOLS_OBJECT_H
#define MW_TOOLS_OBJECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf.h"
#include "maps.h"

struct mw_objects;
struct mw_object;

/* Makes an empty cache, which the caller releases with mw_objects_free(). Returns 0 or -ENOMEM. */
int mw_objects_new(struct mw_objects **ret);

void mw_objects_free(struct mw_objects *objects);

/* Says that the mappings passed to mw_objects_get() come from a new snapshot. What is known about
 * files stays, which file is behind a mapping is looked up again. */
void mw_objects_begin(struct mw_objects *objects);

/* The file behind `map` of process `pid`, if it is the very file that was mapped, a regular one
 * and ELF; otherwise NULL. `maps` is the snapshot that `map` belongs to and must outlive the next
 * mw_objects_begin(). The result is good until the next call of this function. */
struct mw_object *mw_objects_get(struct mw_objects *objects, pid_t pid, const struct mw_maps *maps,
                                 const struct mw_map *map);

/* Its headers. Reading through them goes through the cache. */
const struct mw_elf *mw_object_elf(const struct mw_object *object);

/* Reads exactly `len` bytes at `offset` of the file. Returns 0 or a negative errno, -EIO past the
 * end. */
int mw_object_read(struct mw_object *object, uint64_t offset, void *buf, size_t len);

/* As mw_elf_find_symbols(), and remembers the answers. May reorder `symbols`. */
int mw_object_find_symbols(struct mw_object *object, struct mw_elf_symbol *symbols, size_t count);

#endif
