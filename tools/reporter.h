/* Tells the host's daemon what a run records, so that an effect that both see gives one alert. The
 * run comes first: nothing here waits, and a daemon that hangs or is gone costs alerts there, never
 * time here. docs/protocol.md has the messages. */
#ifndef MW_TOOLS_REPORTER_H
#define MW_TOOLS_REPORTER_H

#include <stddef.h>
#include <stdint.h>

#define MW_REPORT_SOCKET "/run/modelwatch/report.sock"
#define MW_REPORT_MAX (256u << 10) /* bytes of a message */

struct mw_reporter;

/* Says hello to the daemon that listens at `path`, if there is one, and that the caller supervises
 * what descends from it. Only root is talked to: the directory of the socket and the listener have
 * to be root's. A daemon that comes later, or comes back, is found with the next alert.
 * `policy_digest` is in hex, `mode` a word. Returns 0 or -ENOMEM. */
int mw_reporter_open(const char *path, const char *policy_digest, const char *mode,
                     struct mw_reporter **ret);

/* Passes on the `len` bytes of `line`, an alert with its newline. Never waits: what the daemon has
 * no room for is kept, within a bound, and sent when mw_reporter_poll() finds room. */
void mw_reporter_send(struct mw_reporter *reporter, const char *line, size_t len);

/* The descriptor to poll, -1 for none, for which events, and after how many milliseconds (-1:
 * never) mw_reporter_poll() is to be called in any case. They change with every call here. */
int mw_reporter_fd(const struct mw_reporter *reporter);
short mw_reporter_events(const struct mw_reporter *reporter);
int mw_reporter_patience(const struct mw_reporter *reporter);

/* Sends what was kept; looks for a daemon that was lost, less often the longer it is away. */
void mw_reporter_poll(struct mw_reporter *reporter);

/* Sends what was kept, if the daemon takes it within 100 ms, and closes. Returns how many alerts a
 * daemon that was there did not get. NULL is allowed. */
uint64_t mw_reporter_close(struct mw_reporter *reporter);

#endif
