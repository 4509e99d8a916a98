/* One effect, one alert, between the daemon and those who report to it: the kernel's alert of a
 * supervised process waits a moment for the report about the same effect and names it; a report
 * without such an alert is written as what it is, a user's word. Nothing that is reported takes
 * away from what the kernel saw: each of its alerts is written, with its own severity, verdict and
 * outcome. A lie can at most avoid the claim of an evasion.
 *
 * Times are milliseconds of CLOCK_MONOTONIC, given by the caller. One thread. */
#ifndef MW_TOOLS_DAEMON_MERGE_H
#define MW_TOOLS_DAEMON_MERGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "../core/words.h"
#include "alert.h"
#include "daemon_message.h"

#define MW_MERGE_PATIENCE_MS 250 /* for the report about what the kernel saw */
#define MW_MERGE_KERNEL_MS 1000  /* for the kernel to see what was reported */
#define MW_MERGE_KEPT_MS 10000
#define MW_MERGE_HELD 32     /* alerts kept back */
#define MW_MERGE_REPORTS 256 /* remembered of a user */
#define MW_MERGE_TREES 1024

/* Where alerts go. `write` takes over the reference. `amend` is as mw_alerts_amend(). */
struct mw_merge_sinks {
	void *context;
	void (*write)(void *context, json_t *alert);
	int (*amend)(void *context, struct mw_str id, mw_alert_change *change,
	             void *change_context);
};

/* Sinks that are mw_alerts_write() and mw_alerts_amend(). `alerts` is borrowed. */
struct mw_merge_sinks mw_merge_alerts(struct mw_alerts *alerts);

/* Who supervises what descends from process `pid`, by the kernel's word; the policy and the mode
 * are its own. */
struct mw_supervisor {
	pid_t pid;
	uint64_t start; /* as struct mw_task has it */
	uid_t uid;
	char policy[MW_MESSAGE_DIGEST];
	enum mw_verdict mode;
};

/* An effect that the kernel saw. NULL: not known. */
struct mw_merge_effect {
	pid_t pid;
	uint64_t start; /* of the process, in clock ticks since boot; 0: not known */
	uid_t uid;
	enum mw_class class;
	const char *target, *target2, *file, *file2; /* as in struct mw_effect */
	bool inside; /* done by a thread inside a load, or by a fork of one before it ran another
	                program: it carries the shim if its supervisor gave it one */
};

struct mw_merge_counters {
	uint64_t merged;    /* kernel alerts that name a report */
	uint64_t evasion;   /* ... that had none and should have */
	uint64_t alone;     /* reports written by themselves */
	uint64_t hurried;   /* kernel alerts that there was no room to keep back */
	uint64_t forgotten; /* reports that there was no room to remember */
};

struct mw_merge;

/* `policy_digest` is the daemon's own, in hex. Returns 0 or -ENOMEM. */
int mw_merge_open(const struct mw_merge_sinks *sinks, const char *policy_digest,
                  struct mw_merge **ret);

/* Writes all that is kept back, then frees. NULL is allowed. To be called before the sinks go. */
void mw_merge_close(struct mw_merge *merge);

/* The daemon's policy has changed. */
void mw_merge_policy(struct mw_merge *merge, const char *policy_digest);

/* What was sent must have been read before: mw_reports_poll() first. `alert` is the finished alert
 * of `effect`; it is completed in place. Returns true when it is kept back, with a reference of its
 * own, and goes to `write` within MW_MERGE_PATIENCE_MS; false when the caller is to write it. Fit
 * to be called by a mw_alert_hold. */
bool mw_merge_kernel(struct mw_merge *merge, const struct mw_merge_effect *effect, json_t *alert,
                     int64_t now);

/* From now on the descendants of a process are supervised, until mw_merge_leave(). Returns a number
 * for the tree, never negative, or -ENOSPC. */
int mw_merge_supervise(struct mw_merge *merge, const struct mw_supervisor *supervisor);
void mw_merge_leave(struct mw_merge *merge, int tree);

/* Takes in a report of a tree's supervisor; takes over its alert. Returns 0, or -EACCES when the
 * process that it names is not one of the tree, or is another user's. */
int mw_merge_report(struct mw_merge *merge, int tree, struct mw_message *report, int64_t now);

/* Reports of this user have been lost: no evasion is claimed of his processes for a while. `lost`
 * of them go into the alerts as a record of the loss. */
void mw_merge_lost(struct mw_merge *merge, uid_t uid, uint64_t lost, const char *reason,
                   int64_t now);

/* Writes what has waited long enough. mw_merge_wait() says in how many milliseconds there will be
 * something to do, -1: nothing waits. */
void mw_merge_tick(struct mw_merge *merge, int64_t now);
int mw_merge_wait(const struct mw_merge *merge, int64_t now);

const struct mw_merge_counters *mw_merge_count(const struct mw_merge *merge);

#endif
