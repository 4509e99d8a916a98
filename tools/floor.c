#include "floor.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

int mw_floor_open(struct mw_floor *floor, const struct mw_floor_options *options)
{
	void *page = mmap(NULL, sizeof(*floor->page), PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*floor = (struct mw_floor){.page = page == MAP_FAILED ? NULL : page};
	return floor->page ? mw_floor_filter(options, &floor->filter) : -ENOMEM;
}

int mw_floor_begin(void *context, int listener)
{
	struct mw_floor *floor = context;

	return mw_gate_start(listener, floor->page, &floor->gate);
}

void mw_floor_close(struct mw_floor *floor)
{
	mw_gate_stop(floor->gate);
	if (floor->page)
		munmap(floor->page, sizeof(*floor->page));
	mw_floor_filter_free(&floor->filter);
	*floor = (struct mw_floor){0};
}
