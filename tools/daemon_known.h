/* What the merge remembers for a while: the reports of each user, and the effects that the kernel
 * saw in supervised processes. Bounded: who reports too much forgets what he reported himself. */
#ifndef MW_TOOLS_DAEMON_KNOWN_H
#define MW_TOOLS_DAEMON_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "daemon_merge.h"
#include "daemon_trees.h"

#define MW_KNOWN_REPORTS 2048 /* of all users */
#define MW_KNOWN_SEEN 256
#define MW_KNOWN_TEXT 1024 /* bytes of a target that are remembered */

/* What an effect is about. */
struct mw_keys {
	enum mw_class class;
	char *text; /* holds the others */
	const char *op, *target[MW_MESSAGE_TARGETS];
	size_t count;
};

struct mw_known_report {
	uint64_t number; /* 0: free; they count up */
	uid_t uid;
	struct mw_member who;
	struct mw_keys keys;
	char id[37];               /* theirs */
	char own_id[40], time[40]; /* ours, once it is written by itself */
	int update;
	uint32_t sensors;
	bool happened; /* by the report */
	bool merged;   /* an alert of the kernel names it */
	int64_t at, deadline;
	json_t *alert; /* waits until `deadline` for the kernel to see it; else NULL */
};

struct mw_known_effect {
	char id[40]; /* empty: free */
	uid_t uid;
	struct mw_member who;
	bool gone;  /* the process had ended */
	bool named; /* its alert names a report */
	struct mw_keys keys;
	bool claim; /* without a report it is an evasion */
	int64_t at, deadline;
	json_t *alert; /* kept back until `deadline`; else NULL */
};

struct mw_known {
	uint64_t last; /* number of a report */
	size_t next_effect, held;
	struct mw_known_report report[MW_KNOWN_REPORTS];
	struct mw_known_effect effect[MW_KNOWN_SEEN];
};

/* Copies; what is NULL or empty is left out. Returns 0 or -ENOMEM. */
int mw_keys_set(struct mw_keys *keys, enum mw_class class, const char *op,
                const char *const *targets, size_t count);

/* Whether the effect is part of what was reported, by the table of core/implies.h. */
bool mw_known_match(const struct mw_known_report *report, const struct mw_known_effect *effect);

/* The report of `uid` with this id of his, or NULL. */
struct mw_known_report *mw_known_find(struct mw_known *known, uid_t uid, const char *id);

/* A free place for a report of `uid`; or his oldest, or the oldest of all, that is to be let go
 * first. */
struct mw_known_report *mw_known_place(struct mw_known *known, uid_t uid);
void mw_known_forget(struct mw_known_report *report);

/* The place of the oldest effect that is not kept back, freed. */
struct mw_known_effect *mw_known_effect_place(struct mw_known *known);
void mw_known_effect_forget(struct mw_known_effect *effect);

#endif
