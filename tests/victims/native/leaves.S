/* A library that looks like libtorch to who reads its symbols, with a probe's place in the middle of
 * functions that keep values wherever a probe that is made badly destroys them: in the red zone below
 * the stack pointer, in every register and in the flags. Each returns what differs afterwards. There
 * is no unwind table, so that nothing says where these functions start. */
#define READER(rest) _ZN6caffe29serialize19PyTorchStreamReader##rest
#define PARSE_IVALUE _ZN5torch3jit9Unpickler12parse_ivalueEv
#define FLAGS 0xd502 /* in ah: carry, parity, adjust, zero, sign; in al: 2 */

/* The first instruction of `symbol`. `after` puts right what it changes. `kept` is the number of words
 * of the red zone that it leaves as they are. */
.macro leaf symbol:req, kept:req, probed:req, after=nop
	.text
	.p2align 4
	.type \symbol, @function
	.globl \symbol
leaf_\@:
	.irp register, rbx, rbp, r12, r13, r14, r15
	push %\register
	.endr
	mov $-16, %rcx
1:	mov %rdi, (%rsp,%rcx,8)
	inc %rcx
	jnz 1b
	.irp register, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	mov %rdi, %\register
	.endr
	movq %rdi, %xmm0
	movq %rdi, %xmm15
	mov $FLAGS, %eax
	sahf
\symbol:
	\probed
	\after
	lahf
	xor $FLAGS + 0x200, %eax
	.irp register, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	xor %rdi, %\register
	or %\register, %rax
	.endr
	.irp register, xmm0, xmm15
	movq %\register, %rdx
	xor %rdi, %rdx
	or %rdx, %rax
	.endr
	mov $-16, %rcx
2:	mov (%rsp,%rcx,8), %rdx
	xor %rdi, %rdx
	or %rdx, %rax
	inc %rcx
	cmp $-16 + \kept, %rcx
	jne 2b
	.irp register, r15, r14, r13, r12, rbp, rbx
	pop %\register
	.endr
	ret
	.size \symbol, . - \symbol

	.section .data.rel.ro, "aw"
	.quad leaf_\@, \symbol
.endm

	.section .data.rel.ro, "aw"
	.globl mw_leaves
	.type mw_leaves, @object
mw_leaves:

/* What the daemon may probe: the cheap ones first. */
leaf PARSE_IVALUE, 15, "push %rbp", "lea 8(%rsp), %rsp"
leaf READER(D1Ev), 16, "nop"
leaf READER(C1Ea), 16, ".byte 0x66, 0x90"
leaf READER(C1Eb), 15, "push %r15", "lea 8(%rsp), %rsp"
leaf READER(C1Ec), 16, "jmp . + 3", "nop"
leaf READER(C1Ed), 16, "jc . + 3", "nop"
leaf READER(C1Ee), 16, "jnc . + 2", "nop"
leaf READER(C1Ef), 15, "call . + 5", "lea 8(%rsp), %rsp"
leaf READER(C1Eg), 16, "endbr64", "nop"
leaf READER(C1Eh), 15, "endbr64", "push %rbx; lea 8(%rsp), %rsp"
/* Those that are stepped through out of line. */
leaf READER(C1Ei), 16, "sub $8, %rsp", "lea 8(%rsp), %rsp; mov $0xd502, %eax; sahf"
leaf READER(C1Ej), 16, "lea -128(%rsp), %rsp", "lea 128(%rsp), %rsp"
leaf READER(C1Ek), 16, "mov %rsp, %rbp", "mov %rdi, %rbp"
leaf READER(C1El), 16, "mov %rdi, written(%rip)"
leaf READER(C1Em), 16, "mov written(%rip), %r11", "mov %rdi, %r11"
leaf READER(C1En), 16, "lea written(%rip), %rax", "mov $0xd502, %eax"
leaf READER(C1Eo), 16, ".byte 0x0f, 0x1f, 0x80, 0, 0, 0, 0"
leaf READER(C1Ep), 16, "jmp *behind(%rip)", "behind_jump:"
leaf READER(C1Eq), 15, "call *called(%rip)", "behind_call: lea 8(%rsp), %rsp"
leaf READER(C1Er), 15, "call returns", "nop"
leaf READER(C1Es), 16, "mov $0xd502, %eax"
leaf READER(C1Eu), 16, "movq %rdi, %xmm0"
/* And those that it has to refuse: nops of 5 bytes. */
leaf READER(D0Ev), 16, ".byte 0x0f, 0x1f, 0x44, 0, 0"
leaf READER(D2Ev), 16, ".byte 0x66, 0x66, 0x66, 0x66, 0x90"
	.quad 0, 0
	.size mw_leaves, . - mw_leaves

	.text
	.p2align 4
	.globl READER(C1Ev)
	.type READER(C1Ev), @function
READER(C1Ev):
returns:
	ret
	.size READER(C1Ev), . - READER(C1Ev)

	.data
	.balign 8
written: .quad 0
	.section .data.rel.ro, "aw"
behind: .quad behind_jump
called: .quad behind_call

	.section .note.GNU-stack, "", @progbits
