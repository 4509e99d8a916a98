/* Which process of the host maps which file to execute it, without taxing anybody: perf's
 * side-band, one ring a CPU. Needs CAP_PERFMON; scanning needs CAP_SYS_PTRACE. */
#ifndef MW_TOOLS_DAEMON_MAPPINGS_H
#define MW_TOOLS_DAEMON_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon_record.h"

struct mw_mappings;

/* All in the order of time, as far as the records of different CPUs have arrived. */
struct mw_mappings_callbacks {
	void (*mapped)(void *context, const struct mw_mapping *mapping);
	void (*exec)(void *context, pid_t pid);
	/* A process, not a thread. The child has its parent's mappings. */
	void (*forked)(void *context, pid_t pid, pid_t parent);
	/* One thread: the process lives while it has others. */
	void (*ended)(void *context, pid_t pid, pid_t tid);
	/* Something was missed: mw_mappings_scan() finds what is there now. Somebody who maps files
	 * all the time makes this come with every mw_mappings_poll(): one scan a second is enough.
	 */
	void (*lost)(void *context);
	/* All that has come so far was handed over, and something had. */
	void (*caught_up)(void *context);
	/* Around the mappings of one process in a scan, `ends` being false, then true; at last once
	 * with `pid` 0. */
	void (*scanned)(void *context, pid_t pid, bool ends);
};

/* Opens the side-band of every CPU. The kernel wakes us with the first record after a while without
 * any; as being woken for each is a tax on whoever causes it, the side-band is then read every
 * `interval_ms`, not 0, until nothing comes any more. `callbacks` and `context` are borrowed.
 * Returns 0 or a negative errno; the caller releases with mw_mappings_close(). */
int mw_mappings_open(const struct mw_mappings_callbacks *callbacks, void *context,
                     unsigned interval_ms, struct mw_mappings **ret);

void mw_mappings_close(struct mw_mappings *mappings);

/* Readable when mw_mappings_poll() has something to do. */
int mw_mappings_fd(const struct mw_mappings *mappings);

/* Hands over what has come. */
void mw_mappings_poll(struct mw_mappings *mappings);

/* Hands over what every process of the host has mapped. Returns 0 or a negative errno. */
int mw_mappings_scan(struct mw_mappings *mappings);

/* Follows CPUs that have come or gone since; says lost() when one has come. To be called every few
 * seconds. */
void mw_mappings_follow_cpus(struct mw_mappings *mappings);

/* How many records the kernel had no room for, and how many could not be read. */
uint64_t mw_mappings_lost(const struct mw_mappings *mappings);

#endif
