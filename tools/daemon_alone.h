/* A report as an alert of its own: the user's word about the effect, the daemon's about who, where
 * and when. */
#ifndef MW_TOOLS_DAEMON_ALONE_H
#define MW_TOOLS_DAEMON_ALONE_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "daemon_trees.h"

/* Sets who did it, by /proc. A process that has ended by now has a pid and `uid`, the reporter's,
 * and no more. Returns 0; or -EACCES when the process is another user's and the reporter not root,
 * and `alert` is not changed. */
int mw_alone_identify(json_t *alert, const struct mw_member *who, pid_t tid, uid_t uid);

/* Sets the rest: ours is `id`, `time` and `update`, `theirs` is the id of the report. */
void mw_alone_finish(json_t *alert, const char *id, const char *time, int update,
                     const char *theirs);

/* A record of `lost` reports of `uid` (docs/alerts.md). A new reference. */
json_t *mw_alone_loss(uid_t uid, uint64_t lost, const char *reason);

#endif
