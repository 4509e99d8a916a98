/* Resolves a path as a watched task sees it, and holds what it led to.
 *
 * The walk goes part by part from the task's own root, working directory or descriptor, and each
 * directory on the way is held while the next part is looked up in it. What comes out is
 * descriptors, not names: nobody can make them mean another file afterwards. Everything is opened
 * with O_PATH, so that nothing is changed and no device or FIFO notices; a lookup waits as long as
 * its file system takes. The rules are those of path_resolution(7), with proc(5): /proc/self is
 * the task's, and links below /proc/PID are followed by the kernel, as their text is not where they
 * lead to. */
#ifndef MW_TOOLS_FLOOR_PATH_H
#define MW_TOOLS_FLOOR_PATH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "floor_tracee.h"

/* What the task asks for cannot be found out or done on its behalf: no error of the task's own. */
#define MW_FLOOR_CANNOT 1

enum mw_floor_path_flags {
	MW_FLOOR_FOLLOW = 1, /* a link in the last part is followed */
	MW_FLOOR_EMPTY = 2,  /* an empty path means `dir` itself (AT_EMPTY_PATH) */
	/* The last part is a name to make or remove: without it, "link/" follows the link in any
	 * case, as a path that has to be a directory. */
	MW_FLOOR_NAME = 4,
};

/* How the path ends. */
enum mw_floor_last {
	MW_LAST_NAME,   /* in a name in `parent` */
	MW_LAST_ROOT,   /* it is the root directory, */
	MW_LAST_DOT,    /* ends in ".", */
	MW_LAST_DOTDOT, /* or in "..": then `parent` is that directory itself and `name` is empty */
	MW_LAST_FILE,   /* it led to an open file (/proc/PID/fd/N, an empty path): no parent or name
	                 */
};

struct mw_floor_path {
	int parent; /* O_PATH descriptor of the directory that holds the entry, or -1 */
	int entry;  /* O_PATH descriptor of the entry itself, or -1 when there is none */
	bool exists;
	bool slash; /* the path ends in slashes: it has to be a directory */
	enum mw_floor_last last;
	const char *name; /* the last part; points into `file` or is "" */
	char *file;       /* the absolute real path, as seen from our root */
	char *target;     /* the path as it was given, made absolute */
	struct stat st;   /* of the entry, when it exists */
};

/* Resolves `path` for the task, relative to its descriptor `dir` or AT_FDCWD. With MW_FLOOR_FOLLOW
 * the entry is never a link. Returns 0, or the negative errno that the task would get from the walk
 * (a last part that is not there is none), or MW_FLOOR_CANNOT. `ret` is to be closed after 0. */
int mw_floor_path(const struct mw_tracee *tracee, int dir, const char *path, int flags,
                  struct mw_floor_path *ret);

/* Closes and frees; harmless on one that is closed or was never resolved (parent and entry -1). */
void mw_floor_path_close(struct mw_floor_path *path);

/* The path that the kernel gives for one of our descriptors (it may say "pipe:[1]" and the like),
 * to be freed by the caller; NULL when there is none or it is longer than PATH_MAX. */
char *mw_floor_path_of_fd(int fd);

#endif
