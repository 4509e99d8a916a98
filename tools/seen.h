/* Which alerts have been counted, so that an update, or the same line in a second file, is not
 * counted again. */
#ifndef MW_TOOLS_SEEN_H
#define MW_TOOLS_SEEN_H

#include "entry.h"

/* About how many are remembered, in at most 32 MiB; then those go that were not met for longest. An
 * update follows its alert within minutes, so it is only when files of more alerts are given twice
 * that some are counted twice. */
#define MW_SEEN_MAX (1 << 20)

struct mw_seen;

/* What was counted for an alert: what an update takes back. */
struct mw_share {
	uint64_t count;
	enum mw_outcome outcome;
	enum mw_severity severity;
	bool deny_would_stop;
};

enum mw_novelty {
	MW_NEW,
	MW_NEWER,    /* a higher update of an alert that was counted */
	MW_REPEATED, /* the same update or a lower one */
};

/* NULL when there is no memory. Free with mw_seen_free(), NULL too. */
struct mw_seen *mw_seen_new(void);
void mw_seen_free(struct mw_seen *seen);

/* Remembers the alert. `*ret` is what an alert that is MW_NEWER was counted as. */
enum mw_novelty mw_seen_note(struct mw_seen *seen, const struct mw_entry *alert,
                             struct mw_share *ret);

#endif
