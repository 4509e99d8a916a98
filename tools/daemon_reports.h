/* The daemon's socket for those who report to it. Everybody may connect; who it is the kernel says.
 * Connections, messages, bytes and time are bounded for each user, and what one user sends costs
 * the others nothing. Nothing is ever sent back, so nobody can make the daemon wait. */
#ifndef MW_TOOLS_DAEMON_REPORTS_H
#define MW_TOOLS_DAEMON_REPORTS_H

#include <stdint.h>

#include "daemon_merge.h"
#include "reporter.h" /* MW_REPORT_SOCKET, MW_REPORT_MAX */

/* 0 stands for the default. */
struct mw_reports_limits {
	unsigned int connections; /* of all together: 1024; descriptors are the caller's to have */
	unsigned int per_uid;     /* connections: 256 */
	unsigned int a_minute;    /* messages of one user: 600 */
	unsigned int burst;       /* ... that may come at once: 200 */
	int hello_ms;             /* until a connection says who it is: 2000 */
};

struct mw_reports_counters {
	uint64_t accepted;
	uint64_t reports; /* taken in */
	uint64_t refused; /* connections beyond a limit, of another PID namespace or of the dead */
	uint64_t limited; /* messages beyond a limit */
	uint64_t malformed; /* messages that are none */
	uint64_t oversized;
	uint64_t unpermitted; /* messages that had no place in the conversation */
	uint64_t forged;      /* other people's processes or sensors, or another sender's message */
	uint64_t late;        /* connections that did not say what they are for */
};

struct mw_reports;

/* Listens at `path`, in a directory of mode 0755 that is made when it is missing. A socket that an
 * earlier daemon left there is replaced. `limits` may be NULL; `merge` is borrowed. Returns 0 or a
 * negative errno: -EPERM when the directory is another user's or others may write to it. */
int mw_reports_open(const char *path, const struct mw_reports_limits *limits,
                    struct mw_merge *merge, struct mw_reports **ret);

/* Ends all connections and removes the socket. NULL is allowed. */
void mw_reports_close(struct mw_reports *reports);

/* A descriptor that is readable when mw_reports_poll() has something to do. */
int mw_reports_fd(const struct mw_reports *reports);

/* Takes in what has been sent, at most 256 messages of each user. `now` as in daemon_merge.h.
 * Returns the number of messages. */
int mw_reports_poll(struct mw_reports *reports, int64_t now);

/* Ends who is late, and records what was lost. To be called in mw_reports_wait() milliseconds; -1:
 * no need. */
void mw_reports_tick(struct mw_reports *reports, int64_t now);
int mw_reports_wait(const struct mw_reports *reports, int64_t now);

const struct mw_reports_counters *mw_reports_count(const struct mw_reports *reports);

#endif
