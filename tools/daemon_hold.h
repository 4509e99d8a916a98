/* The kernel's alerts on their way to those who report. */
#ifndef MW_TOOLS_DAEMON_HOLD_H
#define MW_TOOLS_DAEMON_HOLD_H

#include "daemon_merge.h"

/* As a mw_alert_hold: whether the alert of `record`, an effect of process `pid` that the kernel
 * saw, is kept back for its report. `now` as in daemon_merge.h. */
bool mw_daemon_hold(struct mw_merge *merge, pid_t pid, const struct mw_record *record,
                    json_t *alert, int64_t now);

#endif
