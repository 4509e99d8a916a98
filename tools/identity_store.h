/* Texts by process, a bounded number of them. */
#ifndef MW_TOOLS_IDENTITY_STORE_H
#define MW_TOOLS_IDENTITY_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mw_identity_store;

/* Returns NULL when there is no memory. */
struct mw_identity_store *mw_identity_store_new(size_t max);
void mw_identity_store_free(struct mw_identity_store *store);

/* Keeps a copy of `text` for the process, in place of the one that is there. Returns how many texts
 * had to leave for it (0 or 1), or -ENOMEM. */
int mw_identity_store_put(struct mw_identity_store *store, pid_t pid, uint64_t start,
                          const char *text, size_t len);

/* The text of a process, or NULL. With `start` 0, of the last that had the pid. Good until the next
 * change. */
const char *mw_identity_store_get(struct mw_identity_store *store, pid_t pid, uint64_t start);

/* Drops all that had the pid. */
void mw_identity_store_drop(struct mw_identity_store *store, pid_t pid);

void mw_identity_store_size(const struct mw_identity_store *store, size_t *ret_count,
                            size_t *ret_bytes);

#endif
