/* The part of `modelwatch daemon` that looks: programs in the kernel, probes in interpreters, and
 * what is made of their events. All of it belongs to one thread. */
#ifndef MW_TOOLS_DAEMON_ENGINE_H
#define MW_TOOLS_DAEMON_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "../core/policy.h"
#include "../ebpf/event.h"
#include "alert.h"
#include "daemon_config.h"
#include "identity_cache.h"

struct mw_engine;

/* All borrowed, for as long as the engine: but the policy only until mw_engine_policy() brings
 * another. */
struct mw_engine_options {
	const struct mw_daemon_config *config;
	const struct mw_policy *policy;
	size_t policy_size;
	enum mw_verdict mode; /* what is denied is refused from MW_DENY on */
	struct mw_alerts *alerts;
};

/* Loads the programs, tests a probe on a function of its own, and attaches them. Returns 0 and the
 * engine, or a negative errno with one sentence in `why`. Close with mw_engine_close(), which
 * detaches everything first; NULL is allowed. */
int mw_engine_open(const struct mw_engine_options *options, struct mw_engine **ret, char *why,
                   size_t why_size);
void mw_engine_close(struct mw_engine *engine);

/* A descriptor that is readable when mw_engine_poll() has something to do. */
int mw_engine_fd(struct mw_engine *engine);

/* Does what can be done without waiting. Returns how many events it had to do with, or a negative
 * errno when the engine cannot go on. */
int mw_engine_poll(struct mw_engine *engine);

/* After how many milliseconds it wants to be polled whatever its descriptor says; -1: never. */
int mw_engine_patience(struct mw_engine *engine);

/* Decides by another policy and mode from now on. Who is in scope stays so. Returns 0, or a
 * negative errno when the old one is kept. */
int mw_engine_policy(struct mw_engine *engine, const struct mw_policy *policy, size_t size,
                     enum mw_verdict mode);

/* Goes over to another mode: what `policy`, the one that it has, denies is refused from MW_DENY on.
 * Returns 0, or a negative errno; nothing is refused then. */
int mw_engine_mode(struct mw_engine *engine, const struct mw_policy *policy, enum mw_verdict mode);

/* Why nothing but what goes over IP can be refused, or NULL. Constant text. */
const char *mw_engine_unasked(const struct mw_engine *engine);

/* Whether more loads have been refused something than the configuration's `storm`, since it was
 * asked last. */
bool mw_engine_stormed(struct mw_engine *engine);

/* What refuses stays when the engine is closed. */
void mw_engine_leave(struct mw_engine *engine);

/* Why what is refused would end with the daemon if that was killed, 0: it would not, or nothing is.
 * A negative errno. */
int mw_engine_unpinned(const struct mw_engine *engine);

/* Effects of the time without a daemon, since it was asked last, of which no alert can tell. Once
 * that has been told for the first time, mw_engine_drop_old() takes away what a daemon before has
 * left. */
uint64_t mw_engine_unattended(struct mw_engine *engine);
void mw_engine_drop_old(struct mw_engine *engine);

/* That so many lost effects have been told of, in all. */
void mw_engine_told(struct mw_engine *engine, uint64_t lost);

/* No load may change what is at one of `paths` (NULL at the end), or lies in it, as long as
 * something is refused. What does not exist is passed over. */
void mw_engine_guard(struct mw_engine *engine, const char *const *paths);

/* Has the kernel tell of each load of a file, or no more. Returns a descriptor of the ring buffer
 * that they are in, which stays the engine's. */
int mw_engine_tell_loads(struct mw_engine *engine, bool on);

/* Whether the kernel has one link for all probes of a file. */
bool mw_engine_shares_probes(const struct mw_engine *engine);

/* Who a process is, or was, as mw_identity_gather() has it; and what its container is called, as
 * mw_identity_complete() does. */
json_t *mw_engine_who(struct mw_engine *engine, const struct mw_identity_hint *hint);
bool mw_engine_name(struct mw_engine *engine, json_t *record);

#define MW_ENGINE_HOOKS 32

/* One place in the kernel that the engine looks from. Texts are the engine's, and constant. */
struct mw_engine_hook {
	const char *name; /* one short word in lower case: "exec"; no two have the same */
	const char *how;  /* its rung: "tp_btf", "tracepoint", "cgroup", "uprobe"; "off" */
	const char *why;  /* when off, a phrase; else NULL */
	uint64_t count[MW_K_COUNTERS];
	uint64_t run_ns, run_count; /* by the kernel's own statistics; 0 while they are off */
};

/* A snapshot. Counters never go down while the engine is open. */
struct mw_engine_view {
	uint64_t loads, effects, alerts;
	unsigned int interpreters; /* files with probes in them */
	unsigned int processes;    /* that run one of them */
	unsigned int sites, refused_sites, usdt_sites;
	uint64_t unwind_failed; /* native stacks that could not be unwound to their end */
	uint64_t events_broken; /* what the kernel sent that made no sense */
	uint64_t mappings_lost; /* news of mapped files that came too fast */
	uint64_t identity_missing;
	uint64_t runtimes_failed; /* containers that a runtime which is there did not tell of */
	uint64_t reports, reports_refused; /* through the report socket */
	/* Records of the inventory, loads that are in none, and how often a file or a process has
	 * hung who keeps it; of these, the engine counts only the loads that it could not tell of.
	 */
	uint64_t inventory_records, inventory_lost, inventory_hung;
	unsigned int hooks;
	struct mw_engine_hook hook[MW_ENGINE_HOOKS];
};

void mw_engine_view(struct mw_engine *engine, struct mw_engine_view *ret);

#endif
