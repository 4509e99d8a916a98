/* What the engine has seen, in numbers. */
#include <string.h>

#include "daemon_engine_inside.h"

static void view_hooks(struct mw_engine *engine, struct mw_engine_view *ret)
{
	static const char *const names[MW_K_HOOKS] = {
	        [MW_K_HOOK_ENTRY] = "entry",     [MW_K_HOOK_FORK] = "fork",
	        [MW_K_HOOK_EXEC] = "exec",       [MW_K_HOOK_EXIT] = "exit",
	        [MW_K_HOOK_SYSCALL] = "syscall", [MW_K_HOOK_CONNECT] = "connect",
	        [MW_K_HOOK_SEND] = "send",       [MW_K_HOOK_BIND] = "bind",
	        [MW_K_HOOK_SOCKET] = "socket",   [MW_K_HOOK_LISTEN] = "listen",
	        [MW_K_HOOK_SIGNAL] = "signal",   [MW_K_HOOK_URING] = "uring",
	        [MW_K_HOOK_LSM] = "lsm",
	};

	for (int i = 0; i < MW_K_HOOKS; i++) {
		struct mw_engine_hook *to = &ret->hook[ret->hooks++];
		struct mw_programs_hook hook;

		mw_programs_hook(engine->programs, (enum mw_k_hook)i, &hook);
		to->name = names[i];
		to->how = hook.how;
		to->why = hook.why;
		to->run_ns = hook.run_ns;
		to->run_count = hook.run_count;
		memcpy(to->count, hook.count, sizeof(to->count));
	}
}

static void count_sites(void *context, const struct mw_found_object *object)
{
	struct mw_engine_view *ret = context;

	mw_attach_count(object, &ret->sites, &ret->refused_sites, &ret->usdt_sites);
}

void mw_engine_view(struct mw_engine *engine, struct mw_engine_view *ret)
{
	const struct mw_daemon_counters *judged = mw_daemon_judge_count(engine->judge);
	const struct mw_reports_counters *reports = mw_reports_count(engine->reports);
	struct mw_found_counts found = mw_found_counts(engine->found);
	struct mw_identity_counts identities;

	mw_identity_counts(engine->identities, &identities);
	*ret = (struct mw_engine_view){
	        .loads = mw_programs_loads(engine->programs),
	        .effects = judged->effects,
	        .alerts = judged->alerts,
	        .interpreters = (unsigned int)found.attached,
	        .processes = (unsigned int)found.processes,
	        .unwind_failed = judged->not_unwound,
	        .mappings_lost = mw_mappings_lost(engine->mappings),
	        .identity_missing = identities.unknown + identities.containers.missing,
	        .runtimes_failed = identities.containers.failed,
	        .reports = reports->reports,
	        .reports_refused = reports->refused + reports->limited + reports->malformed +
	                           reports->oversized + reports->unpermitted + reports->forged,
	        .events_broken = engine->malformed,
	};
	mw_found_each_object(engine->found, count_sites, ret);
	view_hooks(engine, ret);
	ret->inventory_lost = ret->hook[MW_K_HOOK_ENTRY].count[MW_K_UNTOLD];
}
