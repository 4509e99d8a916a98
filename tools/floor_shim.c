#include "floor_shim.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "installed.h"
#include "maps.h"

/* The code of the shim that holds `address` (0: any of it). */
static bool find(pid_t pid, uint64_t address, uint64_t *ret_low, uint64_t *ret_high)
{
	char path[PATH_MAX];
	struct mw_maps maps;
	struct stat shim;
	bool found = false;

	if (mw_installed("libmodelwatch.so", path) || stat(path, &shim) ||
	    mw_maps_read(pid, &maps) < 0)
		return false;
	for (size_t i = 0; i < maps.count && !found; i++) {
		const struct mw_map *map = &maps.maps[i];

		found = map->prot & MW_MAP_EXEC && mw_map_is_file(map, &shim) &&
		        (!address || (address >= map->start && address < map->end));
		if (found) {
			*ret_low = map->start;
			*ret_high = map->end;
		}
	}
	mw_maps_free(&maps);
	return found;
}

int mw_floor_ask_shim(struct mw_floor_shims *shims, pid_t pid, uint64_t address)
{
	size_t i = (uint32_t)pid % MW_FLOOR_SHIMS;
	bool known = shims->at[i].pid == pid;

	if (known && address >= shims->at[i].low && address < shims->at[i].high)
		return 0;
	if (!find(pid, address, &shims->at[i].low, &shims->at[i].high))
		return -EPERM;
	shims->at[i].pid = pid;
	return known;
}

bool mw_floor_has_shim(pid_t pid)
{
	uint64_t low, high;

	return find(pid, 0, &low, &high);
}
