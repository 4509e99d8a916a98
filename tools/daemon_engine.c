#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"
#include "daemon_check.h"
#include "daemon_engine_inside.h"
#include "daemon_hold.h"
#include "daemon_secrets.h"

#define TICK_MS 1000
#define MAPPINGS_MS 5 /* how often the side-band is read: probes are to be there within 50 ms */
#define RESCAN_MS 10000

/* A program that was held until somebody had looked at it: its first mappings are told of by now.
 * When the daemon goes, it is let go with no more ado. */
static void let_go(struct mw_engine *engine, const struct mw_programs_event *event)
{
	const struct mw_k_exec *program = (const void *)event->head;

	if (event->size < sizeof(*program))
		return;
	if (engine->mappings) {
		mw_mappings_poll(engine->mappings);
		mw_programs_known(engine->programs, program);
	}
	kill((pid_t)program->head.tgid, SIGCONT);
}

/* The one that it is all about: what a task of a load loads is that one's, too. */
static uint64_t load_of(const struct mw_k_effect *effect)
{
	return effect->scope || !effect->depth ? effect->scope : effect->load[0].id;
}

static void take_event(void *context, const struct mw_programs_event *event)
{
	struct mw_engine *engine = context;
	const struct mw_k_effect *effect = (const void *)event->head;
	struct mw_daemon_event judged = {.effect = effect};

	if (event->head->kind == MW_K_EXEC) {
		let_go(engine, event);
		return;
	}
	if (mw_k_check(effect, event->size)) {
		engine->malformed++;
		return;
	}
	if (effect->prevented && !engine->catches_up &&
	    mw_daemon_storm(&engine->storm, engine->config->storm, load_of(effect), mw_clock_ms()))
		engine->stormed = true;
	if (event->stack_len >= effect->stack_len)
		judged.stack = event->stack;
	if (event->stream_len >= effect->stream_len)
		judged.stream = event->stream;
	mw_daemon_judge_event(engine->judge, &judged);
}

static uint32_t version_of(void *context, pid_t pid)
{
	const struct mw_engine *engine = context;

	return mw_found_version(engine->found, pid) << 16;
}

static bool is_body(void *context, uint32_t site, int64_t at)
{
	const struct mw_engine *engine = context;

	return mw_programs_is_body(engine->programs, site, at);
}

static const struct mw_maps *code_of(void *context, const struct mw_k_head *head, bool *ret_ended)
{
	const struct mw_engine *engine = context;
	uint64_t ns_per_tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);

	return mw_found_code(engine->found, (pid_t)head->tgid, head->start / ns_per_tick,
	                     head->time, ret_ended);
}

static void lost_mappings(void *context)
{
	struct mw_engine *engine = context;

	engine->rescan = true;
}

/* The mappings' callbacks have one context, which is not the one of those who do the work. */
static void mapped(void *context, const struct mw_mapping *mapping)
{
	struct mw_engine *engine = context;

	mw_found_mapped(engine->found, mapping);
}

static void ran(void *context, pid_t pid)
{
	struct mw_engine *engine = context;

	mw_found_exec(engine->found, pid);
}

static void forked(void *context, pid_t pid, pid_t parent)
{
	struct mw_engine *engine = context;

	mw_found_forked(engine->found, pid, parent);
}

static void ended(void *context, pid_t pid, pid_t tid)
{
	struct mw_engine *engine = context;

	mw_found_ended(engine->found, pid, tid);
}

static void caught_up(void *context)
{
	struct mw_engine *engine = context;

	mw_found_caught_up(engine->found);
}

static void scanned(void *context, pid_t pid, bool ends)
{
	struct mw_engine *engine = context;

	mw_found_scanned(engine->found, pid, ends);
}

static const struct mw_mappings_callbacks callbacks = {
        .mapped = mapped,
        .exec = ran,
        .forked = forked,
        .ended = ended,
        .lost = lost_mappings,
        .caught_up = caught_up,
        .scanned = scanned,
};

static bool hold_alert(void *context, pid_t pid, const struct mw_record *record, json_t *alert)
{
	struct mw_engine *engine = context;

	mw_reports_poll(engine->reports, mw_clock_ms());
	return mw_daemon_hold(engine->merge, pid, record, alert, mw_clock_ms());
}

/* Alerts do not wait for the names of a container: what has gone out without them is amended. */
static bool complete(void *context, json_t *alert)
{
	return mw_identity_complete(context, alert);
}

static void take_names(void *context, const char *id)
{
	struct mw_engine *engine = context;

	mw_alerts_amend_all(engine->alerts, id, complete, engine->identities);
}

