#include "insn.h"

#include <string.h>

size_t mw_insn_endbr(const uint8_t *code, size_t len)
{
	return len >= 4 && !memcmp(code, "\xf3\x0f\x1e\xfa", 4) ? 4 : 0;
}

static bool is_prefix(uint8_t byte)
{
	static const uint8_t legacy[] = {0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e,
	                                 0x64, 0x65, 0xf0, 0xf2, 0xf3};

	return (byte & 0xf0) == 0x40 || memchr(legacy, byte, sizeof(legacy));
}

/* In whatever way it is written: kernels differ in which of them they take for theirs. */
bool mw_insn_is_nop5(const uint8_t *code, size_t len)
{
	struct mw_insn insn;
	size_t at = 0;

	if (!mw_insn_read(code, len, &insn) || insn.len != 5)
		return false;
	while (at < 4 && is_prefix(code[at]))
		at++;
	return code[at] == 0x90 || (at < 4 && code[at] == 0x0f && code[at + 1] == 0x1f);
}

/* Those that enter the kernel, stop the process or are a debugger's. Whatever else cannot be moved
 * out of line the kernel knows and refuses itself (arch/x86/kernel/uprobes.c). */
static bool traps(const uint8_t *code, size_t len)
{
	if (code[0] == 0x0f)
		return len > 1 && (code[1] == 0x05 || code[1] == 0x0b || code[1] == 0x34);
	return code[0] == 0xcc || code[0] == 0xcd || code[0] == 0xf1 || code[0] == 0xf4;
}

/* As the kernel decides (push_setup_xol_ops(), branch_setup_xol_ops()): push of a register with no
 * other prefix than 41, nop with any but REX, near jumps and calls. */
static bool emulated(const uint8_t *code, const struct mw_insn *insn)
{
	if ((code[0] & 0xf8) == 0x50)
		return true;
	if (code[0] == 0x41 && (code[1] & 0xf8) == 0x50)
		return true;
	if (code[0] == 0x90 || (code[0] == 0x66 && code[1] == 0x90))
		return true;
	if ((code[0] & 0xfc) == 0xe0)
		return false; /* loop and its kind */
	return code[0] == 0xe8 || insn->flow == MW_INSN_JUMP || insn->flow == MW_INSN_MAYBE_JUMP;
}

enum mw_insn_cost mw_insn_cost(const uint8_t *code, size_t len)
{
	struct mw_insn insn;

	if (!mw_insn_read(code, len, &insn) || traps(code, len) || mw_insn_is_nop5(code, len))
		return MW_INSN_REFUSED;
	/* xchg %r8,%rax, of which the kernel sees only the 90 that a nop has. */
	if ((code[0] & 0xf1) == 0x41 && code[1] == 0x90)
		return MW_INSN_REFUSED;
	return emulated(code, &insn) ? MW_INSN_FAST : MW_INSN_SLOW;
}
