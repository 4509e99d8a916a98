#include "python_image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65536
#define RELOCATIONS_MAX (4u << 20) /* libtorch_cpu.so has 320000 */

#if defined(__x86_64__)
#define RELATIVE R_X86_64_RELATIVE
#define ABSOLUTE R_X86_64_64
#else
#define RELATIVE R_AARCH64_RELATIVE
#define ABSOLUTE R_AARCH64_ABS64
#endif

void mw_image_free(struct mw_image *image)
{
	for (size_t i = 0; i < image->count; i++)
		free(image->part[i].bytes);
	image->count = 0;
}

static int add_part(struct mw_image *image, const struct mw_elf *elf,
                    const struct mw_elf_load *load)
{
	struct mw_image_part *part = &image->part[image->count];

	*part = (struct mw_image_part){.vaddr = load->vaddr, .size = load->size};
	part->bytes = malloc(load->size + 1);
	if (!part->bytes)
		return -ENOMEM;
	image->count++;
	return mw_elf_read_at(elf, load->offset, part->bytes, load->size);
}

static int add_parts(struct mw_image *image, const struct mw_elf *elf)
{
	uint64_t total = 0;
	int r;

	for (size_t i = 0; i < elf->load_count; i++) {
		if (!(elf->loads[i].flags & PF_W))
			continue;
		if (elf->loads[i].size > MW_IMAGE_MAX - total)
			return -EFBIG;
		total += elf->loads[i].size;
		r = add_part(image, elf, &elf->loads[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static void write_word(struct mw_image *image, uint64_t vaddr, uint64_t value)
{
	for (size_t i = 0; i < image->count; i++) {
		struct mw_image_part *part = &image->part[i];
		uint64_t at = vaddr - part->vaddr;

		if (vaddr >= part->vaddr && at < part->size && part->size - at >= 8) {
			memcpy(part->bytes + at, &value, 8);
			return;
		}
	}
}

static void relocate(struct mw_image *image, const Elf64_Rela *rela)
{
	if (ELF64_R_TYPE(rela->r_info) == RELATIVE)
		write_word(image, rela->r_offset, (uint64_t)rela->r_addend);
	else if (ELF64_R_TYPE(rela->r_info) == ABSOLUTE)
		write_word(image, rela->r_offset, MW_IMAGE_SYMBOL);
}

/* Those in .relr.dyn change nothing here: they only say where a word is that holds the linked
 * address already. */
static int relocate_all(struct mw_image *image, const struct mw_elf *elf,
                        const struct mw_elf_dynamic *dynamic)
{
	Elf64_Rela chunk[CHUNK / sizeof(Elf64_Rela)];
	const size_t max = sizeof(chunk) / sizeof(chunk[0]);
	uint64_t total = dynamic->rela_size / sizeof(Elf64_Rela);
	size_t n;
	int r;

	if (total > RELOCATIONS_MAX)
		total = RELOCATIONS_MAX;
	for (uint64_t done = 0; dynamic->rela && done < total; done += n) {
		n = total - done < max ? (size_t)(total - done) : max;
		r = mw_elf_read(elf, dynamic->rela + done * sizeof(Elf64_Rela), chunk,
		                n * sizeof(Elf64_Rela));
		if (r < 0)
			return r == -EFAULT ? 0 : r;
		for (size_t i = 0; i < n; i++)
			relocate(image, &chunk[i]);
	}
	return 0;
}

int mw_image_read(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                  struct mw_image *ret)
{
	int r;

	*ret = (struct mw_image){.count = 0};
	r = add_parts(ret, elf);
	if (r >= 0)
		r = relocate_all(ret, elf, dynamic);
	if (r < 0)
		mw_image_free(ret);
	return r;
}
