/* What a container is called, in which pod and of which image: what its runtime has written down
 * on this host. Read as root from directories that only root can write; nothing that the container
 * itself can write is looked at, no link below them is followed, and sizes are bounded. */
#ifndef MW_TOOLS_CONTAINER_STATE_H
#define MW_TOOLS_CONTAINER_STATE_H

#include "cgroup.h"

/* Empty strings: not told. */
struct mw_container_state {
	const char *runtime; /* a constant; NULL: not told */
	char name[128];      /* of the container, in its pod where there is one */
	char image[384];
	char pod[256], namespace[64], uid[MW_CGROUP_ID]; /* of Kubernetes */
};

/* Looks for the state of the container and the pod that `cgroup` names, below directory `root` (""
 * for the host's own). What a process may have made up, which is what `container_trust` says, is
 * not looked up. State that names another pod than the path of the control group is not believed.
 * Returns 0 and fills `ret` when something tells, -ENOENT when nothing does, -EPERM when it is not
 * looked up. */
int mw_container_state(const char *root, const struct mw_cgroup *cgroup,
                       struct mw_container_state *ret);

/* The runtimes' files, one after another; each returns 0 when it told something, else -ENOENT.
 * `id` has 64 hex digits. */
int mw_container_docker(const char *root, const char *id, struct mw_container_state *ret);
int mw_container_containerd(const char *root, const char *id, struct mw_container_state *ret);
int mw_container_storage(const char *root, const char *id, struct mw_container_state *ret);
/* What kubelet's names of log files tell, with either of `id` and `uid` empty. */
int mw_container_logs(const char *root, const char *id, const char *uid,
                      struct mw_container_state *ret);

#endif
