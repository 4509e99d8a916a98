/* What becomes of the system calls that wait in the floor's gate: calls to the monitor are heard,
 * and what tasks in scope do is judged. Runs in the monitor's main loop. */
#ifndef MW_TOOLS_FLOOR_JUDGE_H
#define MW_TOOLS_FLOOR_JUDGE_H

#include "../core/policy.h"
#include "alert.h"
#include "floor_gate.h"
#include "scopes.h"
#include "server.h"

/* Borrowed from the monitor, whose part the judge is. */
struct mw_floor_host {
	void *context;
	mw_serve *serve; /* answers a record, as the socket's are */
	const struct mw_policy *policy;
	struct mw_alerts *alerts;
	struct mw_scopes *scopes;
	struct mw_registry *registry;
	pid_t self;
};

struct mw_floor_judge;

/* `listener` and `gate` are borrowed. Returns 0 or -ENOMEM; close with mw_floor_judge_close(). */
int mw_floor_judge_open(const struct mw_floor_host *host, int listener, struct mw_gate *gate,
                        struct mw_floor_judge **ret);
void mw_floor_judge_close(struct mw_floor_judge *judge);

/* Answers what waits, or a part of it: mw_gate_fd() is readable then. Returns how many that were.
 */
int mw_floor_judge_poll(struct mw_floor_judge *judge);

/* Whether there is something that mw_floor_judge_prune() may forget later. */
bool mw_floor_judge_knows(const struct mw_floor_judge *judge);

/* Forgets what has ended. */
void mw_floor_judge_prune(struct mw_floor_judge *judge);

/* What records say, from whatever channel they came: the thread is in a load from now on; it goes
 * on with an effect that was let pass, under the alert called `alert` (empty: none). */
void mw_floor_judge_opened(struct mw_floor_judge *judge, pid_t pid, const struct mw_record *record);
void mw_floor_judge_permit(struct mw_floor_judge *judge, pid_t pid, const struct mw_record *record,
                           const char *alert);

#endif
