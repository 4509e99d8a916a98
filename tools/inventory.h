/* The inventory: which loads there were, told as records of modelwatch.inventory/1
 * (docs/alerts.md). Equal loads of a process within a minute are one record. Bounded: what there is
 * no room for is counted. */
#ifndef MW_TOOLS_INVENTORY_H
#define MW_TOOLS_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "../core/wire.h"
#include "identity_cache.h"

#define MW_INVENTORY_OPEN 1024 /* records that are not told yet: the most there are in a minute */
#define MW_INVENTORY_WINDOW_MS 60000
#define MW_INVENTORY_UNFINISHED "unfinished"

struct mw_inventory;

struct mw_inventory_options {
	const char *policy_digest; /* in hex; copied */
	json_t *labels;            /* an object of strings, shared */
	/* Takes a record: a line with its newline, copied by who wants to keep it. */
	void (*write)(void *context, const char *line, size_t len);
	/* Each record is written before its file is touched, too, and when that has been looked at:
	 * as it is by then, with MW_INVENTORY_UNFINISHED: an object of `start`, `cgroup` and `uid`,
	 * as the hint has them. */
	bool early;
	bool remember; /* who loads: a process may have ended when its next loads are told */
	/* There was no room for as many loads. */
	void (*lost)(void *context, uint64_t count);
	void *context;
};

/* Returns 0 or a negative errno. The caller has blocked every signal that it
 * handles: large files are hashed by a thread. */
int mw_inventory_open(const struct mw_inventory_options *options, struct mw_inventory **ret);

struct mw_inventory_load {
	const struct mw_record
	        *record; /* of the kind MW_LOADED; names a file, where there is one */
	const struct mw_identity_hint *who;
	/* The kernel has told of its beginning: how it goes on is not known. */
	bool begins;
	int64_t since;  /* ns since 1970: a file that has changed after that is another; 0: none has
	                 */
	bool hands_off; /* its file is not to be touched */
};

/* Takes a load that has ended, or begun. `now_ms` is the monotonic clock. */
void mw_inventory_add(struct mw_inventory *inventory, const struct mw_inventory_load *load,
                      int64_t now_ms);

/* Tells what began a minute ago or longer, and what was lost. */
void mw_inventory_poll(struct mw_inventory *inventory, int64_t now_ms);

/* Whether anything waits to be told. */
bool mw_inventory_waits(const struct mw_inventory *inventory);

/* As mw_hasher_stalled() says it of the file that is being hashed. */
int64_t mw_inventory_stalled(struct mw_inventory *inventory, int64_t now_ms, dev_t *ret_dev);

/* Waits a second at most for digests, tells everything and frees it. NULL is allowed. */
void mw_inventory_close(struct mw_inventory *inventory);

#endif
