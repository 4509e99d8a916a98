/* The inventory of a run: which loads there were, told as records of modelwatch.inventory/1
 * (docs/alerts.md). Equal loads of a process within a minute are one record. Bounded: what there is
 * no room for is counted, and told in a record of the loss. */
#ifndef MW_TOOLS_INVENTORY_H
#define MW_TOOLS_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "../core/wire.h"

#define MW_INVENTORY_OPEN 1024 /* records that are not told yet: the most there are in a minute */
#define MW_INVENTORY_WINDOW_MS 60000

struct mw_inventory;
struct mw_alerts;

struct mw_inventory_options {
	const char *policy_digest; /* in hex; copied */
	json_t *labels;            /* an object of strings, shared */
	struct mw_alerts *alerts;  /* where losses are told; borrowed; NULL: nowhere */
	/* Takes a record: a line with its newline, copied by who wants to keep it. */
	void (*write)(void *context, const char *line, size_t len);
	void *context;
};

/* Returns 0 or a negative errno. The caller has blocked every signal that it
 * handles: large files are hashed by a thread. */
int mw_inventory_open(const struct mw_inventory_options *options, struct mw_inventory **ret);

/* A load of process `pid` has ended, as its `record` of the kind MW_LOADED says. `now_ms` is the
 * monotonic clock. */
void mw_inventory_add(struct mw_inventory *inventory, pid_t pid, const struct mw_record *record,
                      int64_t now_ms);

/* Tells what began a minute ago or longer, and what was lost. */
void mw_inventory_poll(struct mw_inventory *inventory, int64_t now_ms);

/* Whether anything waits to be told. */
bool mw_inventory_waits(const struct mw_inventory *inventory);

/* Waits a second at most for digests, tells everything and frees it. NULL is allowed. */
void mw_inventory_close(struct mw_inventory *inventory);

#endif
