#include "daemon_storm.h"

/* What is older than the time that counts is dropped. */
static void drop_old(struct mw_daemon_storm *storm, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < storm->count; i++)
		if (now - storm->seen[i].at < MW_STORM_MS)
			storm->seen[kept++] = storm->seen[i];
	storm->count = kept;
}

static bool is_known(const struct mw_daemon_storm *storm, uint64_t load)
{
	for (size_t i = 0; i < storm->count; i++)
		if (storm->seen[i].load == load)
			return true;
	return false;
}

bool mw_daemon_storm(struct mw_daemon_storm *storm, uint32_t most, uint64_t load, int64_t now)
{
	drop_old(storm, now);
	if (!most || is_known(storm, load))
		return false;
	if (storm->count < MW_STORM_MAX) {
		storm->seen[storm->count].load = load;
		storm->seen[storm->count++].at = now;
	}
	if (storm->count < most)
		return false;
	storm->count = 0;
	return true;
}
