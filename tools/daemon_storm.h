/* Whether so many loads are refused something that it is not them who are wrong. A load counts
 * once, with all that it has started: one attacker alone is no storm. */
#ifndef MW_TOOLS_DAEMON_STORM_H
#define MW_TOOLS_DAEMON_STORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MW_STORM_MAX 1000 /* loads */
#define MW_STORM_MS 60000

struct mw_daemon_storm {
	struct {
		uint64_t load;
		int64_t at; /* ms, by a clock that only goes forwards */
	} seen[MW_STORM_MAX];
	size_t count;
};

/* `load`, as the kernel numbers it, has been refused something at `now`. Returns true when it is
 * the last of `most` within MW_STORM_MS, and forgets all of them; `most` 0: never. Pure. */
bool mw_daemon_storm(struct mw_daemon_storm *storm, uint32_t most, uint64_t load, int64_t now);

#endif
