/* What the runtimes have said of the last 128 containers, so that they are not asked for each
 * process: what their files tell, at once, and what these leave open by the Container Runtime
 * Interface (cri.h), whose answer comes later. */
#ifndef MW_TOOLS_CONTAINER_STATES_H
#define MW_TOOLS_CONTAINER_STATES_H

#include <stdint.h>

#include <jansson.h>

#include "container_state.h"

struct mw_container_states;

/* Is told that there is news of the container. */
typedef void mw_container_news(void *context, const char *id);

/* `root` is borrowed, as mw_container_state() takes it, and `cri_sockets` as mw_cri_new() does.
 * Returns 0 or a negative errno. */
int mw_container_states_new(const char *root, const json_t *cri_sockets,
                            struct mw_container_states **ret);
void mw_container_states_free(struct mw_container_states *states);

/* The state of the container and pod of `cgroup`, which is of the host's word: empty where nothing
 * tells (yet), which is asked again after 10 seconds; NULL when there is no memory. Good until the
 * next call. */
const struct mw_container_state *mw_container_states_get(struct mw_container_states *states,
                                                         const struct mw_cgroup *cgroup);

/* A descriptor that is readable when mw_container_states_poll() has something to do. What is
 * told of a container by now goes to `news`; it never waits. */
int mw_container_states_fd(const struct mw_container_states *states);
void mw_container_states_poll(struct mw_container_states *states, mw_container_news *news,
                              void *context);

/* How often something told of a container, how often nothing did, and how often a runtime that is
 * there gave no answer. */
struct mw_container_counts {
	uint64_t found, missing, failed;
};
void mw_container_states_counts(const struct mw_container_states *states,
                                struct mw_container_counts *ret);

#endif
