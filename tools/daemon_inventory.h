/* The inventory of the daemon: which loads of files the kernel has seen, clean ones too, told as
 * records of modelwatch.inventory/1. A process of its own looks at files and at who loads, so that
 * nothing here waits, whatever they are. */
#ifndef MW_TOOLS_DAEMON_INVENTORY_H
#define MW_TOOLS_DAEMON_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "daemon_engine.h"

struct mw_daemon_inventory;

struct mw_daemon_inventory_options {
	struct mw_engine *engine; /* borrowed */
	/* Takes a record: a line with its newline, copied by who wants to keep it. */
	void (*write)(void *context, const char *line, size_t len);
	void *context;
};

/* An inventory that is off. Returns 0 or a negative errno. */
int mw_daemon_inventory_open(const struct mw_daemon_inventory_options *options,
                             struct mw_daemon_inventory **ret);

/* Has loads told of from now on, or no more: then what is known is written as it is. A process that
 * cannot be started is tried again. */
void mw_daemon_inventory_turn(struct mw_daemon_inventory *inventory, bool on);

/* Loads that begin from now on were under this policy (its digest in hex, copied) and these labels
 * (an object of strings, shared): records of those before are ended. To be called before it is
 * turned on. */
void mw_daemon_inventory_policy(struct mw_daemon_inventory *inventory, const char *digest,
                                json_t *labels);

/* The descriptor to poll for reading, or -1. */
int mw_daemon_inventory_fd(const struct mw_daemon_inventory *inventory);

/* Takes what there is, ends a process that hangs, and starts it anew. To be called once a second in
 * any case. */
void mw_daemon_inventory_poll(struct mw_daemon_inventory *inventory);

/* Adds what it has counted to `view`. */
void mw_daemon_inventory_view(const struct mw_daemon_inventory *inventory,
                              struct mw_engine_view *view);

/* Turns it off, but waits a moment for what there is to be found out. */
void mw_daemon_inventory_finish(struct mw_daemon_inventory *inventory);
void mw_daemon_inventory_close(struct mw_daemon_inventory *inventory); /* NULL is allowed */

#endif
