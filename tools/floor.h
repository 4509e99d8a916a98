/* The floor of one run: its filter, who answers it, and who does when the monitor has died. */
#ifndef MW_TOOLS_FLOOR_H
#define MW_TOOLS_FLOOR_H

#include "floor_filter.h"
#include "floor_gate.h"

struct mw_floor {
	struct sock_fprog filter;
	struct mw_keeper_page *page;
	int listener; /* -1: none */
	struct mw_keeper keeper;
	struct mw_gate *gate;
};

/* Makes what is needed before the command starts: the filter, and a keeper, which refuses when the
 * monitor has died if `closed`. Call it while the process has one thread and before mw_job_open().
 * Returns 0 or a negative errno (mw_floor_why()); close in any case. */
int mw_floor_open(struct mw_floor *floor, const struct mw_floor_options *options, bool closed);

/* Has the listener answered; for mw_job_start(), with a struct mw_floor. */
int mw_floor_begin(void *floor, int listener);

/* Call it when no task of the run is left, or when the command was not started. */
void mw_floor_close(struct mw_floor *floor);

#endif
