/* Which system calls the floor is told of, and what each can do: the table that the filter is made
 * from. */
#ifndef MW_TOOLS_FLOOR_CALLS_H
#define MW_TOOLS_FLOOR_CALLS_H

#include <stddef.h>
#include <stdint.h>

#include "../core/words.h"

/* What a call can do: an enum mw_class, or one of these. */
enum {
	MW_FLOOR_BIRTH = MW_CLASS_COUNT, /* starts a thread or a process */
	MW_FLOOR_TALK,                   /* is a call to the monitor (core/floor.h) */
	MW_FLOOR_ABSENT,                 /* never notified: ENOSYS, and libc goes another way */
	MW_FLOOR_URING,                  /* the same, unless the policy lets io_uring be */
};

/* For which values of one argument, an int, the call is notified. The kernel drops the upper half
 * of such a register, so the filter does not look at it. */
enum mw_floor_when {
	MW_FLOOR_ALWAYS,
	MW_FLOOR_ANY_BIT, /* a bit of `value` is set */
	MW_FLOOR_EQUAL,   /* it is `value` ... */
	MW_FLOOR_LOW_16,  /* ... in its lower 16 bits */
	MW_FLOOR_UNEQUAL, /* it is not `value`, or has a bit above it */
};

/* The kernel's entries, which number the calls differently: those of 64-bit programs and x32, and
 * that of 32-bit programs. */
enum mw_floor_entry { MW_FLOOR_EVERY, MW_FLOOR_WIDE, MW_FLOOR_NARROW };

struct mw_floor_call {
	const char *name;
	int number; /* as libseccomp counts (SCMP_SYS); negative where this machine's programs have
	             * no such call */
	uint8_t effect;
	uint8_t when; /* enum mw_floor_when */
	uint8_t arg;
	uint8_t only; /* enum mw_floor_entry */
	uint32_t value;
};

/* Rows of the same call: it is notified when one of them says so. */
extern const struct mw_floor_call mw_floor_calls[];
extern const size_t mw_floor_call_count;

/* Calls of newer kernels than libseccomp may know. Since Linux 5.1 a new call has one number for
 * all entries (x32 sets bit 30), so they need no translation. Always notified. */
extern const struct mw_floor_call mw_floor_new_calls[];
extern const size_t mw_floor_new_call_count;

/* The first row of call `nr` at entry `arch` (AUDIT_ARCH_*), as struct seccomp_data has them, or
 * NULL. Allocates only when `arch` is not that of this program. */
const struct mw_floor_call *mw_floor_call(uint32_t arch, int nr);

/* The same, but NULL too when no row says that the call counts with these arguments. */
const struct mw_floor_call *mw_floor_call_with(uint32_t arch, int nr, const uint64_t args[6]);

#endif
