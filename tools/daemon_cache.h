/* The files that were looked into, whatever they turned out to be: so that what runs all the time
 * is not looked into again. Who has been there longest gives way. */
#ifndef MW_TOOLS_DAEMON_CACHE_H
#define MW_TOOLS_DAEMON_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "daemon_record.h"

#define MW_CACHE_SETS 1024
#define MW_CACHE_WAYS 4

/* One state of one file. */
struct mw_file_state {
	uint64_t size;
	int64_t modified, changed; /* ns */
};

struct mw_cache_file {
	dev_t dev;    /* as the kernel calls it in a mapping: on btrfs and overlayfs not stat()'s */
	uint64_t ino; /* 0: empty */
	struct mw_file_state state;
	uint64_t checked; /* time of the last look at its state */
	uint32_t generation;
	bool plain; /* no interpreter's, and nobody but root may change it */
	bool watched;
};

struct mw_cache {
	struct mw_cache_file file[MW_CACHE_SETS][MW_CACHE_WAYS];
	uint8_t next[MW_CACHE_SETS];
};

struct mw_file_state mw_file_state(const struct stat *st);
bool mw_file_state_same(const struct mw_file_state *a, const struct mw_file_state *b);

/* Whether the mapped file needs no look at all: it is no interpreter's, was there a second ago, and
 * nobody but root could have changed it since. */
bool mw_cache_is_plain(const struct mw_cache *cache, const struct mw_mapping *mapping,
                       uint64_t now);

/* What is known of the mapped file in this very state, or NULL. On devices without a number of
 * their own several files have one name. */
struct mw_cache_file *mw_cache_find(struct mw_cache *cache, dev_t dev, uint64_t ino,
                                    const struct mw_file_state *state);

/* Enters a file; `st` is stat()'s of it. */
struct mw_cache_file *mw_cache_put(struct mw_cache *cache, dev_t dev, uint64_t ino,
                                   const struct stat *st, bool watched);

/* Whether any file of that name is known. */
bool mw_cache_has(const struct mw_cache *cache, dev_t dev, uint64_t ino);

#endif
