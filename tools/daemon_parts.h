/* The kernel's ring buffer, read: effects with the stack and the stream that were sent before them.
 * What is in a part is a process's: no more is relied on than its length. */
#ifndef MW_TOOLS_DAEMON_PARTS_H
#define MW_TOOLS_DAEMON_PARTS_H

#include "daemon_programs.h"

struct mw_daemon_parts;

/* Reads the ring buffer behind `map`, which stays the caller's. Returns 0 or a negative errno. */
int mw_daemon_parts_open(int map,
                         void (*event)(void *context, const struct mw_programs_event *event),
                         void *context, struct mw_daemon_parts **ret);
void mw_daemon_parts_close(struct mw_daemon_parts *parts);

int mw_daemon_parts_fd(const struct mw_daemon_parts *parts);
int mw_daemon_parts_poll(struct mw_daemon_parts *parts);

/* Takes one record of the ring buffer. */
void mw_daemon_parts_take(struct mw_daemon_parts *parts, const void *data, size_t size);

#endif
