/* Who did it: the process, user, job, container and host, as /proc shows them, in the words of the
 * alert. Every function returns a new reference with null for what is not known, or NULL when there
 * is no memory. Reads are bounded. */
#ifndef MW_TOOLS_IDENTITY_H
#define MW_TOOLS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "cgroup.h"

#define MW_IDENTITY_ANCESTORS 16

struct mw_container_state;

json_t *mw_identity_process(pid_t pid, pid_t tid, const struct mw_cgroup *cgroup);
json_t *mw_identity_user(pid_t pid);
json_t *mw_identity_host(void);

/* The name of a user of this machine; empty when there is none. Good until the next call. */
const char *mw_identity_user_name(uid_t uid);

/* When a process started, by the clock of today: `ticks` count from boot, as in mw_task. */
json_t *mw_identity_start_time(uint64_t ticks);

/* Fills `ret` for process `pid`. */
void mw_identity_cgroup(pid_t pid, struct mw_cgroup *ret);

/* null when the process belongs to none. The job comes from the control group, else (as its `trust`
 * says) from the process's own environment, of which nothing else is looked at; with `pid` 0, from
 * the control group alone. */
json_t *mw_identity_job(pid_t pid, const struct mw_cgroup *cgroup);
json_t *mw_identity_container(const struct mw_cgroup *cgroup);

/* The other way round: fills `ret` with the id, the pod and the runtime, which is borrowed, of such
 * a container. False when they are not of the host's word. */
bool mw_identity_container_cgroup(const json_t *container, struct mw_cgroup *ret);

/* Adds to a container that mw_identity_container() has made what its runtime says, where it is
 * null. True when that is news. */
bool mw_identity_name_container(json_t *container, const struct mw_container_state *state);

/* Reads at most `size` - 1 bytes of /proc/<pid>/<name> and ends them with a NUL. Returns how many;
 * 0 when it cannot be read. */
size_t mw_proc_read(pid_t pid, const char *name, char *out, size_t size);

#endif
