/* Where CPython keeps what a walk of its stack reads, for each version that is known. */
#ifndef MW_TOOLS_PYTHON_OFFSETS_H
#define MW_TOOLS_PYTHON_OFFSETS_H

#include <stdint.h>

#include "../ebpf/pyoffsets.h"
#include "elf.h"

/* Fills `ret` for an interpreter of `version` (PY_VERSION_HEX >> 16: 0x030b is 3.11) whose file is
 * `elf`, with _PyRuntime at linked address `runtime_vaddr`: from 3.13 on the file itself says. Up
 * to 3.12 neither is looked at, and `elf` may be NULL. `ret` is untouched on failure. Returns 0,
 * -ENOTSUP for a version or a kind of build that is not known, -EBADMSG when what the file says
 * makes no sense, or what reading it returned. */
int mw_python_offsets(uint32_t version, const struct mw_elf *elf, uint64_t runtime_vaddr,
                      struct mw_py_offsets *ret);

#endif
