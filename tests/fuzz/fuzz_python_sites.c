/* A hostile interpreter: its tables, symbols, notes and machine code. Whatever it says, a probe
 * only ever goes on code of the file. */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/insn.h"
#include "../../tools/python_sites.h"

#define SIZE_MAX_FILE (1 << 20)
#define READS_MAX (4u << 20) /* ends what never ends */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
	const uint8_t *data;
	size_t size;
	size_t reads;
};

static int read_file(void *userdata, uint64_t offset, void *buf, size_t len)
{
	struct file *file = userdata;

	if (offset > file->size || len > file->size - offset || ++file->reads > READS_MAX)
		abort();
	memcpy(buf, file->data + offset, len);
	return 0;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_site(const struct mw_elf *elf, const struct file *file,
                       const struct mw_site *site)
{
	uint64_t vaddr;

	check(site->kind < MW_K_SITE_COUNT);
	check(!mw_elf_vaddr(elf, site->offset, &vaddr));
	check(site->offset < file->size && site->semaphore < file->size);
	check(mw_insn_cost(file->data + site->offset, file->size - site->offset) !=
	      MW_INSN_REFUSED);
	check(site->body_count <= MW_BODIES_MAX);
	for (uint32_t i = 0; i < site->body_count; i++)
		check(site->body[i].from < site->body[i].to);
	check(!(site->semaphore % 2));
	if (site->convention == MW_BY_USDT)
		check(file->data[site->offset] == 0x90);
	for (size_t i = 0; i < 2; i++)
		check(site->usdt_arg[i].reg < 16);
}

/* Bytes that are any code, in memory of just that size. */
static void read_code(const uint8_t *data, size_t size)
{
	struct mw_insn insn;
	size_t len = size < 64 ? size : 64;
	uint8_t *code = malloc(len);

	check(code != NULL);
	memcpy(code, data, len);
	for (size_t at = 0; at < len; at += insn.len) {
		mw_insn_cost(code + at, len - at);
		if (!mw_insn_read(code + at, len - at, &insn))
			break;
		check(insn.len && insn.len <= len - at && insn.len <= MW_INSN_MAX);
	}
	free(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mw_python_sites sites;
	struct file file = {data, size, 0};
	struct mw_elf elf;

	if (!size || size > SIZE_MAX_FILE)
		return 0;
	read_code(data + size - (size < 64 ? size : 64), size < 64 ? size : 64);
	if (mw_elf_open(&elf, read_file, &file, size) < 0 || mw_python_sites(&elf, &sites) < 0)
		return 0;
	check(sites.count <= MW_SITES_MAX && sites.refused_count <= MW_SITES_MAX);
	for (uint32_t i = 0; i < sites.count; i++)
		check_site(&elf, &file, &sites.site[i]);
	for (uint32_t i = 0; i < sites.refused_count; i++)
		check(mw_site_refusal(sites.refused[i].why)[0]);
	return 0;
}
