/* The code that a process has mapped, as the side-band tells it: what its events are judged by when
 * it has gone by then. */
#ifndef MW_TOOLS_DAEMON_CODE_H
#define MW_TOOLS_DAEMON_CODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon_record.h"
#include "maps.h"

#define MW_CODE_PAST 256 /* programs that have ended and are remembered */

/* One program that a process runs, or has run. */
struct mw_code {
	pid_t pid;
	uint64_t start;  /* of the process: clock ticks since boot; 0: not known */
	uint64_t since;  /* since when it runs the program: ns, CLOCK_BOOTTIME; 0: not known */
	bool incomplete; /* there was more than is kept of a process: nothing is */
	struct mw_maps maps;
};

/* The last that have ended, the newest before `next`. All zero: none. */
struct mw_code_past {
	struct mw_code *code[MW_CODE_PAST];
	uint32_t next;
};

/* What the process has mapped now; of one that has gone, nothing. NULL without memory. The caller
 * releases with mw_code_free(), or gives it to mw_code_end(). */
struct mw_code *mw_code_new(pid_t pid, uint64_t start, uint64_t since);

/* A child's, which has what `parent` has; NULL without memory, or without a parent. */
struct mw_code *mw_code_inherit(const struct mw_code *parent, pid_t pid, uint64_t start);

/* `code` may be NULL. */
void mw_code_free(struct mw_code *code);

/* It has mapped more. */
void mw_code_put(struct mw_code *code, const struct mw_mapping *mapping);

/* It has ended: takes `code`, which may be NULL. The oldest is forgotten. */
void mw_code_end(struct mw_code_past *past, struct mw_code *code);

/* What process `pid`, started at `start`, ran at `time` among those that have ended; NULL: not
 * known. */
const struct mw_code *mw_code_find(const struct mw_code_past *past, pid_t pid, uint64_t start,
                                   uint64_t time);

void mw_code_forget(struct mw_code_past *past);

#endif
