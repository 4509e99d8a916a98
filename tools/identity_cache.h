/* Who did it, when the process may have gone by now: what /proc said while it ran, and what the
 * kernel's event says of it, tell the rest. */
#ifndef MW_TOOLS_IDENTITY_CACHE_H
#define MW_TOOLS_IDENTITY_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "container_states.h"

#define MW_IDENTITY_PROCESSES 4096
#define MW_IDENTITY_BYTES 2048 /* for one process, at most */

struct mw_identity_cache;

/* Makes an empty cache. `root` is put before the paths of what the container runtimes keep, "" for
 * this host; it is borrowed. NULL: no runtime is asked, and what their files say is read each time.
 * `cri_sockets` is an array of paths where they are asked; NULL: their usual ones (cri.h). Returns
 * 0 or a negative errno. Free with mw_identity_cache_free(). */
int mw_identity_cache_new(const char *root, const json_t *cri_sockets,
                          struct mw_identity_cache **ret);
void mw_identity_cache_free(struct mw_identity_cache *cache);

/* Remembers what /proc says of process `pid` now, under its start time, in place of what was
 * remembered of it before; and what its container is called. Who has not been asked for longest
 * leaves when there are too many. A process that has gone is not remembered, and one that is ending
 * not in place of what it was. */
void mw_identity_note(struct mw_identity_cache *cache, pid_t pid);
void mw_identity_forget(struct mw_identity_cache *cache, pid_t pid);

/* What an event says of its process. Zero and NULL: not known. All strings are borrowed. */
struct mw_identity_hint {
	pid_t pid, tid;    /* by the kernel, in the host's namespace */
	uint64_t start_ns; /* of the process, since boot; 0: whoever has the pid now is meant, or
	                      had it last */
	pid_t parent;      /* who started it: its child is of the same user, job and container */
	uint64_t parent_start_ns;
	uint64_t cgroup; /* number of its control group, version 2 */
	uint32_t uid;    /* MW_IDENTITY_NO_UID: not known */
	const char *comm, *exe;
};
#define MW_IDENTITY_NO_UID UINT32_MAX

/* `process`, `user`, `job` and `container` of the alert: by /proc when the process is there (and
 * started then), by the cache for what /proc does not tell of a process that has ended, then by the
 * number of the control group, the parent and the hint itself. What nobody knows is null. `cache`
 * may be NULL. A new reference, or NULL when there is no memory. */
json_t *mw_identity_gather(struct mw_identity_cache *cache, const struct mw_identity_hint *hint);

/* Adds to the `container` of an alert what its runtime has told since. True when that is news. */
bool mw_identity_complete(struct mw_identity_cache *cache, json_t *alert);

/* For a cache that asks runtimes. Takes what they have answered, without ever waiting, and tells
 * `news` of which containers there is some. The descriptor is readable when there is something to
 * take. */
int mw_identity_fd(const struct mw_identity_cache *cache);
void mw_identity_poll(struct mw_identity_cache *cache, mw_container_news *news, void *context);

/* Whether the process that is meant still is the one that has the pid. */
bool mw_identity_is_there(const struct mw_identity_hint *hint);

struct mw_identity_counts {
	size_t processes, bytes; /* remembered now */
	uint64_t noted, evicted;
	uint64_t live, remembered, inherited, unknown; /* where an identity that was asked for came
	                                                  from */
	struct mw_container_counts containers;
};
void mw_identity_counts(const struct mw_identity_cache *cache, struct mw_identity_counts *ret);

#endif
