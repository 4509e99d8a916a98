#include "monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../core/pickle.h"
#include "floor_judge.h"
#include "inventory.h"
#include "registry.h"
#include "scopes.h"
#include "share.h"
#include "stream.h"
#include "verdict.h"

#define PRUNE_MS 1000

struct mw_monitor {
	pid_t self;
	const struct mw_policy *policy;
	struct mw_alerts *alerts;
	mw_kill *kill;
	void *kill_context;
	struct mw_server *server;
	struct mw_page *page;
	int page_fd, policy_fd;
	struct mw_registry registry;
	struct mw_scopes scopes;
	struct mw_floor_judge *floor;   /* NULL: there is none */
	struct mw_inventory *inventory; /* NULL: nobody wants it */
	int64_t pruned;                 /* when, in ms */
};

static void hello(struct mw_monitor *monitor, pid_t pid, struct mw_reply *reply,
                  int fds[static MW_WIRE_FDS])
{
	const struct mw_record_load load = {
	        .id = mw_scopes_of(&monitor->scopes, pid, monitor->self)};

	reply->scope = load.id;
	reply->slot = mw_registry_put(&monitor->registry, pid, &load);
	fds[0] = monitor->policy_fd;
	fds[1] = monitor->page_fd;
}

static void born(struct mw_monitor *monitor, pid_t pid, const struct mw_record *record,
                 struct mw_reply *reply)
{
	reply->slot = mw_registry_put(&monitor->registry, pid, &record->load);
	reply->scope = record->load.id;
	/* It is the child that its parent was about to start: the next one is not. */
	mw_scopes_of(&monitor->scopes, pid, monitor->self);
	mw_scopes_add(&monitor->scopes, pid, record->load.id);
}

static bool begins(struct mw_str s, const char *word)
{
	size_t len = strlen(word);

	return s.s && s.len >= len && !memcmp(s.s, word, len);
}

/* Whether the operation makes the calling process the new program, and starts no other. */
static bool in_place(struct mw_str op)
{
	if (begins(op, "os.")) {
		op.s += 3;
		op.len -= 3;
	}
	return begins(op, "exec") || begins(op, "fexec");
}

/* A program that a call of the load asked for, and that may start, answers for the load. What an
 * import starts is its own. */
static void follow(struct mw_monitor *monitor, pid_t pid, const struct mw_record *record,
                   uint32_t slot, const struct mw_location *at)
{
	const struct mw_record_effect *effect = &record->effect;

	if (effect->class != MW_EXEC || effect->cause == MW_BY_IMPORT ||
	    effect->cause == MW_BY_MACHINERY || effect->cause == MW_BY_LOADER)
		return;
	if (at != monitor->registry.entry[slot].at)
		mw_registry_start(&monitor->registry, slot, at);
	if (in_place(effect->op))
		mw_scopes_add(&monitor->scopes, pid, record->load.id);
	else
		mw_scopes_spawning(&monitor->scopes, pid, (pid_t)record->tid, record->load.id);
}

/* What is known of the record's load, and where it acts: what the record says itself or, when it
 * carries only an id, what was said before. `at` receives the place in the first case. */
static const struct mw_location *look_up(const struct mw_monitor *monitor, pid_t pid,
                                         const struct mw_record *record, uint32_t slot,
                                         struct mw_record_load *ret, struct mw_location *at)
{
	const struct mw_registry_entry *entry = &monitor->registry.entry[slot];

	*ret = record->load;
	if (!(record->load.entry.s && record->load.entry.len) && slot && entry->load) {
		*ret = *entry->load;
		ret->after = record->load.after;
		ret->importing = record->load.importing;
		if (entry->at)
			return entry->at;
	}
	mw_locate(pid, record, at);
	return at;
}

/* The load in `slot` is not to return a model. */
static void deny(struct mw_monitor *monitor, uint32_t slot, const struct mw_reply *reply)
{
	if (!slot)
		return;
	monitor->page->slot[slot].denied++;
	mw_registry_deny(&monitor->registry, slot, reply->id, reply->title);
}

/* What goes on is no surprise to the floor. */
static void permit(struct mw_monitor *monitor, pid_t pid, const struct mw_record *record,
                   const char *alert)
{
	if (monitor->floor && record->effect.sensor < MW_SYSCALL)
		mw_floor_judge_permit(monitor->floor, pid, record, alert);
}

