/* The registers that describe where a thread stands: enough for the monitor to unwind its stack
 * from a copy of the stack bytes. Numbered as DWARF numbers them, which is also how libunwind
 * does. */
#ifndef MW_CORE_REGS_H
#define MW_CORE_REGS_H

#include <stdint.h>

#if defined(__x86_64__)
/* rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip */
#define MW_REGS_COUNT 17
#define MW_REGS_SP 7
#define MW_REGS_PC 16
#elif defined(__aarch64__)
/* x0..x30 sp pc */
#define MW_REGS_COUNT 33
#define MW_REGS_SP 31
#define MW_REGS_PC 32
#else
#error "no register layout for this architecture"
#endif

struct mw_regs {
	uint64_t r[MW_REGS_COUNT];
};

static inline uint64_t mw_regs_sp(const struct mw_regs *regs)
{
	return regs->r[MW_REGS_SP];
}

static inline uint64_t mw_regs_pc(const struct mw_regs *regs)
{
	return regs->r[MW_REGS_PC];
}

/* The stack pointer of the function that this is written in. */
__attribute__((always_inline)) static inline uint64_t mw_stack_pointer(void)
{
	uint64_t sp;

#if defined(__x86_64__)
	__asm__ volatile("movq %%rsp, %0" : "=r"(sp));
#else
	__asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
	return sp;
}

/* Fills `regs` with the registers a callee must preserve, the stack pointer and the program
 * counter, all as they are at one instruction of the function this is written in; the others are
 * 0, because no unwind table depends on them at a call. Always inlined: in a frame of its own the
 * stack pointer would be that of a frame that is gone when the stack is copied. */
__attribute__((always_inline)) static inline void mw_regs_capture(struct mw_regs *regs)
{
	uint64_t scratch;

	*regs = (struct mw_regs){{0}};
#if defined(__x86_64__)
	__asm__ volatile("movq %%rbx, 24(%1)\n\t"
	                 "movq %%rbp, 48(%1)\n\t"
	                 "movq %%rsp, 56(%1)\n\t"
	                 "movq %%r12, 96(%1)\n\t"
	                 "movq %%r13, 104(%1)\n\t"
	                 "movq %%r14, 112(%1)\n\t"
	                 "movq %%r15, 120(%1)\n\t"
	                 "leaq 0(%%rip), %0\n\t"
	                 "movq %0, 128(%1)"
	                 : "=&r"(scratch)
	                 : "r"(regs->r)
	                 : "memory");
#else
	__asm__ volatile("stp x19, x20, [%1, #152]\n\t"
	                 "stp x21, x22, [%1, #168]\n\t"
	                 "stp x23, x24, [%1, #184]\n\t"
	                 "stp x25, x26, [%1, #200]\n\t"
	                 "stp x27, x28, [%1, #216]\n\t"
	                 "stp x29, x30, [%1, #232]\n\t"
	                 "mov %0, sp\n\t"
	                 "str %0, [%1, #248]\n\t"
	                 "adr %0, .\n\t"
	                 "str %0, [%1, #256]"
	                 : "=&r"(scratch)
	                 : "r"(regs->r)
	                 : "memory");
#endif
}

#endif
