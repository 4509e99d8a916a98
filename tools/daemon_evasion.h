/* When it may be said that a shim should have announced what the kernel saw. Each doubt is the
 * process's: the alert stays, and only the claim is not made. */
#ifndef MW_TOOLS_DAEMON_EVASION_H
#define MW_TOOLS_DAEMON_EVASION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "daemon_merge.h"
#include "daemon_trees.h"

#define MW_LOSERS_MAX 64

/* Users of whom reports were lost lately. All zero: none. */
struct mw_losers {
	struct {
		uid_t uid;
		int64_t until;
	} one[MW_LOSERS_MAX];
	int64_t all; /* until then everybody counts: there were too many */
};

void mw_losers_add(struct mw_losers *losers, uid_t uid, int64_t now);
bool mw_losers_has(const struct mw_losers *losers, uid_t uid, int64_t now);

/* Whether the supervisor's policy, if it is `policy` as he says, has a record made of what `alert`
 * is about. By a cause that the daemon could not find out he may have had another rule. */
bool mw_evasion_recorded(const struct mw_supervisor *supervisor, const char *policy,
                         const json_t *alert);

/* Whether a shim was there to announce it. A process that has just become another program has not
 * mapped it yet: who started it is asked. */
bool mw_evasion_shim(const struct mw_merge_effect *effect, const struct mw_member *who);

#endif
