/* Alerts gathered in groups: what happened alike, by the same model, for the same user and job. The
 * memory depends on the number of groups, which is bounded, and not on the number of alerts. */
#ifndef MW_TOOLS_GROUPS_H
#define MW_TOOLS_GROUPS_H

#include "entry.h"
#include "seen.h"
#include "sha256.h"

/* A model file chooses what its alerts are about and so how many groups they make. Of more than
 * this the least severe are given up: their alerts are only counted. */
#define MW_GROUPS_MAX 512
#define MW_GROUP_EVENTS 8

/* How often, by what became of it. */
struct mw_tally {
	uint64_t count;
	uint64_t outcomes[MW_OUTCOME_COUNT];
	uint64_t deny_would_stop;
};

/* One alert of a group. */
struct mw_event {
	uint8_t id[MW_ID_BYTES];
	int64_t time;
	uint64_t count;
	enum mw_outcome outcome;
	json_t *process; /* its process and ancestors, fit to be shown */
};

struct mw_group {
	char key[MW_SHA256_HEX];
	enum mw_severity severity; /* the highest */
	struct mw_tally tally;
	/* The first four and the last four, by their time. */
	struct mw_event events[MW_GROUP_EVENTS + 1];
	size_t event_count;
	/* The alert that was read first, fit to be shown, and which one it is. */
	json_t *sample;
	uint8_t sample_id[MW_ID_BYTES];
	json_t *hosts; /* names, at most MW_GROUP_HOSTS */
};

#define MW_GROUP_HOSTS 8

struct mw_groups {
	struct mw_group all[MW_GROUPS_MAX];
	size_t count;
	struct mw_tally total;
	int64_t first, last; /* of all that were counted */
	struct mw_tally by_severity[MW_SEVERITY_COUNT];
	struct mw_tally rest[MW_SEVERITY_COUNT]; /* of those that are in no group */
};

/* Counts an alert that is MW_NEW. Returns 0 or -ENOMEM. */
int mw_groups_add(struct mw_groups *groups, const struct mw_entry *alert);

/* Puts an update, MW_NEWER, in the place of what was counted. Returns 0 or -ENOMEM. */
int mw_groups_correct(struct mw_groups *groups, const struct mw_entry *alert,
                      const struct mw_share *before);

/* The most severe first; of those what was not prevented; of those the most frequent, then
 * the earliest. Only before the groups are shown. */
void mw_groups_sort(struct mw_groups *groups);

/* Frees what the groups hold, not the structure. */
void mw_groups_clear(struct mw_groups *groups);

#endif
