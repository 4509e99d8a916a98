/* The variables of an ELF file as they are once it has been loaded at its linked address: the bytes
 * of its writable segments, with what the dynamic linker writes into them. */
#ifndef MW_TOOLS_PYTHON_IMAGE_H
#define MW_TOOLS_PYTHON_IMAGE_H

#include "elf_dynamic.h"

#define MW_IMAGE_MAX (16u << 20) /* bytes, of all segments */

/* In place of an address that lies in another library. No segment begins so low. */
#define MW_IMAGE_SYMBOL UINT64_C(1)

struct mw_image_part {
	uint64_t vaddr;
	uint64_t size;
	uint8_t *bytes;
};

struct mw_image {
	struct mw_image_part part[MW_ELF_LOADS_MAX];
	size_t count;
};

/* Reads it into `ret`, which the caller releases with mw_image_free(). Returns 0, -EFBIG, -ENOMEM,
 * or what the reader returned. */
int mw_image_read(const struct mw_elf *elf, const struct mw_elf_dynamic *dynamic,
                  struct mw_image *ret);

void mw_image_free(struct mw_image *image);

#endif
