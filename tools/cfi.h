/* Takes one unwind entry out of an ELF file and vouches for it.
 *
 * libunwind interprets these entries, and it was written for tables that a compiler made: it
 * indexes its registers with unchecked numbers, asserts that a frame rule exists, divides
 * INT64_MIN by -1 and loops where an expression tells it to. The entries come from whatever file
 * the watched process has mapped, so libunwind is only ever given a private copy of an entry that
 * was read here from end to end and uses nothing but what compilers write. */
#ifndef MW_TOOLS_CFI_H
#define MW_TOOLS_CFI_H

#include <stddef.h>
#include <stdint.h>

#include "elf.h"

#define MW_CFI_FDE_MAX 65536
#define MW_CFI_CIE_MAX 512
#define MW_CFI_OFFSETS 8 /* of frames that grow in more steps, the largest are kept */

/* Each with its length field in front, as in the file. */
struct mw_cfi {
	uint64_t fde_vaddr;
	uint64_t cie_vaddr;
	size_t fde_len;
	size_t cie_len;
	/* How far the caller's frame is from the stack pointer, in bytes: the different distances
	 * that the entry names. */
	uint64_t offset[MW_CFI_OFFSETS];
	size_t offset_count;
	uint8_t fde[MW_CFI_FDE_MAX];
	uint8_t cie[MW_CFI_CIE_MAX];
};

/* Reads the entry (FDE) at linked address `fde_vaddr` and the one it shares with others (CIE)
 * into `ret`, whose lengths are 0 on failure. Returns 0, -EBADMSG when there is anything in them
 * that libunwind must not see, -EFAULT when they lie outside of the file, or what the reader
 * returned. */
int mw_cfi_load(struct mw_cfi *ret, const struct mw_elf *elf, uint64_t fde_vaddr);

#endif
