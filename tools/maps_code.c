/* Maps of code alone, which are kept for long and for many processes. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "maps.h"

/* Without memory what is there stays as it is. */
static void *shrink(void *array, size_t size)
{
	void *smaller = realloc(array, size ? size : 1);

	if (!smaller)
		return array;
	return smaller;
}

void mw_maps_keep_code(struct mw_maps *maps)
{
	size_t kept = 0;

	for (size_t i = 0; i < maps->count; i++)
		if (maps->maps[i].ino && maps->maps[i].prot & MW_MAP_EXEC)
			maps->maps[kept++] = maps->maps[i];
	maps->count = kept;
	maps->maps = shrink(maps->maps, kept * sizeof(*maps->maps));
	maps->paths = shrink(maps->paths, maps->paths_len);
}

int mw_maps_copy(const struct mw_maps *maps, struct mw_maps *ret)
{
	struct mw_maps copy = *maps;

	copy.maps = malloc(copy.count * sizeof(*copy.maps) + 1);
	copy.paths = malloc(copy.paths_len + 1);
	if (!copy.maps || !copy.paths) {
		mw_maps_free(&copy);
		return -ENOMEM;
	}
	if (copy.count)
		memcpy(copy.maps, maps->maps, copy.count * sizeof(*copy.maps));
	if (copy.paths_len)
		memcpy(copy.paths, maps->paths, copy.paths_len);
	*ret = copy;
	return 0;
}

static int add_path(struct mw_maps *maps, const char *path, uint32_t *ret)
{
	size_t len = strlen(path) + 1;
	char *paths;

	for (size_t i = 0; i < maps->count; i++) {
		*ret = maps->maps[i].path;
		if (!strcmp(maps->paths + *ret, path))
			return 0;
	}
	if (len > MW_MAPS_CODE_PATHS_MAX || maps->paths_len > MW_MAPS_CODE_PATHS_MAX - len)
		return -E2BIG;
	paths = realloc(maps->paths, maps->paths_len + len);
	if (!paths)
		return -ENOMEM;
	memcpy(paths + maps->paths_len, path, len);
	*ret = (uint32_t)maps->paths_len;
	maps->paths = paths;
	maps->paths_len += len;
	return 0;
}

static bool is_apart(const struct mw_map *a, const struct mw_map *b)
{
	return a->end <= b->start || b->end <= a->start;
}

/* What `over` leaves of `map`, below it or above it. */
static void put_rest(struct mw_map *to, size_t *count, const struct mw_map *map,
                     const struct mw_map *over, bool above)
{
	struct mw_map rest = *map;

	if (above && rest.start < over->end) {
		rest.offset += over->end - rest.start;
		rest.start = over->end;
	} else if (!above && rest.end > over->start) {
		rest.end = over->start;
	}
	if (rest.start < rest.end)
		to[(*count)++] = rest;
}

int mw_maps_put(struct mw_maps *maps, const struct mw_map *map, const char *path)
{
	struct mw_map put = *map, *all;
	size_t count = 0, i = 0;
	int r;

	if (put.start >= put.end)
		return 0;
	if (maps->count + 2 > MW_MAPS_CODE_MAX)
		return -E2BIG;
	r = add_path(maps, path, &put.path);
	if (r < 0)
		return r;
	all = malloc((maps->count + 2) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	while (i < maps->count && maps->maps[i].end <= put.start)
		all[count++] = maps->maps[i++];
	if (i < maps->count && !is_apart(&maps->maps[i], &put))
		put_rest(all, &count, &maps->maps[i], &put, false);
	all[count++] = put;
	for (; i < maps->count; i++)
		put_rest(all, &count, &maps->maps[i], &put, true);
	free(maps->maps);
	maps->maps = shrink(all, count * sizeof(*all));
	maps->count = count;
	return 0;
}
