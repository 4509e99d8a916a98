/* A file of lines that several processes write, and that grows no larger than it should. Who writes
 * holds a lock (flock) on it; who finds another file under its name, because it was rotated here or
 * by logrotate, goes on with that one. */
#ifndef MW_COURIER_LOG_FILE_H
#define MW_COURIER_LOG_FILE_H

#include <limits.h>
#include <stdint.h>

#include "channel_parts.h"

struct mw_log_file {
	char path[PATH_MAX];
	uint64_t max_bytes; /* 0: it is never rotated */
	int keep;           /* how many older ones, PATH.1 the youngest */
	int fd;             /* -1: not open */
};

/* Opens it when it is not open (mode 0600) and waits for the lock. A line that somebody's death cut
 * short is ended. Returns 0 or a negative errno: -ETIMEDOUT, -ECANCELED, -EINVAL where the path is
 * of something else than a file. */
int mw_log_file_lock(struct mw_log_file *file, const struct mw_wait *wait);

/* Appends `len` bytes, which end in a newline, to the locked file, after rotating it when it would
 * become too large. Returns 0 or a negative errno. */
int mw_log_file_add(struct mw_log_file *file, const char *line, size_t len,
                    const struct mw_wait *wait);

/* Has the disk take what was added, and unlocks. Returns 0, or a negative errno: nothing of what
 * was added since the lock is known to be there. */
int mw_log_file_unlock(struct mw_log_file *file);

void mw_log_file_close(struct mw_log_file *file);

#endif
