/* The file behind a mapping of a watched process. */
#ifndef MW_TOOLS_MAPPED_H
#define MW_TOOLS_MAPPED_H

#include <sys/stat.h>
#include <sys/types.h>

#include "maps.h"

/* Names the very regular file that process `pid` has mapped, without opening it for reading: what a
 * process has mapped could be a device. `path` is the mapping's. Returns a descriptor (O_PATH) with
 * what fstat() says of it in `st`, or a negative errno, -ESTALE when another file is there now. */
int mw_mapped_find(pid_t pid, const struct mw_map *map, const char *path, struct stat *st);

/* As above, by the path from our own root alone: the process may be gone. */
int mw_mapped_find_here(const struct mw_map *map, const char *path, struct stat *st);

/* Opens for reading what mw_mapped_find() named. Returns a descriptor or a negative errno. */
int mw_mapped_open(int path_fd);

#endif
