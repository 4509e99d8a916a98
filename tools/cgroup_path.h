/* From the number that the kernel gives a control group (of version 2) to its path. */
#ifndef MW_TOOLS_CGROUP_PATH_H
#define MW_TOOLS_CGROUP_PATH_H

#include <stddef.h>
#include <stdint.h>

struct mw_cgroup_paths;

/* Finds where version 2 is mounted. Returns 0, -ENODEV when it is not, or another negative errno.
 * Close with mw_cgroup_paths_close(). */
int mw_cgroup_paths_open(struct mw_cgroup_paths **ret);
void mw_cgroup_paths_close(struct mw_cgroup_paths *paths);

/* Writes the path of the group called `id`, from the mounted root on, to `ret`, as a string. The
 * last 256 answers are kept, also when the group has gone: a number is never given twice. Returns
 * 0, -ESTALE when it has gone (or never was), -EPERM without CAP_DAC_READ_SEARCH, or another
 * negative errno. */
int mw_cgroup_path(struct mw_cgroup_paths *paths, uint64_t id, char *ret, size_t size);

/* Remembers the group that is now at `path`, as /proc/<pid>/cgroup has it, for the time after it
 * has gone. */
void mw_cgroup_paths_note(struct mw_cgroup_paths *paths, const char *path);

#endif
