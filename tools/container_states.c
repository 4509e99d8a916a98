#include "container_states.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cri.h"

#define CONTAINERS 128
#define ASK_AGAIN 10 /* seconds, of a container that nothing told about */

struct container {
	char id[MW_CGROUP_ID], pod[MW_CGROUP_ID];
	bool is_known;
	bool is_asked; /* by CRI, which has not answered yet */
	time_t asked;
	struct mw_container_state state;
};

struct mw_container_states {
	const char *root;
	struct container *containers[CONTAINERS];
	size_t next;
	struct mw_container_counts counts;
	struct mw_cri *cri;
	mw_container_news *news;
	void *context; /* of `news`, both during a poll */
};

static void take_answer(void *context, const char *id, const struct mw_container_state *state);

int mw_container_states_new(const char *root, const json_t *cri_sockets,
                            struct mw_container_states **ret)
{
	struct mw_container_states *states = calloc(1, sizeof(*states));
	int error;

	if (!states)
		return -ENOMEM;
	states->root = root;
	error = mw_cri_new(cri_sockets, take_answer, states, &states->cri);
	if (error)
		mw_container_states_free(states);
	else
		*ret = states;
	return error;
}

void mw_container_states_free(struct mw_container_states *states)
{
	if (!states)
		return;
	for (size_t i = 0; i < CONTAINERS; i++)
		free(states->containers[i]);
	mw_cri_free(states->cri);
	free(states);
}

void mw_container_states_counts(const struct mw_container_states *states,
                                struct mw_container_counts *ret)
{
	struct mw_cri_counts cri;

	mw_cri_counts(states->cri, &cri);
	*ret = states->counts;
	ret->failed = cri.failed;
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

static void fill(char *out, const char *text, size_t size)
{
	if (!out[0])
		memcpy(out, text, size);
}

#define FILL(name) fill(to->name, from->name, sizeof(to->name))

/* What is known stays. */
static void add(struct mw_container_state *to, const struct mw_container_state *from)
{
	if (!to->runtime)
		to->runtime = from->runtime;
	FILL(name);
	FILL(image);
	FILL(pod);
	FILL(namespace);
	FILL(uid);
}

/* CRI tells of what is in pods, and of no others that Docker and Podman run. */
static bool is_of_cri(const struct mw_cgroup *cgroup)
{
	return mw_cgroup_is_hex_id(cgroup->container, strlen(cgroup->container)) &&
	       (cgroup->pod[0] || !cgroup->runtime || !strcmp(cgroup->runtime, "containerd") ||
	        !strcmp(cgroup->runtime, "cri-o"));
}

static bool is_complete(const struct mw_container_state *state, const struct mw_cgroup *cgroup)
{
	return state->name[0] && state->image[0] && (cgroup->runtime || state->runtime) &&
	       (!cgroup->pod[0] || (state->pod[0] && state->namespace[0]));
}

static bool tells(const struct mw_container_state *state)
{
	return state->name[0] || state->image[0] || state->pod[0];
}

static void count(struct mw_container_states *states, const struct container *one)
{
	if (tells(&one->state))
		states->counts.found++;
	else
		states->counts.missing++;
}

static void ask(struct mw_container_states *states, const struct mw_cgroup *cgroup,
                struct container *one)
{
	struct mw_container_state files;
	bool is_open;

	one->asked = now();
	mw_container_state(states->root, cgroup, &files);
	add(&one->state, &files);
	is_open = is_of_cri(cgroup) && !is_complete(&one->state, cgroup);
	one->is_known = !is_open && tells(&one->state);
	one->is_asked = is_open && mw_cri_ask(states->cri, one->id);
	if (!one->is_asked)
		count(states, one);
}

/* What is known does not change while the container is there; what is not may come to be. */
const struct mw_container_state *mw_container_states_get(struct mw_container_states *states,
                                                         const struct mw_cgroup *cgroup)
{
	struct container *one = find_container(states, cgroup);

	if (one && (one->is_known || one->is_asked || now() - one->asked < ASK_AGAIN))
		return &one->state;
	one = one ? one : new_container(states, cgroup);
	if (!one)
		return NULL;
	ask(states, cgroup, one);
	return &one->state;
}

/* As with files: a container that is said to be of another pod than its control group is none to
 * tell of. */
static void take_answer(void *context, const char *id, const struct mw_container_state *state)
{
	struct mw_container_states *states = context;

	for (size_t i = 0; i < CONTAINERS; i++) {
		struct container *one = states->containers[i];

		if (!one || !one->is_asked || strcmp(one->id, id) != 0)
			continue;
		one->is_asked = false;
		if (state && (!one->pod[0] || !strcmp(one->pod, state->uid))) {
			add(&one->state, state);
			one->is_known = true;
		}
		count(states, one);
	}
	if (state)
		states->news(states->context, id);
}

int mw_container_states_fd(const struct mw_container_states *states)
{
	return mw_cri_fd(states->cri);
}

void mw_container_states_poll(struct mw_container_states *states, mw_container_news *news,
                              void *context)
{
	states->news = news;
	states->context = context;
	mw_cri_poll(states->cri);
}
