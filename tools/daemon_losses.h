/* What the daemon could not see: told in the stream of alerts, never silent and never a flood. */
#ifndef MW_TOOLS_DAEMON_LOSSES_H
#define MW_TOOLS_DAEMON_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

#include "alert.h"
#include "daemon_engine.h"

enum mw_loss_kind {
	MW_LOST_RING_FULL, /* the first five are counted for each hook */
	MW_LOST_NO_SCRATCH,
	MW_LOST_MAP_FULL,
	MW_LOST_USER_READ,
	MW_LOST_UNWIND,
	MW_LOST_MAPPINGS,
	MW_LOST_BROKEN,
	MW_LOST_INVENTORY,
	MW_LOSS_KINDS
};

/* The word that records and metrics have for it, and the sentence that people get. */
const char *mw_loss_name(enum mw_loss_kind kind);
const char *mw_loss_reason(enum mw_loss_kind kind);

/* How many there were so far, with those of every hook. */
uint64_t mw_loss_count(const struct mw_engine_view *view, enum mw_loss_kind kind);

/* Of the kinds that are counted for each hook, those of one. */
uint64_t mw_loss_of_hook(const struct mw_engine_hook *hook, enum mw_loss_kind kind);

/* What has been told. Starts as zeroes. */
struct mw_daemon_losses {
	struct mw_loss_state {
		uint64_t hook[MW_ENGINE_HOOKS], all;
		int64_t clean;      /* when nothing was untold, ns since 1970 */
		int64_t next, wait; /* not to be told before, and how long that is, ns */
	} kind[MW_LOSS_KINDS];
};

/* Tells `alerts` what has been lost since it was told last: of each kind at most once a second, and
 * less often, down to once a minute, while it goes on. `now` is in ns since 1970; with `last` all
 * that is left is told. */
void mw_daemon_losses_tell(struct mw_daemon_losses *losses, const struct mw_engine_view *view,
                           struct mw_alerts *alerts, int64_t now, bool last);

#endif
