/* Where a daemon runs: once on a host, and behind everybody's back only when it is up. */
#ifndef MW_TOOLS_DAEMON_PLACE_H
#define MW_TOOLS_DAEMON_PLACE_H

#include <sys/types.h>

/* Makes MW_DAEMON_RUN and takes the lock in it, for as long as the descriptor that is returned, or
 * those that forks have of it, are open. Returns -EBUSY when another process has it, with its id in
 * `*ret_other` (0: not known), or another negative errno. */
int mw_daemon_lock(pid_t *ret_other);

/* Writes this process's id into the lock. */
void mw_daemon_sign(int lock);

/* Goes on in a new process of its own session, in the folder /. Only that one returns, with a
 * descriptor; the process that was called ends once mw_daemon_settle() was, or with MW_EXIT_OWN
 * when the new one has ended before. Call it while the process has one thread. Returns a negative
 * errno when no new process could be made. */
int mw_daemon_go(void);

/* Lets the waiting process end with success, and lets go of the terminal. `fd` is what
 * mw_daemon_go() returned. */
void mw_daemon_settle(int fd);

#endif
