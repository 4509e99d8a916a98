/* How a process comes to stand behind the floor's filter and its parent to hold the listener.
 *
 * The two share a socket. The filter tells of connect(2) and sendmsg(2) but not of read(2) and
 * write(2), so a child behind it can still say which descriptor its listener is and wait until the
 * parent has taken it. */
#ifndef MW_TOOLS_FLOOR_START_H
#define MW_TOOLS_FLOOR_START_H

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

/* In the child: installs the filter, tells the parent by `parent`, and waits for its mw_floor_go().
 * Async-signal-safe. Returns 0, or a negative errno, which the parent has heard too when it is the
 * filter's. */
int mw_floor_enter(const struct sock_fprog *filter, int parent);

/* In the parent: waits for `child` and takes its listener, by pidfd_getfd(2), for which one must be
 * allowed to trace it. `socket` is ours of the pair. Returns the listener, closed on exec, or a
 * negative errno, -ECHILD when the child ended. */
int mw_floor_listener(pid_t child, int socket);

/* Lets it go on. Returns 0 or a negative errno. */
int mw_floor_go(int socket);

/* Tries all this with a child, and answers it. Returns 0 when a floor works here, and whether it
 * sets no_new_privs, or a negative errno. Call it while the process has one thread. */
int mw_floor_try(bool *ret_no_new_privs);

/* What such an errno says about the machine, as half a sentence; static. */
const char *mw_floor_why(int error);

#endif
