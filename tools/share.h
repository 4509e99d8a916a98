/* Memory that the monitor shares with the watched processes and only the monitor can write. */
#ifndef MW_TOOLS_SHARE_H
#define MW_TOOLS_SHARE_H

#include <stddef.h>

/* A sealed copy of `size` bytes at `data`, that nobody can change, for reading. `name` is what maps
 * calls it. Returns a descriptor, or a negative errno. */
int mw_share_constant(const char *name, const void *data, size_t size);

/* Zeroed memory of `size` bytes, mapped writable at `*ret_memory` (until munmap()) and sealed so
 * that nobody else can map it so. Returns a descriptor for reading, or a negative errno. */
int mw_share_page(const char *name, size_t size, void **ret_memory);

#endif
