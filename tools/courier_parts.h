/* Inside the monitor's side of the courier: what its files share. */
#ifndef MW_TOOLS_COURIER_PARTS_H
#define MW_TOOLS_COURIER_PARTS_H

#include "buffer.h"
#include "courier.h"
#include "courier_ring.h"
#include "helper.h"

#define MW_COURIER_WORD (1u << 20) /* bytes of one line from it */
#define MW_COURIER_RETRY_MS 100    /* before one that has died is started anew, the first time */

enum mw_courier_phase {
	MW_COURIER_WORKS,
	MW_COURIER_TAKES, /* what is left, at the end */
	MW_COURIER_SENDS, /* it has been told that nothing more comes */
	MW_COURIER_OVER,
};

struct mw_courier {
	struct mw_courier *next; /* that has been retired */
	json_t *config;
	uint64_t flush_ms, heartbeat_ms; /* of it */
	int out; /* our standard output, for those that are started when we have let go of it; -1 */
	bool is_daemon;
	char source[40]; /* who numbers the records */
	struct mw_helper process;
	struct mw_helpers_left left; /* those before it */
	int64_t since, again;
	int retry;

	enum mw_courier_phase phase;
	int64_t spoken;  /* when it said last that it takes something */
	int64_t most;    /* until when the phase lasts */
	int64_t take_ms; /* for how long it may say nothing of that */

	struct mw_courier_ring ring; /* what is not acknowledged */
	int64_t took;                /* when it took something last */
	uint64_t number;             /* of the first of them */
	uint64_t base;               /* number of the first that this process was told of */
	char *hello;                 /* not all of it sent yet, or NULL */
	size_t part;                 /* bytes of it that are */

	struct mw_buffer heard;
	json_t *view;
	char trouble[512];
};

int64_t mw_courier_now(void); /* ms of a clock that nobody sets */

/* Starts the program. `memory` is a descriptor of courier/shared.h, -1: none, and `out` its
 * standard output, -1: ours. Returns 0 or a negative errno. */
int mw_courier_start(struct mw_helper *ret, int memory, int out);

/* Counts what was lost in a record, once there is room for one. */
void mw_courier_tell_lost(struct mw_courier *courier);

/* The first `count` are on disk, or no longer ours. */
void mw_courier_forget(struct mw_courier *courier, size_t count);

/* Hears all that it has said. */
void mw_courier_listen(struct mw_courier *courier);

/* As trouble, what it said of itself last. */
void mw_courier_note_trouble(struct mw_courier *courier);

#endif
