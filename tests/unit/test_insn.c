/* Where instructions end, where they go, and what a probe on them costs. The bytes are what an
 * assembler makes of the text beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/insn.h"

struct sample {
	const char *text;
	uint8_t code[15];
	uint32_t len;
};

static const struct sample samples[] = {
        {"ret", {0xc3}, 1},
        {"push %r15", {0x41, 0x57}, 2},
        {"sub $8,%rsp", {0x48, 0x83, 0xec, 0x08}, 4},
        {"sub $0x100,%rsp", {0x48, 0x81, 0xec, 0, 1, 0, 0}, 7},
        {"mov (%rax,%rbx,8),%rcx", {0x48, 0x8b, 0x0c, 0xd8}, 4},
        {"mov 0x10(%rsp),%rcx", {0x48, 0x8b, 0x4c, 0x24, 0x10}, 5},
        {"mov 0x1000(%rsp),%rcx", {0x48, 0x8b, 0x8c, 0x24, 0, 0x10, 0, 0}, 8},
        {"mov 0x1000(,%rax,8),%rcx", {0x48, 0x8b, 0x0c, 0xc5, 0, 0x10, 0, 0}, 8},
        {"lea 0x10(%rip),%rax", {0x48, 0x8d, 0x05, 0x10, 0, 0, 0}, 7},
        {"cmpq $0,0xb8(%rdi)", {0x48, 0x83, 0xbf, 0xb8, 0, 0, 0, 0}, 8},
        {"movabs $1,%rax", {0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0}, 10},
        {"mov $1,%eax", {0xb8, 1, 0, 0, 0}, 5},
        {"mov $1,%ax", {0x66, 0xb8, 1, 0}, 4},
        {"movabs 0x1122334455667788,%eax",
         {0xa1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11},
         9},
        {"test $1,%dil", {0x40, 0xf6, 0xc7, 1}, 4},
        {"not %edi", {0xf7, 0xd7}, 2},
        {"test $1,%edi", {0xf7, 0xc7, 1, 0, 0, 0}, 6},
        {"testw $1,(%rdi)", {0x66, 0xf7, 0x07, 1, 0}, 5},
        {"movw $1,8(%rax)", {0x66, 0xc7, 0x40, 8, 1, 0}, 6},
        {"movups %xmm0,(%rdi)", {0x0f, 0x11, 0x07}, 3},
        {"pshufd $1,%xmm0,%xmm1", {0x66, 0x0f, 0x70, 0xc8, 1}, 5},
        {"pshufb %xmm0,%xmm1", {0x66, 0x0f, 0x38, 0x00, 0xc8}, 5},
        {"palignr $1,%xmm0,%xmm1", {0x66, 0x0f, 0x3a, 0x0f, 0xc8, 1}, 6},
        {"vzeroupper", {0xc5, 0xf8, 0x77}, 3},
        {"vmovdqu (%rdi),%ymm0", {0xc5, 0xfe, 0x6f, 0x07}, 4},
        {"vpalignr $1,%ymm0,%ymm1,%ymm2", {0xc4, 0xe3, 0x75, 0x0f, 0xd0, 1}, 6},
        {"vmovdqu64 0x40(%rdi),%zmm0", {0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x47, 1}, 7},
        {"nopw 0x0(%rax,%rax,1)", {0x66, 0x0f, 0x1f, 0x44, 0, 0}, 6},
        {"lock cmpxchg %edx,(%rdi)", {0xf0, 0x0f, 0xb1, 0x17}, 4},
        {"mov %fs:0x28,%rax", {0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0}, 9},
        {"enter $0x10,$1", {0xc8, 0x10, 0, 1}, 4},
};

static void ends(void **state)
{
	struct mw_insn insn;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *sample = &samples[i];

		if (!mw_insn_read(sample->code, 15, &insn) || insn.len != sample->len)
			fail_msg("%s: %u", sample->text, insn.len);
		assert_int_equal(insn.flow, MW_INSN_NEXT);
	}
}

/* Cut off anywhere, it is none, and nothing behind the cut is read. */
static void is_not_cut_off(void **state)
{
	struct mw_insn insn;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		for (size_t len = 0; len < samples[i].len; len++) {
			uint8_t *code = malloc(len + !len);

			assert_non_null(code);
			memcpy(code, samples[i].code, len);
			if (mw_insn_read(code, len, &insn))
				fail_msg("%s: cut at %zu", samples[i].text, len);
			free(code);
		}
	}
}

