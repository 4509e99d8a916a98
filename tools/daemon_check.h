/* What the kernel sent, before anything of it is believed: the kernel is trusted, but what it
 * copied is a process's own. */
#ifndef MW_TOOLS_DAEMON_CHECK_H
#define MW_TOOLS_DAEMON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/wire.h"
#include "../ebpf/event.h"

/* Whether the `size` bytes are an effect or a birth whose counts and strings are within bounds.
 * Returns 0 or -EBADMSG. Everything below and the judge take only what passed. */
int mw_k_check(const void *event, size_t size);

/* How many bytes an effect has: frames that are not there are not sent. */
size_t mw_k_size(const struct mw_k_effect *e);

/* Bytes in the event, any of them: no NUL at the end. `s` is NULL when there are none. */
struct mw_str mw_k_text(const struct mw_k_effect *e, struct mw_k_str s);

/* Whether the kernel knew the file at all. */
bool mw_k_has_file(const struct mw_k_path *path);

/* Writes the path from the root of its mount namespace down. False, and "" in `ret`, when there is
 * none, when names are missing, or when it does not fit. */
bool mw_k_path(const struct mw_k_effect *e, const struct mw_k_path *path, char *ret, size_t size);

/* Whether an inode is the one behind `path`: its device as stat(2) has it. */
bool mw_k_is_file(const struct mw_k_path *path, dev_t dev, ino_t ino);

#endif
