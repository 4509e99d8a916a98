#include "floor.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

int mw_floor_open(struct mw_floor *floor, const struct mw_floor_options *options, bool closed)
{
	void *page = mmap(NULL, sizeof(*floor->page), PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int error;

	*floor = (struct mw_floor){.page = page == MAP_FAILED ? NULL : page, .listener = -1};
	error = floor->page ? mw_floor_filter(options, &floor->filter) : -ENOMEM;
	return error ? error : mw_keeper_start(floor->page, closed, &floor->keeper);
}

int mw_floor_begin(void *context, int listener)
{
	struct mw_floor *floor = context;
	/* The keeper first: from then on a death of ours leaves somebody who answers. */
	int error = mw_keeper_give(&floor->keeper, listener);

	if (!error)
		error = mw_gate_start(listener, floor->page, &floor->gate);
	if (!error)
		floor->listener = listener;
	return error;
}

void mw_floor_close(struct mw_floor *floor)
{
	mw_gate_stop(floor->gate);
	if (floor->listener >= 0)
		close(floor->listener);
	mw_keeper_dismiss(&floor->keeper);
	if (floor->page)
		munmap(floor->page, sizeof(*floor->page));
	mw_floor_filter_free(&floor->filter);
	*floor = (struct mw_floor){.listener = -1};
}
