/* A snapshot of the memory map of a watched process. */
#ifndef MW_TOOLS_MAPS_H
#define MW_TOOLS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MW_MAPS_MAX 65536           /* the kernel's own default limit is 65530 */
#define MW_MAPS_PATHS_MAX (4 << 20) /* bytes of path text; libtorch processes need about 64 KiB */

enum {
	MW_MAP_READ = 1,
	MW_MAP_WRITE = 2,
	MW_MAP_EXEC = 4,
};

struct mw_map {
	uint64_t start;
	uint64_t end;    /* first byte after it */
	uint64_t offset; /* of `start` in the file */
	uint64_t ino;    /* 0: no file behind it */
	dev_t dev;
	uint32_t path; /* see mw_map_path() */
	uint32_t prot; /* MW_MAP_READ and so on */
};

struct mw_maps {
	struct mw_map *maps; /* by ascending address */
	size_t count;
	char *paths;
	size_t paths_len;
	bool truncated; /* a limit was met: what lies above the last entry is missing */
};

/* Reads /proc/<pid>/maps into `ret`, which the caller releases with mw_maps_free() and which is
 * untouched on failure. Not atomic: the process may be changing its map meanwhile. Returns 0 or
 * a negative errno, -ENOENT when there is no such process. */
int mw_maps_read(pid_t pid, struct mw_maps *ret);

/* Keeps of `maps` what can be executed and has a file behind it, in no more memory than that takes.
 */
void mw_maps_keep_code(struct mw_maps *maps);

/* Puts one more into what mw_maps_keep_code() or mw_maps_copy() made, in the place of what it
 * covers. Its path is `path`, whatever `map` says. Returns 0, -ENOMEM, or -E2BIG when there would
 * be more than the numbers below; then it is not there. */
#define MW_MAPS_CODE_MAX 2048 /* a process with all of torch has some 200 */
#define MW_MAPS_CODE_PATHS_MAX (256 << 10)
int mw_maps_put(struct mw_maps *maps, const struct mw_map *map, const char *path);

/* Returns 0 or -ENOMEM; the caller releases `ret` with mw_maps_free(). */
int mw_maps_copy(const struct mw_maps *maps, struct mw_maps *ret);

/* Releases what `maps` holds and empties it. */
void mw_maps_free(struct mw_maps *maps);

/* The mapping that contains `addr`, or NULL. */
const struct mw_map *mw_maps_find(const struct mw_maps *maps, uint64_t addr);

/* The path of `map` as the kernel prints it: a path, "[stack]" and the like, or "" for anonymous
 * memory. Chosen by the watched process, any bytes may be in it. Lives as long as `maps`. */
const char *mw_map_path(const struct mw_maps *maps, const struct mw_map *map);

struct stat;
/* Whether the regular file of which stat() says `st` is the one behind `map`. btrfs and overlayfs
 * number their devices differently in the map and in stat(): both numbers are then anonymous ones,
 * or one of them is. */
bool mw_map_is_file(const struct mw_map *map, const struct stat *st);

#endif
