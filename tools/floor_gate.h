/* The thread of the monitor that answers the job's system calls. */
#ifndef MW_TOOLS_FLOOR_GATE_H
#define MW_TOOLS_FLOOR_GATE_H

#include "floor_keeper.h"

struct mw_gate;

/* Starts to answer `listener`, which it takes over when it returns 0. `page` is where it receives
 * (floor_keeper.h). Returns 0 or a negative errno; end with mw_gate_stop(). */
int mw_gate_start(int listener, struct mw_keeper_page *page, struct mw_gate **ret);

/* Ends the thread and closes the listener. `gate` may be NULL. */
void mw_gate_stop(struct mw_gate *gate);

#endif
