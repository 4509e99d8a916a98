#include "elf.h"

#include <errno.h>

/* How .eh_frame_hdr writes its pointers, from the LSB specification; <elf.h> lacks it. */
enum {
	PE_UDATA4 = 0x03,
	PE_SDATA4 = 0x0b,
	PE_PCREL = 0x10,
	PE_DATAREL = 0x30,
};

/* Header: version, how the address of .eh_frame, the count and the table are written, then the
 * first two. Linkers write one form only: 4-byte values, the table relative to the header. */
static int frame_count(const struct mw_elf *elf, uint64_t *ret)
{
	struct {
		uint8_t version, frame_form, count_form, table_form;
		int32_t frame;
		uint32_t count;
	} header;
	int r;

	if (elf->frames.size < sizeof(header))
		return -ENOENT;
	r = mw_elf_read_at(elf, elf->frames.offset, &header, sizeof(header));
	if (r < 0)
		return r;
	if (header.version != 1 || header.frame_form != (PE_PCREL | PE_SDATA4) ||
	    header.count_form != PE_UDATA4 || header.table_form != (PE_DATAREL | PE_SDATA4))
		return -ENOENT;
	*ret = (elf->frames.size - sizeof(header)) / 8;
	if (header.count < *ret)
		*ret = header.count;
	return 0;
}

int mw_elf_find_fde(const struct mw_elf *elf, uint64_t vaddr, uint64_t *ret)
{
	int64_t at = (int64_t)(vaddr - elf->frames_vaddr);
	uint64_t low = 0, high;
	int32_t entry[2];
	int r;

	r = frame_count(elf, &high);
	if (r < 0)
		return r;
	/* Ends with `low` at the first entry that starts above `at`. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		r = mw_elf_read_at(elf, elf->frames.offset + 12 + middle * 8, entry, sizeof(entry));
		if (r < 0)
			return r;
		if (entry[0] <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return -ENOENT;
	r = mw_elf_read_at(elf, elf->frames.offset + 12 + (low - 1) * 8, entry, sizeof(entry));
	if (r < 0)
		return r;
	*ret = elf->frames_vaddr + (uint64_t)(int64_t)entry[1];
	return 0;
}

/* Compilers write where the code starts as a distance from that very field, and its length after
 * it, both in 4 bytes. In whatever other way they were written, the code found so would not cover
 * the address. */
int mw_elf_find_code(const struct mw_elf *elf, uint64_t vaddr, uint64_t *ret_from, uint64_t *ret_to)
{
	struct {
		uint32_t len, link;
		int32_t start;
		uint32_t size;
	} entry;
	uint64_t fde, from;
	int r;

	r = mw_elf_find_fde(elf, vaddr, &fde);
	if (r < 0)
		return r;
	r = mw_elf_read(elf, fde, &entry, sizeof(entry));
	if (r < 0)
		return r == -EFAULT ? -ENOENT : r;
	from = fde + 8 + (uint64_t)(int64_t)entry.start;
	if (entry.len < 12 || !entry.link || vaddr - from >= entry.size ||
	    entry.size > UINT64_MAX - from)
		return -ENOENT;
	*ret_from = from;
	*ret_to = from + entry.size;
	return 0;
}
