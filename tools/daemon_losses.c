#include "daemon_losses.h"

#define SECOND INT64_C(1000000000)

static const struct {
	const char *name, *reason;
	int counter; /* of hooks, or -1 */
	bool is_effect;
} kinds[] = {
        [MW_LOST_RING_FULL] = {"ring_full", "events came faster than they were read",
                               MW_K_RING_FULL, true},
        [MW_LOST_NO_SCRATCH] = {"no_scratch", "too many effects at once on one CPU",
                                MW_K_NO_SCRATCH, true},
        [MW_LOST_MAP_FULL] = {"map_full", "more tasks in loads than are kept track of",
                              MW_K_MAP_FULL, false},
        [MW_LOST_USER_READ] = {"user_read", "memory of a process could not be read", MW_K_USER_READ,
                               false},
        [MW_LOST_UNWIND] = {"unwind", "native stacks could not be unwound to their end", -1, false},
        [MW_LOST_MAPPINGS] = {"mappings", "news of mapped files came faster than they were read",
                              -1, false},
        [MW_LOST_BROKEN] = {"broken", "events of the kernel made no sense", -1, true},
        [MW_LOST_INVENTORY] = {"inventory", "there were more loads than the inventory has room for",
                               -1, false},
};

const char *mw_loss_name(enum mw_loss_kind kind)
{
	return kinds[kind].name;
}

const char *mw_loss_reason(enum mw_loss_kind kind)
{
	return kinds[kind].reason;
}

uint64_t mw_loss_of_hook(const struct mw_engine_hook *hook, enum mw_loss_kind kind)
{
	return kinds[kind].counter < 0 ? 0 : hook->count[kinds[kind].counter];
}

uint64_t mw_loss_count(const struct mw_engine_view *view, enum mw_loss_kind kind)
{
	uint64_t count = 0;

	if (kind == MW_LOST_UNWIND)
		return view->unwind_failed;
	if (kind == MW_LOST_MAPPINGS)
		return view->mappings_lost;
	if (kind == MW_LOST_BROKEN)
		return view->events_broken;
	if (kind == MW_LOST_INVENTORY)
		return view->inventory_lost;
	for (unsigned int i = 0; i < view->hooks; i++)
		count += mw_loss_of_hook(&view->hook[i], kind);
	return count;
}

/* What each hook has lost since it was told, and that it is told now. NULL: no memory. */
static json_t *take_hooks(struct mw_loss_state *state, const struct mw_engine_view *view,
                          enum mw_loss_kind kind)
{
	json_t *hooks = json_object();

	for (unsigned int i = 0; i < view->hooks; i++) {
		uint64_t count = mw_loss_of_hook(&view->hook[i], kind);

		if (count > state->hook[i])
			json_object_set_new(hooks, view->hook[i].name,
			                    json_integer((json_int_t)(count - state->hook[i])));
		state->hook[i] = count;
	}
	return hooks;
}

static void tell(struct mw_loss_state *state, const struct mw_engine_view *view,
                 enum mw_loss_kind kind, uint64_t count, struct mw_alerts *alerts)
{
	struct mw_loss loss = {
	        .kind = mw_loss_name(kind),
	        .reason = mw_loss_reason(kind),
	        .count = count - state->all,
	        .is_effect = kinds[kind].is_effect,
	        .since = state->clean,
	        .hooks = take_hooks(state, view, kind),
	};

	mw_alerts_loss(alerts, &loss);
	json_decref(loss.hooks);
	state->all = count;
}

void mw_daemon_losses_tell(struct mw_daemon_losses *losses, const struct mw_engine_view *view,
                           struct mw_alerts *alerts, int64_t now, bool last)
{
	for (int i = 0; i < MW_LOSS_KINDS; i++) {
		struct mw_loss_state *state = &losses->kind[i];
		uint64_t count = mw_loss_count(view, (enum mw_loss_kind)i);

		if (count != state->all && (last || now >= state->next)) {
			tell(state, view, (enum mw_loss_kind)i, count, alerts);
			state->wait = state->wait ? state->wait * 2 : SECOND;
			if (state->wait > 60 * SECOND)
				state->wait = 60 * SECOND;
			state->next = now + state->wait;
			state->clean = now;
		} else if (count == state->all) {
			if (now >= state->next) /* it has stopped */
				state->wait = 0;
			state->clean = now;
		}
	}
}
