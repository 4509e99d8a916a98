/* The four questions of the Container Runtime Interface (runtime.v1) that tell how a container is
 * called, in their order, as messages. Answers may be hostile: what is made of one is bounded. */
#ifndef MW_TOOLS_CRI_MESSAGE_H
#define MW_TOOLS_CRI_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "container_state.h"

enum mw_cri_question {
	MW_CRI_CONTAINER, /* its name, image and labels, which kubelet has the pod's names in */
	MW_CRI_RUNTIME,
	MW_CRI_SANDBOX, /* which one it is in */
	MW_CRI_POD,     /* the names of that */
	MW_CRI_QUESTIONS,
};

/* What has been answered so far. Starts as zeros, but for `id`. */
struct mw_cri_names {
	char id[MW_CGROUP_ID], sandbox[MW_CGROUP_ID];
	struct mw_container_state state;
};

#define MW_CRI_ASKED 128

/* The method, as gRPC names it. */
const char *mw_cri_path(enum mw_cri_question question);

/* Whether there is need to ask it, by what is known. */
bool mw_cri_needs(enum mw_cri_question question, const struct mw_cri_names *names);

/* Writes the message. Returns its length. */
size_t mw_cri_message(enum mw_cri_question question, const struct mw_cri_names *names,
                      uint8_t out[static MW_CRI_ASKED]);

/* Adds what the answer tells. Returns 0; -EPROTO, with `names` unchanged, when it is none, about
 * something else, or made of more parts than there is room for. */
int mw_cri_take(enum mw_cri_question question, const uint8_t *bytes, size_t len,
                struct mw_cri_names *names);

#endif
