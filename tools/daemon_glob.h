/* Files by a pattern, below a root that may be a container's, in directories that anybody may have
 * filled: nothing leads out of the root, and it comes to an end. */
#ifndef MW_TOOLS_DAEMON_GLOB_H
#define MW_TOOLS_DAEMON_GLOB_H

#include <stdbool.h>
#include <sys/stat.h>

struct mw_file_walk {
	int root;         /* a directory */
	unsigned entries; /* of directories that may still be looked at; counts down */
	/* For each regular file; `path_fd` (O_PATH) is closed afterwards, `path` starts at the
	 * root. Returns whether to go on. */
	bool (*each)(void *context, int path_fd, const struct stat *st, const char *path);
	void *context;
};

/* Walks through what is at `base`, taken as it is, and below it at `pattern`, of glob(7) without
 * braces. False: it was ended by each() or by `entries`. */
bool mw_walk_files(struct mw_file_walk *glob, const char *base, const char *pattern);

#endif
