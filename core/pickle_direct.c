/* Is all that the stream does with a global to call it? The answer decides whether the fetch is let
 * through, so whatever is not certain is no. */
#include "pickle_align.h"

/* Names can repeat, and which of them it is can depend on how many a subclass has answered. So
 * every later one that can be the one is watched. */
static void watch_global(struct mw_machine *m, const struct mw_global *g)
{
	struct mw_pickle_align *a = m->context;

	m->watch = mw_pickle_align(a, m, g) ||
	           (a->found && mw_pickle_is_seen(m, g, a->query->seen[a->query->count - 1]));
}

static bool keeps(const struct mw_values *values)
{
	for (uint32_t i = 0; i < values->count; i++)
		if (values->at[i].watched)
			return true;
	return false;
}

bool mw_pickle_called_directly(const struct mw_pickle_query *query)
{
	struct mw_pickle_align a = {.query = query};
	struct mw_machine m;
	struct mw_walk walk;
	bool direct = false;

	if (mw_machine_start(&m, query->data, query->len)) {
		m.context = &a;
		m.on_global = watch_global;
		walk = mw_machine_walk(&m);
		direct = m.calls && !m.others && !m.doubt && !m.broken && !m.error;
		if (walk.ran_out && query->cut && (keeps(&m.stack) || keeps(&m.memo)))
			direct = false;
	}
	mw_machine_end(&m);
	return direct;
}
