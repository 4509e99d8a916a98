/* Where a task stands that waits in a notification: what its native stack is told from. */
#ifndef MW_TOOLS_FLOOR_EVIDENCE_H
#define MW_TOOLS_FLOOR_EVIDENCE_H

#include "../core/regs.h"
#include "floor_tracee.h"

#define MW_FLOOR_STACK (64u << 10)

struct mw_floor_evidence {
	struct mw_regs regs; /* stack pointer and program counter; the kernel tells no other */
	uint32_t stack_len;
	uint8_t stack[MW_FLOOR_STACK]; /* from the stack pointer upwards */
};

/* The stack pointer alone. Returns 0 when it cannot be told. */
uint64_t mw_floor_stack_pointer(const struct mw_tracee *tracee);

/* Returns 0 or a negative errno. Source: /proc/PID/syscall in proc(5). */
int mw_floor_evidence(const struct mw_tracee *tracee, struct mw_floor_evidence *ret);

#endif
