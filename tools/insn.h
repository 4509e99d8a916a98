/* As much of x86-64 machine code as is needed to know where an instruction ends, where a jump goes,
 * and what a uprobe on it costs. Whatever bytes it is given, it reads no others. */
#ifndef MW_TOOLS_INSN_H
#define MW_TOOLS_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MW_INSN_MAX 15 /* bytes that an instruction can have */

enum mw_insn_flow {
	MW_INSN_NEXT, /* goes on behind itself, calls included */
	MW_INSN_JUMP, /* goes to its target */
	MW_INSN_MAYBE_JUMP,
	MW_INSN_INDIRECT, /* goes to where a register or memory says */
};

struct mw_insn {
	uint32_t len;
	enum mw_insn_flow flow;
	int32_t distance; /* of the target from the instruction's end */
};

enum mw_insn_cost {
	MW_INSN_FAST,    /* the kernel emulates it: 0.7 us */
	MW_INSN_SLOW,    /* it is single-stepped out of line: 9 to 11 us */
	MW_INSN_REFUSED, /* no probe may be put there */
};

/* Reads the instruction at `code`, of which `len` bytes are there. False when it is none, or is cut
 * off. */
bool mw_insn_read(const uint8_t *code, size_t len, struct mw_insn *ret);

/* Length of an endbr64 at `code`, or 0. */
size_t mw_insn_endbr(const uint8_t *code, size_t len);

/* Whether the instruction at `code` is a nop of 5 bytes. */
bool mw_insn_is_nop5(const uint8_t *code, size_t len);

/* What a probe on the instruction at `code` would cost. */
enum mw_insn_cost mw_insn_cost(const uint8_t *code, size_t len);

#endif
