#include "container_states.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONTAINERS 128
#define ASK_AGAIN 10 /* seconds, of a container that nothing told about */

struct container {
	char id[MW_CGROUP_ID], pod[MW_CGROUP_ID];
	bool is_known;
	time_t asked;
	struct mw_container_state state;
};

struct mw_container_states {
	const char *root;
	struct container *containers[CONTAINERS];
	size_t next;
	uint64_t found, missing;
};

struct mw_container_states *mw_container_states_new(const char *root)
{
	struct mw_container_states *states = calloc(1, sizeof(*states));

	if (states)
		states->root = root;
	return states;
}

void mw_container_states_free(struct mw_container_states *states)
{
	if (!states)
		return;
	for (size_t i = 0; i < CONTAINERS; i++)
		free(states->containers[i]);
	free(states);
}

void mw_container_states_counts(const struct mw_container_states *states, uint64_t *ret_found,
                                uint64_t *ret_missing)
{
	*ret_found = states->found;
	*ret_missing = states->missing;
}

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static struct container *find_container(struct mw_container_states *states,
                                        const struct mw_cgroup *cgroup)
{
	for (size_t i = 0; i < CONTAINERS; i++) {
		struct container *one = states->containers[i];

		if (one && !strcmp(one->id, cgroup->container) && !strcmp(one->pod, cgroup->pod))
			return one;
	}
	return NULL;
}

static struct container *new_container(struct mw_container_states *states,
                                       const struct mw_cgroup *cgroup)
{
	struct container **place = &states->containers[states->next];

	if (!*place)
		*place = calloc(1, sizeof(**place));
	if (!*place)
		return NULL;
	states->next = (states->next + 1) % CONTAINERS;
	**place = (struct container){0};
	memcpy((*place)->id, cgroup->container, sizeof((*place)->id));
	memcpy((*place)->pod, cgroup->pod, sizeof((*place)->pod));
	return *place;
}

/* What is known does not change while the container is there; what is not may come to be. */
const struct mw_container_state *mw_container_states_get(struct mw_container_states *states,
                                                         const struct mw_cgroup *cgroup)
{
	struct container *one = find_container(states, cgroup);

	if (one && (one->is_known || now() - one->asked < ASK_AGAIN))
		return &one->state;
	one = one ? one : new_container(states, cgroup);
	if (!one)
		return NULL;
	one->asked = now();
	one->is_known = !mw_container_state(states->root, cgroup, &one->state);
	if (one->is_known)
		states->found++;
	else
		states->missing++;
	return &one->state;
}