static int watch(struct mw_engine *engine, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(engine->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int fail(char *why, size_t size, int error, const char *what)
{
	snprintf(why, size, "%s: %s", what, strerror(-error));
	return error;
}

static int open_judge(struct mw_engine *engine, const struct mw_engine_options *options, char *why,
                      size_t size)
{
	const struct mw_daemon_judge_options judge = {
	        .policy = options->policy,
	        .alerts = options->alerts,
	        .most = MW_ALERT,
	        .context = engine,
	        .version_of = version_of,
	        .is_body = is_body,
	        .code_of = code_of,
	};
	const struct mw_merge_sinks sinks = mw_merge_alerts(options->alerts);
	const struct mw_reports_limits limits = {.a_minute = options->config->reports_per_minute};
	int error = mw_identity_cache_new("", options->config->cri_sockets, &engine->identities);

	if (!error)
		error = mw_daemon_judge_open(&judge, &engine->judge);
	if (!error)
		error = mw_merge_open(&sinks, engine->digest, &engine->merge);
	if (error)
		return fail(why, size, error, "the judge");
	error = mw_reports_open(options->config->report_socket, &limits, engine->merge,
	                        &engine->reports);
	if (error)
		return fail(why, size, error, options->config->report_socket);
	mw_alerts_hold(options->alerts, hold_alert, engine);
	mw_alerts_identities(options->alerts, engine->identities);
	error = watch(engine, mw_identity_fd(engine->identities));
	return error ? error : watch(engine, mw_reports_fd(engine->reports));
}

static int refuse(struct mw_engine *engine, const struct mw_policy *policy, enum mw_verdict mode)
{
	return mw_programs_refuse(engine->programs, mode >= MW_DENY ? policy : NULL);
}

static int open_programs(struct mw_engine *engine, const struct mw_engine_options *options,
                         char *why, size_t size)
{
	const struct mw_programs_options programs = {
	        .ring_bytes = options->config->ring_bytes,
	        .hold = options->config->hold_new_interpreters,
	        .inherits = options->mode >= MW_DENY,
	        .cgroups = options->config->cgroups,
	        .stays = options->config->outlives != MW_OUTLIVES_NOTHING,
	        .tracepoints = options->config->file_writes == MW_WRITES_TRACEPOINTS,
	        .context = engine,
	        .event = take_event,
	};
	int error = mw_programs_open(&programs, &engine->programs, why, size);

	if (error)
		return error;
	error = mw_daemon_secrets(engine->programs, options->policy);
	if (!error)
		error = refuse(engine, options->policy, options->mode);
	if (!error)
		error = watch(engine, mw_programs_fd(engine->programs));
	return error ? fail(why, size, error, "the kernel's programs") : 0;
}

/* Patterns of the configuration, as the finder takes them. */
static void prescan(struct mw_engine *engine)
{
	const char *patterns[MW_FOUND_USUAL_MAX + 1];
	size_t count = 0, i;
	json_t *item;

	json_array_foreach(engine->config->interpreters, i, item) if (count < MW_FOUND_USUAL_MAX)
	        patterns[count++] = json_string_value(item);
	patterns[count] = NULL;
	mw_found_prescan(engine->found, patterns);
}

/* The side-band is read before the first scan, so that nothing falls in between. */
static int find_interpreters(struct mw_engine *engine, char *why, size_t size)
{
	struct mw_found_options options;
	int error;

	engine->attach = (struct mw_attach){engine->programs, engine->identities, engine->judge};
	mw_attach_callbacks(&engine->attach, &options);
	error = mw_found_new(&options, &engine->found);
	if (!error)
		error = mw_mappings_open(&callbacks, engine, MAPPINGS_MS, &engine->mappings);
	if (!error)
		error = watch(engine, mw_mappings_fd(engine->mappings));
	if (error)
		return fail(why, size, error, "no news of new processes");
	prescan(engine);
	error = mw_mappings_scan(engine->mappings);
	return error ? fail(why, size, error, "/proc") : 0;
}

/* They tax every system call of the host: only while there is somebody to watch, or there may be
 * when nobody is here to see it. */
static void follow_calls(struct mw_engine *engine)
{
	struct mw_found_counts counts = mw_found_counts(engine->found);

	mw_programs_calls(engine->programs,
	                  (counts.processes || mw_programs_stays(engine->programs)) &&
	                          engine->config->file_writes != MW_WRITES_OFF);
}

int mw_engine_open(const struct mw_engine_options *options, struct mw_engine **ret, char *why,
                   size_t why_size)
{
	struct mw_engine *engine = calloc(1, sizeof(*engine));
	int error;

	if (!engine)
		return fail(why, why_size, -ENOMEM, "the engine");
	engine->config = options->config;
	engine->alerts = options->alerts;
	for (size_t i = 0; i < sizeof(options->policy->digest); i++)
		snprintf(engine->digest + 2 * i, 3, "%02x", options->policy->digest[i]);
	engine->epoll = epoll_create1(EPOLL_CLOEXEC);
	error = engine->epoll < 0 ? fail(why, why_size, -errno, "the engine") : 0;
	if (!error)
		error = open_judge(engine, options, why, why_size);
	if (!error)
		error = open_programs(engine, options, why, why_size);
	if (!error)
		error = find_interpreters(engine, why, why_size);
	if (error) {
		mw_engine_close(engine);
		return error;
	}
	follow_calls(engine);
	engine->catches_up = true;
	engine->unattended = mw_programs_take_over(engine->programs, take_event, engine);
	engine->catches_up = false;
	*ret = engine;
	return 0;
}

void mw_engine_close(struct mw_engine *engine)
{
	if (!engine)
		return;
	mw_mappings_close(engine->mappings);
	engine->mappings = NULL;
	if (engine->programs)
		mw_programs_let_go(engine->programs);
	mw_found_free(engine->found);
	mw_programs_close(engine->programs);
	mw_daemon_judge_close(engine->judge);
	mw_alerts_hold(engine->alerts, NULL, NULL);
	mw_alerts_identities(engine->alerts, NULL);
	mw_reports_close(engine->reports);
	mw_merge_close(engine->merge);
	mw_identity_cache_free(engine->identities);
	if (engine->epoll >= 0)
		close(engine->epoll);
	free(engine);
}

int mw_engine_fd(struct mw_engine *engine)
{
	return engine->epoll;
}

bool mw_engine_shares_probes(const struct mw_engine *engine)
{
	return mw_programs_share_probes(engine->programs);
}

static void tick(struct mw_engine *engine, int64_t now)
{
	if (now - engine->ticked < TICK_MS)
		return;
	engine->ticked = now;
	mw_found_tick(engine->found, (uint64_t)now * 1000000);
	mw_mappings_follow_cpus(engine->mappings);
	engine->unattended += mw_programs_tick(engine->programs);
	if (!engine->rescan || now - engine->rescanned < RESCAN_MS)
		return;
	engine->rescan = false;
	engine->rescanned = now;
	mw_mappings_scan(engine->mappings);
}

/* Mappings come first: whose they are is asked for when an event is judged. */
int mw_engine_poll(struct mw_engine *engine)
{
	int64_t now = mw_clock_ms();
	int events;

	mw_mappings_poll(engine->mappings);
	follow_calls(engine);
	mw_reports_poll(engine->reports, now);
	events = mw_programs_poll(engine->programs);
	mw_reports_tick(engine->reports, now);
	mw_merge_tick(engine->merge, now);
	mw_identity_poll(engine->identities, take_names, engine);
	tick(engine, now);
	return events;
}

int mw_engine_patience(struct mw_engine *engine)
{
	int64_t now = mw_clock_ms();
	int waits[] = {TICK_MS, mw_merge_wait(engine->merge, now),
	               mw_reports_wait(engine->reports, now)};
	int least = TICK_MS;

	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
		if (waits[i] >= 0 && waits[i] < least)
			least = waits[i];
	return least;
}

int mw_engine_policy(struct mw_engine *engine, const struct mw_policy *policy, size_t size,
                     enum mw_verdict mode)
{
	int error = mw_daemon_secrets(engine->programs, policy);

	(void)size;
	if (!error)
		error = refuse(engine, policy, mode);
	if (error)
		return error;
	for (size_t i = 0; i < sizeof(policy->digest); i++)
		snprintf(engine->digest + 2 * i, 3, "%02x", policy->digest[i]);
	mw_merge_policy(engine->merge, engine->digest);
	mw_daemon_judge_policy(engine->judge, policy);
	return 0;
}

int mw_engine_mode(struct mw_engine *engine, const struct mw_policy *policy, enum mw_verdict mode)
{
	return refuse(engine, policy, mode);
}

const char *mw_engine_unasked(const struct mw_engine *engine)
{
	return engine->config->file_writes == MW_WRITES_OFF ? "file_writes is off"
	                                                    : mw_programs_unasked(engine->programs);
}

bool mw_engine_stormed(struct mw_engine *engine)
{
	bool stormed = engine->stormed;

	engine->stormed = false;
	return stormed;
}

void mw_engine_leave(struct mw_engine *engine)
{
	mw_programs_leave(engine->programs);
}

int mw_engine_unpinned(const struct mw_engine *engine)
{
	return mw_programs_unpinned(engine->programs);
}

uint64_t mw_engine_unattended(struct mw_engine *engine)
{
	uint64_t count = engine->unattended;

	engine->unattended = 0;
	return count;
}

void mw_engine_drop_old(struct mw_engine *engine)
{
	mw_programs_drop_old(engine->programs);
}

void mw_engine_told(struct mw_engine *engine, uint64_t lost)
{
	mw_programs_told(engine->programs, lost);
}

void mw_engine_guard(struct mw_engine *engine, const char *const *paths)
{
	for (; *paths; paths++)
		mw_programs_guard(engine->programs, *paths);
	mw_programs_guarded(engine->programs);
}

int mw_engine_tell_loads(struct mw_engine *engine, bool on)
{
	return mw_programs_tell_loads(engine->programs, on);
}

json_t *mw_engine_who(struct mw_engine *engine, const struct mw_identity_hint *hint)
{
	return mw_identity_gather(engine->identities, hint);
}

bool mw_engine_name(struct mw_engine *engine, json_t *record)
{
	return mw_identity_complete(engine->identities, record);
}
