/* The errors that a file call has by itself: it has no effect then, so nobody needs to judge it.
 * What is not told here (rights, quotas, a directory that is not empty) comes out when the call is
 * made. See the manual page of each call. */
#ifndef MW_TOOLS_FLOOR_ERRORS_H
#define MW_TOOLS_FLOOR_ERRORS_H

#include "floor_files.h"
#include "floor_table.h"

/* Those that the flags alone bring, before anything is looked at: 0, a negative errno, or
 * MW_FLOOR_CANNOT when that depends on the kernel. */
int mw_floor_flag_error(const struct mw_floor_file_call *call, const struct mw_floor_row *row);

/* Those of a path that has to lead to something. */
int mw_floor_old_error(const struct mw_floor_path *path);

/* Those of the call once its paths are known. */
int mw_floor_own_error(const struct mw_floor_file_call *call);

#endif
