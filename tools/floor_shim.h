/* The shim in a watched process, by its file, whatever the process calls it. */
#ifndef MW_TOOLS_FLOOR_SHIM_H
#define MW_TOOLS_FLOOR_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MW_FLOOR_SHIMS 256

/* Where the shim's code lies in the processes that were asked about last. */
struct mw_floor_shims {
	struct {
		pid_t pid;
		uint64_t low, high;
	} at[MW_FLOOR_SHIMS];
};

/* Whether a call to the monitor comes from the shim of process `pid`, by the address of its
 * instruction. Returns 0; 1 when the process is known to have become another program meanwhile; or
 * -EPERM. */
int mw_floor_ask_shim(struct mw_floor_shims *shims, pid_t pid, uint64_t address);

/* Whether the process has the shim at all: then its sensors should announce what it does. */
bool mw_floor_has_shim(pid_t pid);

#endif
