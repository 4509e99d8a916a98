/* Asks the container runtimes of this host how their containers are called, by the Container
 * Runtime Interface over their sockets. Nobody waits for an answer: a runtime that is slow, broken
 * or hostile costs a bounded number of bytes and of seconds, and no more than the names. */
#ifndef MW_TOOLS_CRI_H
#define MW_TOOLS_CRI_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "container_state.h"

#define MW_CRI_WAITING 64       /* containers that can be asked about at a time */
#define MW_CRI_DEADLINE_MS 5000 /* for all questions about one at one socket */

struct mw_cri;

/* Takes what a runtime has told about the container; NULL when none has told anything. */
typedef void mw_cri_told(void *context, const char *id, const struct mw_container_state *state);

/* `sockets` is an array of paths, tried one after another: the first that knows the container is
 * believed; NULL: those that the runtimes usually have. Only root, or this process's own user, is
 * listened to. Returns 0 or a negative errno. Free with mw_cri_free(); NULL is allowed. */
int mw_cri_new(const json_t *sockets, mw_cri_told *told, void *context, struct mw_cri **ret);
void mw_cri_free(struct mw_cri *cri);

/* Has the container with 64 hex digits asked about; what comes of it is told by mw_cri_poll().
 * False when there are no sockets, or too many are waiting: nothing is told. */
bool mw_cri_ask(struct mw_cri *cri, const char *id);

/* A descriptor that is readable when mw_cri_poll() has something to do; it is also to be called
 * after mw_cri_ask(), and now and then. Does what can be done without waiting. */
int mw_cri_fd(const struct mw_cri *cri);
void mw_cri_poll(struct mw_cri *cri);

struct mw_cri_counts {
	uint64_t asked;  /* containers */
	uint64_t failed; /* of which a runtime was there and did not answer, or not as it should */
};
void mw_cri_counts(const struct mw_cri *cri, struct mw_cri_counts *ret);

#endif
