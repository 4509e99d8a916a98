/* Names of files with placeholders. */
#ifndef MW_TOOLS_EXPAND_H
#define MW_TOOLS_EXPAND_H

#include <limits.h>

/* Writes `text` to `ret` with %h replaced by the host's name, %p by this process's id, %q{VAR} by
 * the environment variable VAR and %% by a percent sign. Returns 0; -EINVAL for any other use of
 * '%', -ENOENT when a variable is not set, -ENAMETOOLONG. */
int mw_expand(const char *text, char ret[static PATH_MAX]);

#endif
