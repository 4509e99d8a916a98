/* The monitor of one run: answers what the watched processes ask, records their effects, and keeps
 * what they must not: which process answers for which load, and how much was denied to it. */
#ifndef MW_TOOLS_MONITOR_H
#define MW_TOOLS_MONITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "../core/policy.h"
#include "alert.h"
#include "floor_gate.h"
#include "server.h"

struct mw_monitor;

/* Called when the verdict on an effect is kill: ends every process of the run, naming the alert.
 * The process that asked is answered after that. */
typedef void mw_kill(void *context, const char *alert_id, const char *alert_title);

/* Makes a monitor with the policy image `policy` of `size` bytes. It and `alerts` are borrowed. Its
 * socket is open when it returns. Returns 0 or a negative errno; close with mw_monitor_close(). */
int mw_monitor_open(const struct mw_policy *policy, size_t size, struct mw_alerts *alerts,
                    mw_kill *kill, void *context, struct mw_monitor **ret);
void mw_monitor_close(struct mw_monitor *monitor);

/* What waits at the gate of the run's floor is answered from now on. Both are borrowed until
 * mw_monitor_close(). Returns 0 or -ENOMEM. */
int mw_monitor_floor(struct mw_monitor *monitor, int listener, struct mw_gate *gate);

/* From now on processes tell which of their loads have ended, and `inventory` hears it; borrowed
 * until mw_monitor_close(). */
struct mw_inventory;
void mw_monitor_inventory(struct mw_monitor *monitor, struct mw_inventory *inventory);

/* The path of its socket, for MODELWATCH_SOCKET. */
const char *mw_monitor_path(const struct mw_monitor *monitor);

/* A descriptor that is readable when mw_monitor_poll() has something to do, and after how many
 * milliseconds it has in any case (-1: never). */
int mw_monitor_fd(const struct mw_monitor *monitor);
int mw_monitor_patience(const struct mw_monitor *monitor);

/* Answers who has asked, without waiting. Returns the number of connections it had to do with. */
int mw_monitor_poll(struct mw_monitor *monitor);

const struct mw_server_counters *mw_monitor_count(const struct mw_monitor *monitor);

#endif