static void goes(const char *bytes, size_t len, enum mw_insn_flow flow, int32_t distance)
{
	struct mw_insn insn;

	assert_true(mw_insn_read((const uint8_t *)bytes, len, &insn));
	assert_int_equal(insn.len, len);
	assert_int_equal(insn.flow, flow);
	assert_int_equal(insn.distance, distance);
}

static void jumps(void **state)
{
	(void)state;
	goes("\xeb\xfe", 2, MW_INSN_JUMP, -2);
	goes("\xe9\x00\x01\x00\x00", 5, MW_INSN_JUMP, 256);
	goes("\x74\x10", 2, MW_INSN_MAYBE_JUMP, 16);
	goes("\x0f\x85\xfc\xff\xff\xff", 6, MW_INSN_MAYBE_JUMP, -4);
	goes("\xf2\xe9\x00\x01\x00\x00", 6, MW_INSN_JUMP, 256);
	goes("\xe8\x00\x01\x00\x00", 5, MW_INSN_NEXT, 0);
	goes("\xff\xe0", 2, MW_INSN_INDIRECT, 0);
	goes("\xf2\xff\x25\x00\x01\x00\x00", 7, MW_INSN_INDIRECT, 0);
	goes("\xff\xd0", 2, MW_INSN_NEXT, 0);
	goes("\x0f\xff\xe0", 3, MW_INSN_NEXT, 0); /* ud0, not an ff */
}

static void costs(const char *bytes, enum mw_insn_cost cost)
{
	uint8_t code[MW_INSN_MAX];

	memset(code, 0x90, sizeof(code));
	for (size_t i = 0; bytes[i]; i++)
		code[i] = (uint8_t)bytes[i];
	assert_int_equal(mw_insn_cost(code, sizeof(code)), cost);
}

static void probes(void **state)
{
	static const uint8_t nop5[] = {0x0f, 0x1f, 0x44, 0, 0, 0x55};

	(void)state;
	costs("\x55", MW_INSN_FAST);     /* push %rbp */
	costs("\x41\x57", MW_INSN_FAST); /* push %r15 */
	costs("\x90", MW_INSN_FAST);     /* nop */
	costs("\x66\x90", MW_INSN_FAST); /* xchg %ax,%ax: nop */
	costs("\xeb\x10", MW_INSN_FAST); /* jmp */
	costs("\xe8\x10\x10\x10\x10", MW_INSN_FAST);
	costs("\x48\x83\xec\x08", MW_INSN_SLOW); /* sub $8,%rsp */
	costs("\x48\x57", MW_INSN_SLOW);         /* rex.W push: not emulated */
	costs("\xe3\x10", MW_INSN_SLOW);         /* jrcxz */
	costs("\xf3\x0f\x1e\xfa", MW_INSN_SLOW); /* endbr64 */
	costs("\x41\x90", MW_INSN_REFUSED);      /* xchg %r8d,%eax */
	costs("\x49\x90", MW_INSN_REFUSED);
	costs("\xcc", MW_INSN_REFUSED);
	costs("\x0f\x05", MW_INSN_REFUSED); /* syscall */
	costs("\x0f\x0b", MW_INSN_REFUSED); /* ud2 */
	costs("\x06", MW_INSN_REFUSED);     /* none in 64-bit mode */
	assert_int_equal(mw_insn_cost(nop5, sizeof(nop5)), MW_INSN_REFUSED);
	assert_true(mw_insn_is_nop5(nop5, sizeof(nop5)));
	assert_false(mw_insn_is_nop5(nop5, 4));
	costs("\x0f\x1f\x44\x22\x11", MW_INSN_REFUSED); /* and its other forms */
	costs("\x3e\x0f\x1f\x40\x10", MW_INSN_REFUSED);
	costs("\x66\x66\x66\x66\x90", MW_INSN_REFUSED);
	costs("\xb8\x0f\x1f\x0f\x1f", MW_INSN_SLOW);         /* mov, 5 bytes too */
	costs("\x0f\x1f\x80\x10\x10\x10\x10", MW_INSN_SLOW); /* a nop of 7 */
	assert_int_equal(mw_insn_cost(nop5, 0), MW_INSN_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ends),
	        cmocka_unit_test(is_not_cut_off),
	        cmocka_unit_test(jumps),
	        cmocka_unit_test(probes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
