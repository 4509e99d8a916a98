/* What the courier gives up before it talks to anybody, and other helpers of a monitor. */
#ifndef MW_COURIER_CONFINE_H
#define MW_COURIER_CONFINE_H

#include <stdint.h>

#include "calls.h"

/* Closes every descriptor above `last`. */
void mw_confine_descriptors(int last);

/* No capability but those of the set `keep` (1 << CAP_...) that there are, and no new privilege,
 * for this process and whatever it starts; other threads stay as they are. Returns 0 or a negative
 * errno. */
int mw_confine_rights(uint64_t keep);

/* The same for a helper, which has no other calls than `caller` makes, no priority, and no end by
 * the session or the monitor's terminal: it goes when the monitor's socket is closed, and not
 * before. Returns 0 or a negative errno. */
int mw_confine(uint64_t keep, enum mw_caller caller);

#endif
