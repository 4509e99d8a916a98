#include "daemon_cache.h"

#include <sys/sysmacros.h>

#define FRESH UINT64_C(1000000000) /* ns */

static size_t set_of(dev_t dev, uint64_t ino)
{
	return (size_t)((ino ^ dev << 40) * UINT64_C(0x9e3779b97f4a7c15) >> 54) % MW_CACHE_SETS;
}

static int64_t nanoseconds(struct timespec time)
{
	return (int64_t)((uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec);
}

struct mw_file_state mw_file_state(const struct stat *st)
{
	return (struct mw_file_state){(uint64_t)st->st_size, nanoseconds(st->st_mtim),
	                              nanoseconds(st->st_ctim)};
}

bool mw_file_state_same(const struct mw_file_state *a, const struct mw_file_state *b)
{
	return a->size == b->size && a->modified == b->modified && a->changed == b->changed;
}

/* An inode number that is used again comes with another generation. */
bool mw_cache_is_plain(const struct mw_cache *cache, const struct mw_mapping *mapping, uint64_t now)
{
	const struct mw_cache_file *file = cache->file[set_of(mapping->dev, mapping->ino)];

	if (!major(mapping->dev))
		return false;
	for (size_t i = 0; i < MW_CACHE_WAYS; i++)
		if (file[i].ino == mapping->ino && file[i].dev == mapping->dev)
			return file[i].plain && file[i].generation == mapping->generation &&
			       now - file[i].checked < FRESH;
	return false;
}

struct mw_cache_file *mw_cache_find(struct mw_cache *cache, dev_t dev, uint64_t ino,
                                    const struct mw_file_state *state)
{
	struct mw_cache_file *file = cache->file[set_of(dev, ino)];

	for (size_t i = 0; i < MW_CACHE_WAYS; i++)
		if (file[i].ino == ino && file[i].dev == dev &&
		    mw_file_state_same(&file[i].state, state))
			return &file[i];
	return NULL;
}

/* An older state of the same file goes first, where a name means one file. */
static struct mw_cache_file *place(struct mw_cache *cache, dev_t dev, uint64_t ino)
{
	size_t set = set_of(dev, ino);
	struct mw_cache_file *file = cache->file[set];

	for (size_t i = 0; i < MW_CACHE_WAYS; i++)
		if (!file[i].ino || (major(dev) && file[i].ino == ino && file[i].dev == dev))
			return &file[i];
	return &file[cache->next[set]++ % MW_CACHE_WAYS];
}

struct mw_cache_file *mw_cache_put(struct mw_cache *cache, dev_t dev, uint64_t ino,
                                   const struct stat *st, bool watched)
{
	struct mw_cache_file *file = place(cache, dev, ino);

	*file = (struct mw_cache_file){
	        .dev = dev,
	        .ino = ino,
	        .state = mw_file_state(st),
	        .plain = !watched && !st->st_uid && !(st->st_mode & (S_IWGRP | S_IWOTH)),
	        .watched = watched,
	};
	return file;
}

bool mw_cache_has(const struct mw_cache *cache, dev_t dev, uint64_t ino)
{
	const struct mw_cache_file *file = cache->file[set_of(dev, ino)];

	for (size_t i = 0; i < MW_CACHE_WAYS; i++)
		if (file[i].ino == ino && file[i].dev == dev)
			return true;
	return false;
}
