/* Digests of whole files: small ones at once, large ones by a thread of their own that nobody waits
 * for. A file that was hashed is not hashed again as long as it stays as it was. */
#ifndef MW_TOOLS_HASHER_H
#define MW_TOOLS_HASHER_H

#include <stdint.h>
#include <sys/stat.h>

#include "sha256.h"

#define MW_HASHER_INLINE (2 << 20) /* bytes of a file that is hashed at once */
#define MW_HASHER_JOBS 64          /* files that are waiting, or remembered */

enum mw_digest_state { MW_DIGEST_PENDING, MW_DIGEST_DONE, MW_DIGEST_UNAVAILABLE };

struct mw_digest {
	enum mw_digest_state state;
	uint64_t job;               /* when pending: what its result will be called, never 0 */
	char sha256[MW_SHA256_HEX]; /* when done */
};

struct mw_hasher;

/* Returns 0 or a negative errno. The thread starts with the first large file; the caller has
 * blocked every signal it handles by then. */
int mw_hasher_new(struct mw_hasher **ret);

/* Ends the thread, within `patience_ms` if it can finish all by then and else by giving up what is
 * left. Afterwards every job has a result. */
void mw_hasher_stop(struct mw_hasher *hasher, int patience_ms);
void mw_hasher_free(struct mw_hasher *hasher);

/* The digest of the regular file behind `fd`, which stays the caller's; `status` is what fstat()
 * said of it. Unavailable when it cannot be read, changes meanwhile, or too many are waiting. */
void mw_hasher_ask(struct mw_hasher *hasher, int fd, const struct stat *status,
                   struct mw_digest *ret);

/* Waits up to `patience_ms` for the job in `digest`, which is pending, and fills it anew: it may be
 * so still. */
void mw_hasher_await(struct mw_hasher *hasher, int patience_ms, struct mw_digest *digest);

/* For how many ms the file that is read now, on device `*ret_dev`, has given nothing, as far as is
 * known to who asks this again and again; 0: none is read. */
int64_t mw_hasher_stalled(struct mw_hasher *hasher, int64_t now_ms, dev_t *ret_dev);

/* A descriptor that is readable once a job has ended since the last mw_hasher_result(). */
int mw_hasher_fd(const struct mw_hasher *hasher);

/* Takes the state of the job called `job`, which is pending as long as it is not done. */
void mw_hasher_result(struct mw_hasher *hasher, uint64_t job, struct mw_digest *ret);

#endif
