#include "pickle_align.h"

#include <string.h>

#include "pickle_names.h"

/* "module name" is cut to this by the process that sends it, and the module to one less. */
#define CUT 127

static bool spells(struct mw_str module, struct mw_str name, struct mw_str seen)
{
	uint32_t m = module.len < CUT - 1 ? module.len : CUT - 1;
	uint32_t n = name.len < CUT - 1 - m ? name.len : CUT - 1 - m;

	return seen.len == m + 1 + n && !memcmp(seen.s, module.s, m) && seen.s[m] == ' ' &&
	       !memcmp(seen.s + m + 1, name.s, n);
}

static uint32_t at_most_cut(uint64_t len)
{
	return len < CUT ? (uint32_t)len : CUT;
}

bool mw_pickle_is_seen(const struct mw_machine *m, const struct mw_global *g, struct mw_str seen)
{
	struct mw_str module = {(const char *)m->data + g->module, at_most_cut(g->module_len)};
	struct mw_str name = {(const char *)m->data + g->name, at_most_cut(g->name_len)};

	if (g->wildcard || spells(module, name, seen))
		return true;
	mw_pickle_modern_name(&module, &name);
	return spells(module, name, seen);
}

static bool ends_match(const struct mw_machine *m, const struct mw_pickle_align *a, uint64_t last)
{
	uint64_t k = a->query->count, back = 0;

	while (k && back <= last && back < MW_PICKLE_HISTORY) {
		if (mw_pickle_is_seen(m, &a->history[(last - back) % MW_PICKLE_HISTORY],
		                      a->query->seen[k - 1]))
			k--;
		else if (!back)
			return false; /* the last name has to be this very global */
		back++;
	}
	return !k || back == MW_PICKLE_HISTORY;
}

bool mw_pickle_align(struct mw_pickle_align *a, const struct mw_machine *m,
                     const struct mw_global *g)
{
	uint64_t index = m->globals - 1;

	a->history[index % MW_PICKLE_HISTORY] = *g;
	if (a->found || !a->query->count || m->globals < a->query->total ||
	    !ends_match(m, a, index))
		return false;
	a->found = true;
	a->index = index;
	return true;
}
