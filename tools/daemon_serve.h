/* What a running daemon tells about itself: on its control socket and by its metrics. */
#ifndef MW_TOOLS_DAEMON_SERVE_H
#define MW_TOOLS_DAEMON_SERVE_H

#include <poll.h>
#include <stddef.h>

#include "daemon_status.h"

struct mw_daemon_serve;

/* Fills in how the daemon is now. */
typedef void mw_daemon_ask(void *context, struct mw_daemon_facts *ret);

/* Goes over to `mode`, for as long as nobody says otherwise. Returns NULL, or a sentence that says
 * why it is another one. */
typedef const char *mw_daemon_turn(void *context, enum mw_verdict mode);

/* Opens the control socket of `config`. Returns 0, or a negative errno with a sentence in `why`.
 * Close in any case; NULL is allowed. */
int mw_daemon_serve_open(const struct mw_daemon_config *config, mw_daemon_ask *ask,
                         mw_daemon_turn *turn, void *context, struct mw_daemon_serve **ret,
                         char *why, size_t why_size);
void mw_daemon_serve_close(struct mw_daemon_serve *serve);

/* Serves the metrics that `config` asks for from now on, and no others. The same; on an error there
 * are none over HTTP. */
int mw_daemon_serve_metrics(struct mw_daemon_serve *serve, const struct mw_daemon_config *config,
                            char *why, size_t why_size);

#define MW_DAEMON_SERVE_FDS 2

/* What to poll for, and after how many milliseconds to call mw_daemon_serve_poll() anyway; -1:
 * never. */
void mw_daemon_serve_fds(const struct mw_daemon_serve *serve,
                         struct pollfd ret[static MW_DAEMON_SERVE_FDS]);
int mw_daemon_serve_patience(const struct mw_daemon_serve *serve);

/* Does what can be done without waiting. */
void mw_daemon_serve_poll(struct mw_daemon_serve *serve);

#endif
