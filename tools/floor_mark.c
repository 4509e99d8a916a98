#include "floor_mark.h"

#include "../core/wire.h"

void mw_floor_mark_open(struct mw_floor_mark *mark)
{
	if (getrlimit(RLIMIT_MSGQUEUE, &mark->own) < 0)
		mark->own.rlim_max = 0;
}

void mw_floor_mark_set(struct mw_floor_mark *mark, pid_t pid, uint32_t slot)
{
	struct rlimit limit = mark->own;

	if (!slot || limit.rlim_max < MW_PAGE_SLOTS || mw_floor_mark_read(mark, pid))
		return;
	limit.rlim_max -= slot;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (!prlimit(pid, RLIMIT_MSGQUEUE, &limit, NULL))
		mark->used = true;
}

uint32_t mw_floor_mark_read(const struct mw_floor_mark *mark, pid_t pid)
{
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_MSGQUEUE, NULL, &limit) < 0 ||
	    limit.rlim_max >= mark->own.rlim_max ||
	    mark->own.rlim_max - limit.rlim_max >= MW_PAGE_SLOTS)
		return 0;
	return (uint32_t)(mark->own.rlim_max - limit.rlim_max);
}
