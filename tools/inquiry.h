/* A socket where short questions are asked and answered: one a connection, without ever waiting.
 * Whoever asks may be hostile: connections, bytes and time are bounded, and what is turned away is
 * counted. */
#ifndef MW_TOOLS_INQUIRY_H
#define MW_TOOLS_INQUIRY_H

#include <stdint.h>
#include <sys/socket.h>

#include "buffer.h"

#define MW_INQUIRY_CONNECTIONS 8
#define MW_INQUIRY_ASKED 2048        /* bytes of a question, with its end */
#define MW_INQUIRY_ANSWER (4u << 20) /* bytes of an answer */
#define MW_INQUIRY_DEADLINE_MS 2000  /* for a question and its answer */

/* Answers `question`, a text without its end, by appending to `answer` with mw_buffer_add(). When
 * nothing is appended the connection just ends. */
typedef void mw_inquiry_answer(void *context, const char *question, struct mw_buffer *answer);

struct mw_inquiry_options {
	const char *end; /* what ends a question: "\n", "\r\n\r\n" */
	mw_inquiry_answer *answer;
	void *context;
};

struct mw_inquiry_counters {
	uint64_t answered;
	uint64_t refused;   /* not the user that may ask */
	uint64_t malformed; /* too long, or with a NUL in it */
	uint64_t late;      /* not asked, or its answer not read, in time */
};

struct mw_inquiry;

/* Listens at `path` for root and the user of this process alone; a socket that is there already is
 * replaced. Or at an address (mw_loopback_parse()), for everybody on this machine. `options->end`
 * is constant text. Returns 0 or a negative errno; close with mw_inquiry_close(), which removes
 * what was made at `path`. NULL may be closed. */
int mw_inquiry_unix(const char *path, const struct mw_inquiry_options *options,
                    struct mw_inquiry **ret);
int mw_inquiry_tcp(const struct sockaddr *address, socklen_t len,
                   const struct mw_inquiry_options *options, struct mw_inquiry **ret);
void mw_inquiry_close(struct mw_inquiry *inquiry);

/* A descriptor that is readable when mw_inquiry_poll() has something to do; and the milliseconds
 * after which it has anyway, -1: never. */
int mw_inquiry_fd(const struct mw_inquiry *inquiry);
int mw_inquiry_patience(const struct mw_inquiry *inquiry);

/* Does what can be done without waiting. */
void mw_inquiry_poll(struct mw_inquiry *inquiry);

const struct mw_inquiry_counters *mw_inquiry_count(const struct mw_inquiry *inquiry);

#endif
