/* The loads that processes told the monitor about. A load's place here is its slot in the state
 * page. Bounded: the load that was heard of longest ago gives way, one with a denial or with
 * processes in its scope last. */
#ifndef MW_TOOLS_REGISTRY_H
#define MW_TOOLS_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/wire.h"
#include "locate.h"

#define MW_REGISTRY_TEXT 2048 /* bytes of strings kept of one load */

struct mw_registry_entry {
	uint64_t heard; /* order of the last use */
	uint32_t tasks; /* processes in the scope of the load */
	bool called;    /* it has said once that it called what is no plain rebuilder */
	/* With its strings right behind it; NULL when only the id is known. */
	struct mw_record_load *load;
	/* Where the load started the tasks in its scope; NULL when it started none. */
	struct mw_location *at;
	/* The alert of the first denial in its scope; NULL when there was none. */
	struct mw_told *told;
};

/* What the owner of the job is told of an alert. */
struct mw_told {
	char id[40], title[600];
};

struct mw_registry {
	struct mw_page *page; /* borrowed: holds the ids and the counts */
	uint64_t clock;
	struct mw_registry_entry entry[MW_PAGE_SLOTS];
};

/* The slot of the load called `id`, or 0 when it is not known or `id` is 0. */
uint32_t mw_registry_find(const struct mw_registry *registry, uint64_t id);

/* A copy of `load` with its strings, and without its descriptor and address. NULL when there is no
 * memory; free() it. */
struct mw_record_load *mw_registry_copy(pid_t pid, const struct mw_record_load *load);

/* The slot of `load`, entered when it was not known. What `load` says of itself is kept for records
 * that carry only its id: without its descriptor and address, which mean something in process `pid`
 * alone and only now, and with its path made absolute. Returns 0 when `load` has no id. */
uint32_t mw_registry_put(struct mw_registry *registry, pid_t pid,
                         const struct mw_record_load *load);

/* Remembers that the load in `slot` started a task at `at`. */
void mw_registry_start(struct mw_registry *registry, uint32_t slot, const struct mw_location *at);

/* Remembers the first alert of a denial to the load in `slot`. */
void mw_registry_deny(struct mw_registry *registry, uint32_t slot, const char *id,
                      const char *title);

/* Frees the copies. */
void mw_registry_clear(struct mw_registry *registry);

#endif
