/* The native stack of a watched process, from the registers and the copy of its stack that it
 * sent. Nothing runs in the process, and it need not be stopped. */
#ifndef MW_TOOLS_UNWIND_H
#define MW_TOOLS_UNWIND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/regs.h"
#include "maps.h"

#define MW_UNWIND_FRAMES_MAX 256

/* Symbol and object come from the watched process: any bytes may be in them. */
struct mw_native_frame {
	uint64_t ip;      /* where it stands, or where it returns to */
	uint64_t offset;  /* of `ip` in the object, as linked: what addr2line takes. The offset in
	                   * the file where that could not be read as ELF. */
	uint64_t cfa;     /* the stack pointer when it returns: just above its return address; 0:
	                   * not known */
	uint64_t start;   /* where the function starts by its unwind table; 0: not known */
	char symbol[128]; /* not demangled; "": not known */
	char object[256]; /* path in the process's file system, the end of it when it is longer,
	                   * "[vdso]" and the like, or "" */
};

struct mw_unwinder;

/* Makes an unwinder for any number of processes, which the caller releases with
 * mw_unwinder_free(). It keeps a few of their files open and some 2 MiB of what it read there.
 * Returns 0 or -ENOMEM. */
int mw_unwinder_new(struct mw_unwinder **ret);

void mw_unwinder_free(struct mw_unwinder *unwinder);

/* Unwinds one thread of `pid` from `regs`; `stack` are its `stack_len` bytes from the stack
 * pointer in `regs` upwards. `code` is what it had mapped then, if it has gone; NULL: what it has
 * mapped now. Fills at most `max` frames (and MW_UNWIND_FRAMES_MAX), innermost
 * first, and returns how many. There are fewer than the thread has when an object has no usable
 * unwind table, the stack bytes end, or the process lies. Returns a negative errno when its memory
 * map cannot be read. Bounded work for any input. */
int mw_unwind(struct mw_unwinder *unwinder, pid_t pid, const struct mw_maps *code,
              const struct mw_regs *regs, const uint8_t *stack, size_t stack_len,
              struct mw_native_frame *frames, size_t max);

#endif
