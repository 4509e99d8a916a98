/* Memory in which a monitor keeps records until its courier has them on disk: what is in it
 * outlives either of them. The monitor writes, its courier can only read. Positions count bytes
 * from the beginning of time; byte N is at data[N % room]. */
#ifndef MW_COURIER_SHARED_H
#define MW_COURIER_SHARED_H

#include <stdatomic.h>
#include <stdint.h>

#define MW_SHARED_FD 3 /* of the courier */

struct mw_shared {
	_Atomic uint64_t turn; /* of couriers: one that sees another than its own is out of date */
	/* Records, each with its newline. `end` is written after what is before it. Nothing is
	 * between an `end` and a later `start`. */
	_Atomic uint64_t start, end;
	_Atomic uint64_t lost; /* records that there was no room for, and that no record tells of */
	char data[];
};

#endif
