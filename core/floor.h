/* How the shim speaks to the monitor of a run that has a floor: by a system call that the floor's
 * filter hands to the monitor, which answers it. It needs no descriptor that the job could lose,
 * the kernel names the thread, and what a thread says is heard before anything it does afterwards.
 *
 * prctl(MW_FLOOR_CALL, command, argument, 0, 0): 0, or an error. Without a floor the kernel knows
 * no such option: EINVAL. ESRCH says that the monitor has gone. */
#ifndef MW_CORE_FLOOR_H
#define MW_CORE_FLOOR_H

#include <stdint.h>

#include "wire.h"

#define MW_FLOOR_CALL 0x4d574652 /* "MWFR" */

enum mw_tell {
	MW_TELL_RECORD = 1, /* argument: address of a struct mw_floor_message */
	MW_TELL_CLOSE,      /* a load that was opened has ended; argument: its id */
	MW_TELL_ENTER,      /* this thread answers for a load from its birth; argument: its id */
	MW_TELL_BIRTH, /* the next task that this thread starts; argument: enum mw_floor_birth */
};

enum mw_floor_birth {
	MW_BORN_FREE,     /* lives on by itself: an import or a library starts it */
	MW_BORN_IN_SCOPE, /* answers for the load */
};

/* A record, as mw_wire_pack() makes it, with the stack's bytes where they lie. The monitor reads
 * all of it from the process's memory, and writes the reply and the descriptors (of a hello; -1:
 * none) back. */
struct mw_floor_message {
	uint64_t head, head_len;
	uint64_t stack, stack_len;
	uint64_t reply; /* address of a struct mw_reply */
	int32_t fds[MW_WIRE_FDS];
};

#endif
