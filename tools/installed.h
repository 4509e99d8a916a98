/* Where the files that belong to the program lie. */
#ifndef MW_TOOLS_INSTALLED_H
#define MW_TOOLS_INSTALLED_H

#include <limits.h>

/* The real path of `name` (libmodelwatch.so, say): beside the running program, as in a build
 * directory, or in ../lib/modelwatch, as installed. Returns 0, -ENOENT when it is in neither place,
 * or another negative errno; what is in `ret` then means nothing. */
int mw_installed(const char *name, char ret[static PATH_MAX]);

#endif
