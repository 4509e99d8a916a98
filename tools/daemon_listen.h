/* A socket that anybody on the host may write to, and the kernel's word on who did. */
#ifndef MW_TOOLS_DAEMON_LISTEN_H
#define MW_TOOLS_DAEMON_LISTEN_H

#include <sys/types.h>

#include "daemon_merge.h"

/* Listens at `path` for messages (SOCK_SEQPACKET) of everybody. Its directory is made with mode
 * 0755 if it is missing, and has to be the caller's own. Returns a descriptor or a negative errno.
 */
int mw_listen(const char *path);

/* Who connected: pid, start and uid of `ret`. Returns 0, -ESRCH when the process has ended, or
 * -EACCES when it counts processes in another PID namespace: what it says of them means nothing
 * here. */
int mw_listen_peer(int fd, struct mw_supervisor *ret);

/* Reads one message of `pid`, without waiting. Returns its length, 0 at the end, -EAGAIN,
 * -EMSGSIZE when it does not fit, or -EACCES when another process sent it. */
ssize_t mw_listen_read(int fd, pid_t pid, char *out, size_t size);

#endif
