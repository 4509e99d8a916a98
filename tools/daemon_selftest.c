#include "daemon_selftest.h"

#include <errno.h>
#include <unistd.h>

#include "maps.h"

#define TIMES 1000

#if defined(__x86_64__)
/* Writes its argument into the whole red zone and, the probed instruction behind it, looks whether
 * it is still there. Returns what differs. */
uint64_t mw_selftest_leaf(uint64_t value);
extern const char mw_selftest_probed[];

__asm__(".text\n"
        ".globl mw_selftest_leaf\n"
        ".globl mw_selftest_probed\n"
        ".type mw_selftest_leaf, @function\n"
        "mw_selftest_leaf:\n"
        ".cfi_startproc\n"
        "	mov $-16, %rcx\n"
        "1:	mov %rdi, (%rsp,%rcx,8)\n"
        "	inc %rcx\n"
        "	jnz 1b\n"
        "	mov %rdi, %rsi\n"
        "	mov %rdi, %r8\n"
        "	mov %rdi, %r11\n"
        "mw_selftest_probed:\n"
        "	nop\n"
        "	xor %eax, %eax\n"
        "	mov $-16, %rcx\n"
        "2:	mov (%rsp,%rcx,8), %rdx\n"
        "	xor %rdi, %rdx\n"
        "	or %rdx, %rax\n"
        "	inc %rcx\n"
        "	jnz 2b\n"
        "	xor %rdi, %rsi\n"
        "	or %rsi, %rax\n"
        "	xor %rdi, %r8\n"
        "	or %r8, %rax\n"
        "	xor %rdi, %r11\n"
        "	or %r11, %rax\n"
        "	ret\n"
        ".cfi_endproc\n"
        ".size mw_selftest_leaf, .-mw_selftest_leaf\n");

int mw_selftest_offset(uint64_t *ret)
{
	uint64_t at = (uint64_t)(uintptr_t)mw_selftest_probed;
	const struct mw_map *map;
	struct mw_maps maps;
	int error = mw_maps_read(getpid(), &maps);

	if (error)
		return error;
	map = mw_maps_find(&maps, at);
	if (map)
		*ret = at - map->start + map->offset;
	mw_maps_free(&maps);
	return map ? 0 : -EFAULT;
}

int mw_selftest_run(void)
{
	for (uint64_t i = 1; i <= TIMES; i++)
		if (mw_selftest_leaf(i * UINT64_C(0x9e3779b97f4a7c15)))
			return -EFAULT;
	return 0;
}
#else
int mw_selftest_offset(uint64_t *ret)
{
	(void)ret;
	return -ENOTSUP;
}

int mw_selftest_run(void)
{
	return -ENOTSUP;
}
#endif
