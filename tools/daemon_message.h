/* What a reporter says to the daemon, one JSON object a message (docs/protocol.md): hello, that it
 * supervises what descends from it, the alerts it records, and how many of them it could not send.
 * Every byte is somebody else's. */
#ifndef MW_TOOLS_DAEMON_MESSAGE_H
#define MW_TOOLS_DAEMON_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "../core/address.h"
#include "../core/words.h"

enum mw_message_kind {
	MW_SAYS_HELLO,
	MW_SAYS_SUPERVISE,
	MW_SAYS_REPORT,
	MW_SAYS_LOSS,
	MW_SAYS_COUNT,
};

#define MW_MESSAGE_TARGETS 4
#define MW_MESSAGE_DIGEST 65 /* hex digits and NUL */

struct mw_message {
	enum mw_message_kind kind;
	/* hello: */
	char policy[MW_MESSAGE_DIGEST];
	enum mw_verdict mode;
	/* loss: */
	uint64_t lost; /* reports that he could not send */
	/* report: */
	json_t *alert;    /* made anew of the known fields; who, where and when are left out */
	char id[37];      /* as the reporter calls the alert */
	pid_t pid, tid;   /* as the reporter says; tid is 0 when it does not */
	uint32_t sensors; /* bit 1 << enum mw_sensor of each that saw it */
	enum mw_class class;
	enum mw_outcome outcome;
	const char *op; /* "" when not known; it and the targets are the alert's */
	const char *target[MW_MESSAGE_TARGETS]; /* what it is about, in every spelling there is */
	size_t target_count;
	char address[MW_ADDRESS_TEXT + 16];
};

/* Reads a message. Strings are cut after 4096 bytes, redacted and valid UTF-8, lists are as short
 * as ours, words are words of the glossary, and what is not known is dropped. Returns 0, -EBADMSG
 * when it is none, -EACCES when it says that the kernel or the daemon saw or wrote it, or -ENOMEM.
 * Free with mw_message_free(), not after an error. */
int mw_message_read(const char *line, size_t len, struct mw_message *ret);
void mw_message_free(struct mw_message *message);

#endif
