/* SHA-256 in hex, of memory and of files. */
#ifndef MW_TOOLS_SHA256_H
#define MW_TOOLS_SHA256_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define MW_SHA256_HEX 65 /* with the NUL */

/* Returns 0 or -ENOMEM. */
int mw_sha256(const void *data, size_t len, char ret[static MW_SHA256_HEX]);

/* What others see of one that is under way, and may do to it. */
struct mw_sha256_watch {
	atomic_bool cancel;     /* ends it with -ECANCELED */
	_Atomic uint64_t reads; /* so far: who does not get on hangs in a file system */
};

/* Hashes the file behind `fd` from its start, without moving its position. `status` is what fstat()
 * said of it: when that changes meanwhile the result would be of no file that ever was, -EAGAIN.
 * `watch` may be NULL. Returns 0 or a negative errno. */
int mw_sha256_file(int fd, const struct stat *status, struct mw_sha256_watch *watch,
                   char ret[static MW_SHA256_HEX]);

#endif
