/* The shim's calls to the floor (core/floor.h). Nothing of it is done where there is no floor. */
#ifndef MW_PRELOAD_FLOOR_H
#define MW_PRELOAD_FLOOR_H

#include "../core/floor.h"
#include "guest.h"

/* Says something. Returns 0 or a negative errno: -EINVAL when there is no floor. Keeps errno. */
long mw_floor_tell(enum mw_tell command, uint64_t argument);

/* Sends a packed record and takes its reply, and what came with it (`fds` may be NULL). Returns as
 * mw_floor_tell(). */
int mw_floor_send(const struct mw_record *record, const uint8_t *head, size_t len,
                  struct mw_reply *ret, int *fds);

/* The innermost load is to be looked at by the floor from now on; once more when it has fetched
 * something else. `frames` is the Python stack outside it (NULL: unknown, or said before). */
void mw_floor_open(const struct mw_pyframe *frames, uint32_t count);
void mw_floor_close(const struct mw_load *load);

/* Whether the floor looks at what this thread does. */
bool mw_floor_watches(void);

/* This thread is about to start a task. */
void mw_floor_birth(enum mw_floor_birth birth);

#endif
