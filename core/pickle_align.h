/* Which global of a stream is the one that the process fetched last? */
#ifndef MW_CORE_PICKLE_ALIGN_H
#define MW_CORE_PICKLE_ALIGN_H

#include "pickle.h"
#include "pickle_machine.h"

#define MW_PICKLE_HISTORY 64

struct mw_pickle_align {
	const struct mw_pickle_query *query;
	struct mw_global history[MW_PICKLE_HISTORY]; /* the stream's last globals */
	bool found;
	uint64_t index; /* of the one that was fetched last, when found */
};

/* Takes each global of the stream in turn; true, once, at the one that was fetched last. Events are
 * a subsequence of the stream's globals (a subclass may answer some names itself, and an extension
 * code is looked up once), so it is the earliest global from the count of events on that ends a
 * match of the last names. */
bool mw_pickle_align(struct mw_pickle_align *a, const struct mw_machine *m,
                     const struct mw_global *g);

/* Is the global, as the stream spells it, the one of an event? */
bool mw_pickle_is_seen(const struct mw_machine *m, const struct mw_global *g, struct mw_str seen);

#endif
