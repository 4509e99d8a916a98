/* What daemons before have left in the kernel (daemon_pins.h): taken over, read to its end, and
 * taken away. */
#ifndef MW_TOOLS_DAEMON_HERITAGE_H
#define MW_TOOLS_DAEMON_HERITAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon_pins.h"
#include "daemon_programs.h"

struct mw_heritage;

/* Looks at what is there. `layout` is that of our own maps, `maps` (NULL at the end) those that
 * have to be there to go on with. Returns 0 or -ENOMEM; close with mw_heritage_close(), which takes
 * nothing away. */
int mw_heritage_open(const char *layout, const char *const *maps, struct mw_heritage **ret);
void mw_heritage_close(struct mw_heritage *heritage);

/* The newest folder whose maps are like ours; NULL: there is none. */
const struct mw_pins *mw_heritage_like(const struct mw_heritage *heritage);

/* Calls `each` for every folder whose maps are. */
void mw_heritage_each_like(const struct mw_heritage *heritage,
                           void (*each)(const struct mw_pins *pins));

/* Takes away what has maps like ours, or, with `all`, everything but `own`. What was told there,
 * and nobody has read, can still be. */
void mw_heritage_drop(struct mw_heritage *heritage, const struct mw_pins *own, bool all);

/* Whether there is something that has not been taken away. */
bool mw_heritage_is_there(const struct mw_heritage *heritage);

/* Hands over what was told there and nobody has read, and returns how many effects are lost of
 * which nobody has told: there was no room for them, or they are written in a way that is not ours.
 * Once. */
uint64_t mw_heritage_read(struct mw_heritage *heritage,
                          void (*event)(void *context, const struct mw_programs_event *event),
                          void *context);

#endif
