#include "cri_message.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cri.pb-c.h"
#include "text.h"

#define MEMORY (1u << 20) /* for one answer: it may consist of little more than empty parts */

/* What the decoder gives back in between does not count: its answer as a whole has so much. */
struct room {
	ProtobufCAllocator allocator;
	size_t left;
};

static void *take_room(void *context, size_t size)
{
	struct room *room = context;

	if (size > room->left)
		return NULL;
	room->left -= size;
	return malloc(size);
}

static void give_back(void *context, void *memory)
{
	(void)context;
	free(memory);
}

static struct room make_room(void)
{
	return (struct room){.allocator = {.alloc = take_room, .free = give_back}, .left = MEMORY};
}

static void take(char *out, size_t size, const char *text)
{
	if (text && *text && !out[0])
		mw_utf8_clean(text, strlen(text), out, size);
}

#define TAKE(out, text) take(out, sizeof(out), text)

static void take_labels(const Mw__Cri__ContainerStatus *status, struct mw_container_state *state)
{
	for (size_t i = 0; i < status->n_labels; i++) {
		const Mw__Cri__Entry *label = status->labels[i];

		if (!strcmp(label->key, "io.kubernetes.pod.name"))
			TAKE(state->pod, label->value);
		else if (!strcmp(label->key, "io.kubernetes.pod.namespace"))
			TAKE(state->namespace, label->value);
		else if (!strcmp(label->key, "io.kubernetes.pod.uid"))
			TAKE(state->uid, label->value);
	}
}

static bool take_container(const ProtobufCMessage *message, struct mw_cri_names *names)
{
	const Mw__Cri__ContainerStatus *status =
	        ((const Mw__Cri__ContainerStatusResponse *)message)->status;

	if (!status || strcmp(status->id, names->id) != 0)
		return false;
	if (status->metadata)
		TAKE(names->state.name, status->metadata->name);
	if (status->image)
		TAKE(names->state.image, status->image->image);
	take_labels(status, &names->state);
	return true;
}

static bool take_runtime(const ProtobufCMessage *message, struct mw_cri_names *names)
{
	static const char *const runtimes[] = {"containerd", "cri-o", "docker"};
	const Mw__Cri__VersionResponse *version = (const Mw__Cri__VersionResponse *)message;

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++)
		if (!strcmp(version->runtime_name, runtimes[i]))
			names->state.runtime = runtimes[i];
	return true;
}

static bool take_sandbox(const ProtobufCMessage *message, struct mw_cri_names *names)
{
	const Mw__Cri__ListContainersResponse *list =
	        (const Mw__Cri__ListContainersResponse *)message;

	if (list->n_containers != 1 || strcmp(list->containers[0]->id, names->id) != 0 ||
	    strlen(list->containers[0]->pod_sandbox_id) >= sizeof(names->sandbox))
		return false;
	strcpy(names->sandbox, list->containers[0]->pod_sandbox_id);
	return true;
}

static bool take_pod(const ProtobufCMessage *message, struct mw_cri_names *names)
{
	const Mw__Cri__PodSandboxStatus *status =
	        ((const Mw__Cri__PodSandboxStatusResponse *)message)->status;

	if (!status || strcmp(status->id, names->sandbox) != 0 || !status->metadata)
		return false;
	TAKE(names->state.pod, status->metadata->name);
	TAKE(names->state.namespace, status->metadata->namespace_);
	TAKE(names->state.uid, status->metadata->uid);
	return true;
}

#define SERVICE "/runtime.v1.RuntimeService/"

static const struct {
	const char *path;
	const ProtobufCMessageDescriptor *answer;
	bool (*take)(const ProtobufCMessage *message, struct mw_cri_names *names);
} questions[MW_CRI_QUESTIONS] = {
        [MW_CRI_CONTAINER] = {SERVICE "ContainerStatus",
                              &mw__cri__container_status_response__descriptor, take_container},
        [MW_CRI_RUNTIME] = {SERVICE "Version", &mw__cri__version_response__descriptor,
                            take_runtime},
        [MW_CRI_SANDBOX] = {SERVICE "ListContainers",
                            &mw__cri__list_containers_response__descriptor, take_sandbox},
        [MW_CRI_POD] = {SERVICE "PodSandboxStatus",
                        &mw__cri__pod_sandbox_status_response__descriptor, take_pod},
};

const char *mw_cri_path(enum mw_cri_question question)
{
	return questions[question].path;
}

bool mw_cri_needs(enum mw_cri_question question, const struct mw_cri_names *names)
{
	const struct mw_container_state *state = &names->state;

	return question < MW_CRI_SANDBOX || !state->pod[0] || !state->namespace[0] ||
	       !state->uid[0];
}

size_t mw_cri_message(enum mw_cri_question question, const struct mw_cri_names *names,
                      uint8_t out[static MW_CRI_ASKED])
{
	Mw__Cri__Id id = MW__CRI__ID__INIT;
	Mw__Cri__ListContainersRequest list = MW__CRI__LIST_CONTAINERS_REQUEST__INIT;

	_Static_assert(sizeof(names->id) + 8 < MW_CRI_ASKED, "room for a name and its frame");
	id.id = (char *)(question == MW_CRI_POD ? names->sandbox : names->id);
	list.filter = &id;
	if (question == MW_CRI_RUNTIME)
		return 0; /* which has no fields that are wanted */
	if (question == MW_CRI_SANDBOX)
		return mw__cri__list_containers_request__pack(&list, out);
	return mw__cri__id__pack(&id, out);
}

int mw_cri_take(enum mw_cri_question question, const uint8_t *bytes, size_t len,
                struct mw_cri_names *names)
{
	struct room room = make_room();
	struct mw_cri_names fresh = *names;
	ProtobufCMessage *message;
	bool tells;

	room.allocator.allocator_data = &room;
	message =
	        protobuf_c_message_unpack(questions[question].answer, &room.allocator, len, bytes);
	if (!message)
		return -EPROTO;
	tells = questions[question].take(message, &fresh);
	protobuf_c_message_free_unpacked(message, &room.allocator);
	if (!tells)
		return -EPROTO;
	*names = fresh;
	return 0;
}
