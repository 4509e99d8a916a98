/* What the runtimes have said of the last 128 containers, so that they are not asked for each
 * process. */
#ifndef MW_TOOLS_CONTAINER_STATES_H
#define MW_TOOLS_CONTAINER_STATES_H

#include <stdint.h>

#include "container_state.h"

struct mw_container_states;

/* `root` is borrowed, as mw_container_state() takes it. Returns NULL when there is no memory. */
struct mw_container_states *mw_container_states_new(const char *root);
void mw_container_states_free(struct mw_container_states *states);

/* The state of the container and pod of `cgroup`, which is of the host's word: all empty when
 * nothing tells, which is asked again after 10 seconds; NULL when there is no memory. Good until
 * the next call. */
const struct mw_container_state *mw_container_states_get(struct mw_container_states *states,
                                                         const struct mw_cgroup *cgroup);

/* How often something told of a container, and how often nothing did. */
void mw_container_states_counts(const struct mw_container_states *states, uint64_t *ret_found,
                                uint64_t *ret_missing);

#endif