static void effect(struct mw_monitor *monitor, pid_t pid, struct mw_record *record,
                   struct mw_reply *reply)
{
	static const struct mw_location nowhere;
	struct mw_record_load load;
	struct mw_location room;
	const struct mw_location *at;
	struct mw_decision decision;

	reply->slot = mw_registry_put(&monitor->registry, pid, &record->load);
	reply->scope = record->load.id;
	/* What a load has called it cannot take back. */
	if (reply->slot && monitor->registry.entry[reply->slot].called)
		record->effect.facts |= MW_FACT_CALLED;
	load = record->load;
	/* Where it acts takes reading the stream. */
	at = record->kind != MW_PERMIT || !record->load.entry.len ||
	                     mw_verdict_needs_location(monitor->policy)
	             ? look_up(monitor, pid, record, reply->slot, &load, &room)
	             : &nowhere;
	mw_verdict(monitor->policy, monitor->alerts, pid, record, &load, at, &decision);
	reply->verdict = decision.verdict;
	if (record->kind == MW_PREVIEW)
		return;
	if (!decision.record) {
		permit(monitor, pid, record, "");
		return;
	}
	if (at == &nowhere)
		at = look_up(monitor, pid, record, reply->slot, &load, &room);
	mw_alerts_effect(monitor->alerts, pid, record, &load, at, &decision, reply->id,
	                 reply->title);
	if (decision.verdict >= MW_DENY) {
		deny(monitor, reply->slot, reply);
		deny(monitor, mw_registry_find(&monitor->registry, record->load.scope), reply);
	} else {
		follow(monitor, pid, record, reply->slot, at);
		permit(monitor, pid, record, reply->id);
	}
	if (decision.verdict == MW_KILL)
		monitor->kill(monitor->kill_context, reply->id, reply->title);
}

static void open_load(struct mw_monitor *monitor, pid_t pid, const struct mw_record *record,
                      struct mw_reply *reply)
{
	reply->slot = mw_registry_put(&monitor->registry, pid, &record->load);
	if (monitor->floor)
		mw_floor_judge_opened(monitor->floor, pid, record);
}

/* A load starts a task that will answer for it: where it does so is known only now. */
static void announce(struct mw_monitor *monitor, pid_t pid, const struct mw_record *record,
                     struct mw_reply *reply)
{
	struct mw_location at;

	reply->slot = mw_registry_put(&monitor->registry, pid, &record->load);
	mw_locate(pid, record, &at);
	mw_registry_start(&monitor->registry, reply->slot, &at);
}

static void why(const struct mw_monitor *monitor, const struct mw_record *record,
                struct mw_reply *reply)
{
	const struct mw_told *told;

	reply->slot = mw_registry_find(&monitor->registry, record->load.id);
	told = monitor->registry.entry[reply->slot].told;
	if (!told)
		return;
	memcpy(reply->id, told->id, sizeof(told->id));
	memcpy(reply->title, told->title, sizeof(told->title));
}

static bool is_called_directly(void *context, struct mw_pickle_query *query)
{
	bool *called = context;

	*called = mw_pickle_called_directly(query);
	return *called;
}

/* A stream that cannot be read is not condemned for it: the call itself is still judged. */
static void fetch(struct mw_monitor *monitor, pid_t pid, const struct mw_record *record,
                  struct mw_reply *reply)
{
	struct mw_stream stream = {0};
	bool called = true;

