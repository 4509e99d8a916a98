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

/* Hashes the file behind `fd` from its start, without moving its position. `status` is what fstat()
 * said of it: when that changes meanwhile the result would be of no file that ever was, -EAGAIN.
 * `*cancel` (may be NULL) ends it with -ECANCELED. Returns 0 or a negative errno. */
int mw_sha256_file(int fd, const struct stat *status, const atomic_bool *cancel,
                   char ret[static MW_SHA256_HEX]);

#endif
