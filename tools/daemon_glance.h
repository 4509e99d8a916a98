/* A first look at a file that somebody executes: nearly all have nothing to do with Python, and
 * the look at the rest costs more. */
#ifndef MW_TOOLS_DAEMON_GLANCE_H
#define MW_TOOLS_DAEMON_GLANCE_H

#include <stdbool.h>

#include "elf.h"

/* Whether the file can be an interpreter, an unpickler, or libtorch: by the names that such a file
 * has to hold somewhere in its constants or symbols, stripped and static or not. What
 * the file is called says nothing. One that cannot be read is none. */
bool mw_glance(const struct mw_elf *elf);

#endif
