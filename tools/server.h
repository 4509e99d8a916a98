/* The monitor's socket: takes one record a connection from the processes of a run and has each
 * answered. The peer may be hostile: connections, bytes and time are bounded, and what is turned
 * away is counted. */
#ifndef MW_TOOLS_SERVER_H
#define MW_TOOLS_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "../core/wire.h"

#define MW_SERVER_CONNECTIONS 256
#define MW_SERVER_BUFFERED                                                                         \
	(8u << 20)                 /* bytes held for all together, beyond MW_WIRE_HEAD for each */
#define MW_SERVER_DEADLINE_MS 2000 /* for a whole frame */

struct mw_server_counters {
	uint64_t accepted;
	uint64_t records;   /* understood and answered */
	uint64_t refused;   /* the peer is no process of the run */
	uint64_t malformed; /* the bytes are no record */
	uint64_t foreign;   /* they are one of another version */
	uint64_t oversized; /* the frame says it is longer than MW_WIRE_MAX */
	uint64_t cut;       /* the peer went away in the middle */
	uint64_t timed_out;
};

/* Answers one record of process `pid` (by the kernel's word). Descriptors that are to go with the
 * reply are put in `fds` (all -1 when called) and stay the callee's. */
typedef void mw_serve(void *context, pid_t pid, struct mw_record *record, struct mw_reply *reply,
                      int fds[static MW_WIRE_FDS]);

struct mw_server;

/* Opens a socket for the descendants of the calling process, in a fresh directory of its own.
 * Returns 0 or a negative errno; close with mw_server_close(), which removes the socket and the
 * directory. */
int mw_server_open(mw_serve *serve, void *context, struct mw_server **ret);
void mw_server_close(struct mw_server *server);

/* Where it listens; valid as long as the server. */
const char *mw_server_path(const struct mw_server *server);

/* A descriptor that is readable when mw_server_poll() has something to do. */
int mw_server_fd(const struct mw_server *server);

/* Does what can be done without waiting. Returns the number of connections it had to do with. */
int mw_server_poll(struct mw_server *server);

const struct mw_server_counters *mw_server_count(const struct mw_server *server);

#endif
