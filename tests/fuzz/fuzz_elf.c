/* A hostile ELF file: its headers, symbols and unwind tables, then the same file mapped and
 * unwound through, which is all that libunwind ever sees of it. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/cfi.h"
#include "../../tools/daemon_glance.h"
#include "../../tools/elf.h"
#include "../../tools/unwind.h"

#define BASE UINT64_C(0x200000000000)
#define SIZE_MAX_FILE (1 << 20)
#define STACK UINT64_C(0x300000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
	const uint8_t *data;
	size_t size;
};

static char path[] = "/tmp/fuzz_elf.XXXXXX";
static int fd = -1;

static int read_file(void *userdata, uint64_t offset, void *buf, size_t len)
{
	const struct file *file = userdata;

	if (offset > file->size || len > file->size - offset)
		abort();
	memcpy(buf, file->data + offset, len);
	return 0;
}

static void check_terminated(const char *name, size_t max)
{
	if (!memchr(name, 0, max))
		abort();
}

static void read_directly(const struct file *file, uint64_t seed)
{
	static struct mw_cfi cfi;
	struct mw_elf_symbol symbols[4] = {0};
	struct file copy = *file;
	struct mw_elf elf;
	uint64_t vaddr = 0;

	if (mw_elf_open(&elf, read_file, &copy, copy.size) < 0)
		return;
	for (uint64_t i = 0; i < 4; i++) {
		uint64_t fde = 0;

		symbols[i].vaddr = seed >> (i * 16) & 0xffff;
		if (mw_elf_vaddr(&elf, symbols[i].vaddr, &vaddr) >= 0)
			symbols[i].vaddr = vaddr;
		if (mw_elf_find_fde(&elf, symbols[i].vaddr, &fde) >= 0 &&
		    mw_cfi_load(&cfi, &elf, fde) >= 0 &&
		    (cfi.fde_len > MW_CFI_FDE_MAX || cfi.cie_len > MW_CFI_CIE_MAX))
			abort();
	}
	mw_elf_find_symbols(&elf, symbols, 4);
	mw_glance(&elf);
	for (size_t i = 0; i < 4; i++)
		check_terminated(symbols[i].name, sizeof(symbols[i].name));
}

static void remove_file(void)
{
	unlink(path);
}

/* Every word on the stack points somewhere into the file, as a return address would. */
static void make_stack(const struct file *file, uint64_t *stack, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t at = 0;

		memcpy(&at, file->data + (i * 2) % (file->size - 1), 2);
		stack[i] = i % 3 ? BASE + at % file->size : STACK + at % (count * 8);
	}
}

static void unwind_through(const struct file *file, uint64_t seed)
{
	static struct mw_native_frame frames[64];
	uint64_t stack[256];
	struct mw_unwinder *u = NULL;
	struct mw_regs regs;
	int n;

	make_stack(file, stack, 256);
	for (size_t i = 0; i < MW_REGS_COUNT; i++)
		regs.r[i] = i % 2 ? STACK + i * 8 : seed;
	regs.r[MW_REGS_SP] = STACK;
	regs.r[MW_REGS_PC] = BASE + (seed & 0xffff) % file->size;
	if (mw_unwinder_new(&u) < 0)
		return;
	n = mw_unwind(u, getpid(), NULL, &regs, (const uint8_t *)stack, sizeof(stack), frames, 64);
	for (int i = 0; i < n; i++) {
		check_terminated(frames[i].symbol, sizeof(frames[i].symbol));
		check_terminated(frames[i].object, sizeof(frames[i].object));
	}
	mw_unwinder_free(u);
}

static void map_and_unwind(const struct file *file, uint64_t seed)
{
	if (fd < 0) {
		fd = mkstemp(path);
		if (fd < 0)
			abort();
		atexit(remove_file);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, file->data, file->size, 0) != (ssize_t)file->size)
		return;
	if (mmap((void *)(uintptr_t)BASE, file->size, PROT_READ | PROT_EXEC,
	         MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0) == MAP_FAILED)
		abort();
	unwind_through(file, seed);
	munmap((void *)(uintptr_t)BASE, file->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file file = {data + 8, size - 8};
	uint64_t seed;

	if (size < 8 + 64 || size > SIZE_MAX_FILE)
		return 0;
	memcpy(&seed, data, sizeof(seed));
	read_directly(&file, seed);
	map_and_unwind(&file, seed);
	return 0;
}