	mw_locate_read(pid, record, MW_STREAM_FIRST, is_called_directly, &called, &stream);
	mw_stream_free(&stream);
	reply->slot = mw_registry_find(&monitor->registry, record->load.id);
	reply->verdict = called ? MW_ALLOW : MW_DENY;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void loaded(struct mw_monitor *monitor, pid_t pid, const struct mw_record *record)
{
	const struct mw_identity_hint who = {
	        .pid = pid, .tid = (pid_t)record->tid, .uid = MW_IDENTITY_NO_UID};
	const struct mw_inventory_load load = {.record = record, .who = &who};

	mw_inventory_add(monitor->inventory, &load, now_ms());
}

static void serve(void *context, pid_t pid, struct mw_record *record, struct mw_reply *reply,
                  int fds[static MW_WIRE_FDS])
{
	struct mw_monitor *monitor = context;

	reply->monitor = (uint32_t)monitor->self;
	switch (record->kind) {
	case MW_HELLO:
		hello(monitor, pid, reply, fds);
		break;
	case MW_BORN:
		born(monitor, pid, record, reply);
		break;
	case MW_EFFECT:
	case MW_PREVIEW:
	case MW_PERMIT:
		effect(monitor, pid, record, reply);
		break;
	case MW_OPEN:
		open_load(monitor, pid, record, reply);
		break;
	case MW_FETCH:
		fetch(monitor, pid, record, reply);
		break;
	case MW_ANNOUNCE:
		announce(monitor, pid, record, reply);
		break;
	case MW_JOIN:
		mw_alerts_join(monitor->alerts, record->alert, record->effect.sensor);
		break;
	case MW_WHY:
		why(monitor, record, reply);
		break;
	case MW_LOADED:
		if (monitor->inventory)
			loaded(monitor, pid, record);
		break;
	case MW_KIND_COUNT:
		break;
	}
}

int mw_monitor_open(const struct mw_policy *policy, size_t size, struct mw_alerts *alerts,
                    mw_kill *kill, void *context, struct mw_monitor **ret)
{
	struct mw_monitor *monitor = calloc(1, sizeof(*monitor));
	void *page;
	int error;

	if (!monitor)
		return -ENOMEM;
	monitor->self = getpid();
	monitor->alerts = alerts;
	monitor->kill = kill;
	monitor->kill_context = context;
	monitor->policy = policy;
	monitor->policy_fd = -1;
	error = monitor->page_fd = mw_share_page("modelwatch-state", sizeof(struct mw_page), &page);
	if (error < 0)
		goto fail;
	monitor->page = page;
	monitor->page->magic = MW_PAGE_MAGIC;
	monitor->registry.page = monitor->page;
	monitor->scopes.registry = &monitor->registry;
	error = monitor->policy_fd = mw_share_constant("modelwatch-policy", policy, size);
	if (error < 0)
		goto fail;
	error = mw_server_open(serve, monitor, &monitor->server);
	if (error < 0)
		goto fail;
	*ret = monitor;
	return 0;
fail:
	mw_monitor_close(monitor);
	return error;
}

void mw_monitor_close(struct mw_monitor *monitor)
{
	if (!monitor)
		return;
	mw_server_close(monitor->server);
	mw_floor_judge_close(monitor->floor);
	if (monitor->policy_fd >= 0)
		close(monitor->policy_fd);
	if (monitor->page_fd >= 0)
		close(monitor->page_fd);
	mw_scopes_clear(&monitor->scopes);
	mw_registry_clear(&monitor->registry);
	if (monitor->page)
		munmap(monitor->page, sizeof(*monitor->page));
	free(monitor);
}

int mw_monitor_floor(struct mw_monitor *monitor, int listener, struct mw_gate *gate)
{
	const struct mw_floor_host host = {
	        .context = monitor,
	        .serve = serve,
	        .policy = monitor->policy,
	        .alerts = monitor->alerts,
	        .scopes = &monitor->scopes,
	        .registry = &monitor->registry,
	        .self = monitor->self,
	};

	return mw_floor_judge_open(&host, listener, gate, &monitor->floor);
}

void mw_monitor_inventory(struct mw_monitor *monitor, struct mw_inventory *inventory)
{
	monitor->inventory = inventory;
	monitor->page->inventory = 1;
}

const char *mw_monitor_path(const struct mw_monitor *monitor)
{
	return mw_server_path(monitor->server);
}

int mw_monitor_fd(const struct mw_monitor *monitor)
{
	return mw_server_fd(monitor->server);
}

int mw_monitor_patience(const struct mw_monitor *monitor)
{
	bool knows = monitor->scopes.count ||
	             (monitor->floor && mw_floor_judge_knows(monitor->floor)) ||
	             (monitor->inventory && mw_inventory_waits(monitor->inventory));

	return knows ? PRUNE_MS : -1;
}

int mw_monitor_poll(struct mw_monitor *monitor)
{
	int64_t ms = now_ms();

	if (ms - monitor->pruned >= PRUNE_MS) {
		mw_scopes_prune(&monitor->scopes);
		if (monitor->floor)
			mw_floor_judge_prune(monitor->floor);
		if (monitor->inventory)
			mw_inventory_poll(monitor->inventory, ms);
		monitor->pruned = ms;
	}
	return mw_server_poll(monitor->server) +
	       (monitor->floor ? mw_floor_judge_poll(monitor->floor) : 0);
}

const struct mw_server_counters *mw_monitor_count(const struct mw_monitor *monitor)
{
	return mw_server_count(monitor->server);
}
