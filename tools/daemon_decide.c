/* What becomes of an effect, once it is known who answers for it: its cause, the verdict, the
 * alert, and what is remembered of what it starts. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon_matter.h"
#include "verdict.h"

/* FNV-1a, going on from `key`. */
static uint64_t mix(uint64_t key, uint64_t number)
{
	for (int i = 0; i < 8; i++, number >>= 8)
		key = (key ^ (number & 0xff)) * 0x100000001b3;
	return key;
}

static uint64_t hash(uint64_t key, const char *text)
{
	for (; text && *text; text++)
		key = (key ^ (unsigned char)*text) * 0x100000001b3;
	return (key ^ 0xff) * 0x100000001b3;
}

/* Whether the load has had this effect before: a library is mapped in parts, and a call is seen by
 * more than one hook. */
static bool is_repeated(struct mw_daemon_judge *judge)
{
	const struct mw_daemon_matter *m = &judge->matter;
	const struct mw_effect *effect = &m->effect;
	const char *const texts[] = {effect->class == MW_EXEC ? "" : effect->op, effect->target,
	                             effect->target2, effect->file, effect->file2};
	const uint64_t numbers[] = {m->load ? m->load->id : m->k->scope, m->k->head.tgid,
	                            m->load ? 0 : m->k->head.tid, effect->class};
	uint64_t key = 0xcbf29ce484222325, *place;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		key = mix(key, numbers[i]);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		key = hash(key, texts[i]);
	for (size_t i = 0; i < effect->argc; i++)
		key = hash(key, effect->argv[i]);
	key |= 1;
	place = &judge->seen[(key >> 32) % MW_DAEMON_REPEATED];
	if (*place == key)
		return true;
	*place = key;
	return false;
}

static void fill_frames(const struct mw_daemon_matter *m, struct mw_record *record)
{
	for (uint32_t i = 0; i < m->frame_count && i < MW_WIRE_FRAMES; i++) {
		const struct mw_daemon_frame *f = &m->frame[i];

		record->frames[record->frame_count++] = (struct mw_pyframe){
		        .function = {f->function, (uint32_t)strlen(f->function)},
		        .file = {f->file, (uint32_t)strlen(f->file)},
		};
	}
	record->inside = m->inside < record->frame_count ? m->inside : record->frame_count;
}

/* A program has no Python stack of its own when it starts: it is started where its birth was. */
static void fill_born_frames(const struct mw_daemon_matter *m, struct mw_record *record)
{
	const struct mw_daemon_stack *stack = m->birth ? m->birth->origin->stack : NULL;

	if (m->load || !stack || m->k->hook != MW_K_HOOK_EXEC || record->frame_count)
		return;
	for (uint32_t i = 0; i < stack->count; i++)
		record->frames[i] = (struct mw_pyframe){
		        .function = {stack->frame[i].function,
		                     (uint32_t)strlen(stack->frame[i].function)},
		        .file = {stack->frame[i].file, (uint32_t)strlen(stack->frame[i].file)},
		        .line = stack->frame[i].line,
		};
	record->frame_count = stack->count;
	record->inside = stack->inside;
}

static void fill_record(struct mw_daemon_judge *judge)
{
	struct mw_daemon_matter *m = &judge->matter;
	struct mw_record *record = &judge->record;

	memset(record, 0, sizeof(*record));
	record->kind = MW_EFFECT;
	record->tid = m->k->head.tid;
	mw_verdict_record(&m->effect, &record->effect);
	mw_daemon_load(m, &record->load);
	fill_frames(m, record);
	if (m->event->stack && m->k->stack_at == m->k->regs[MW_REGS_SP]) {
		memcpy(record->regs.r, m->k->regs, sizeof(m->k->regs));
		record->stack = m->event->stack;
		record->stack_len = m->k->stack_len;
	}
}

static void locate(const struct mw_daemon_judge *judge, struct mw_location *ret)
{
	const struct mw_daemon_matter *m = &judge->matter;

	if (m->load)
		mw_locate(m->pid, &judge->record, ret);
	else if (m->birth)
		*ret = m->birth->origin->at;
	else
		memset(ret, 0, sizeof(*ret));
}

static void take_lines(struct mw_daemon_judge *judge)
{
	mw_daemon_take_lines(&judge->matter);
	for (uint32_t i = 0; i < judge->record.frame_count; i++)
		judge->record.frames[i].line = judge->matter.frame[i].line;
}

/* What the kernel has said of the process, which may have gone by now. */
static void hint(struct mw_daemon_judge *judge, struct mw_identity_hint *ret)
{
	struct mw_daemon_matter *m = &judge->matter;
	const struct mw_k_effect *k = m->k;

	*ret = (struct mw_identity_hint){
	        .pid = m->pid,
	        .tid = (pid_t)k->head.tid,
	        .start_ns = k->head.start,
	        .cgroup = k->head.cgroup,
	        .uid = k->uid,
	        .comm = mw_daemon_text(m, mw_k_text(k, k->comm)),
	        .exe = m->effect.class == MW_EXEC ? m->effect.file : NULL,
	};
	if (m->birth && m->birth->parent != k->head.tgid) {
		ret->parent = (pid_t)m->birth->parent;
		ret->parent_start_ns = m->birth->parent_start;
	}
}

/* Whether somebody is told. */
static bool decide(struct mw_daemon_judge *judge, struct mw_decision *ret,
                   struct mw_location *ret_at)
{
	struct mw_identity_hint who;
	char id[40], title[600];
	bool located = mw_verdict_needs_location(judge->policy);

	memset(ret_at, 0, sizeof(*ret_at));
	fill_record(judge);
	if (located)
		locate(judge, ret_at);
	mw_verdict(judge->policy, judge->options.alerts, judge->matter.pid, &judge->record,
	           &judge->record.load, ret_at, ret);
	if (ret->verdict > judge->options.most)
		ret->verdict = judge->options.most;
	if (!ret->record)
		return false;
	if (!located)
		locate(judge, ret_at);
	take_lines(judge);
	fill_born_frames(&judge->matter, &judge->record);
	hint(judge, &who);
	mw_alerts_hint(judge->options.alerts, &who);
	mw_alerts_effect(judge->options.alerts, judge->matter.pid, &judge->record,
	                 &judge->record.load, ret_at, ret, id, title);
	return true;
}

/* A child of the load that becomes a program does what the load had it started for. */
static bool is_started(struct mw_daemon_matter *m)
{
	struct mw_daemon_birth *birth = m->birth;

	if (m->load || !birth || m->k->hook != MW_K_HOOK_EXEC || birth->ran ||
	    birth->tgid != m->k->head.tgid)
		return birth && birth->is_free;
	birth->ran = true;
	return true;
}

static enum mw_cause cause_of(struct mw_daemon_matter *m)
{
	const struct mw_daemon_birth *birth = m->birth;

	if (!is_started(m))
		return mw_daemon_cause(m);
	m->globals = (struct mw_daemon_globals){birth->called, birth->makes_code};
	if (birth->called)
		m->effect.facts |= MW_FACT_CALLED;
	if (birth->cause == MW_BY_NATIVE)
		m->effect.facts |= MW_FACT_LIBRARY;
	return birth->cause;
}

/* Threads of a library's own work for whoever needs them, and what an import starts that nobody
 * steered is its own. A process that native code starts has to become a program that is allowed. */
static bool is_free(struct mw_daemon_matter *m, uint32_t tgid, enum mw_cause cause)
{
	bool is_thread = tgid == m->k->head.tgid;
	bool steered = m->effect.facts & MW_FACT_CALLED;

	switch (cause) {
	case MW_BY_IMPORT:
	case MW_BY_MACHINERY:
		return !steered || (is_thread && mw_daemon_by_library(m));
	case MW_BY_NATIVE:
		return is_thread;
	default:
		return cause == MW_BY_LOADER;
	}
}

/* What the load starts will answer for it, or not. */
static void remember(struct mw_daemon_judge *judge, uint64_t id, uint32_t tgid, enum mw_cause cause,
                     const struct mw_location *at)
{
	struct mw_daemon_matter *m = &judge->matter;
	struct mw_daemon_birth birth = {.id = id,
	                                .parent = m->k->head.tgid,
	                                .parent_start = m->k->head.start,
	                                .tgid = tgid,
	                                .cause = cause,
	                                .called = m->effect.facts & MW_FACT_CALLED,
	                                .makes_code = m->globals.makes_code,
	                                .is_free = is_free(m, tgid, cause)};

	char link[40];
	struct stat st;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)m->pid);
	if (!stat(link, &st)) {
		birth.dev = st.st_dev;
		birth.ino = st.st_ino;
	}
	take_lines(judge);
	mw_daemon_scope_born(&judge->scope, &birth, m->pid, &judge->record.load, at,
	                     judge->record.frames, judge->record.frame_count, judge->record.inside);
}

static void follow(struct mw_daemon_judge *judge, const struct mw_decision *decision,
                   const struct mw_location *at)
{
	const struct mw_daemon_matter *m = &judge->matter;
	enum mw_cause cause = m->effect.cause;
	bool is_import = cause == MW_BY_IMPORT || cause == MW_BY_MACHINERY;

	if (m->effect.class != MW_EXEC)
		return;
	if (m->load)
		remember(judge, m->load->id, 0, cause, at);
	if (decision->requested == MW_ALLOW || (is_import && !(m->effect.facts & MW_FACT_CALLED)))
		mw_daemon_scope_free(&judge->scope, m->k->head.tgid, m->k->head.start);
}

/* A socket that was bound has been told of; it has got its port by now. */
static bool was_bound(struct mw_daemon_judge *judge)
{
	const struct mw_daemon_matter *m = &judge->matter;
	bool binds = m->k->hook == MW_K_HOOK_BIND;
	uint64_t load = m->load ? m->load->id : m->k->scope, *place;

	if (!binds && m->k->hook != MW_K_HOOK_LISTEN)
		return false;
	place = &judge->bound[(load ^ load >> 12) % MW_DAEMON_BOUND];
	if (binds)
		*place = load;
	return !binds && *place == load;
}

/* What lies in installed files is there to be run. That a call maps them is told; not that nobody
 * knows whether it was an import. */
static bool is_mere_library(const struct mw_daemon_matter *m)
{
	return m->effect.class == MW_MAP && m->effect.cause == MW_BY_UNKNOWN &&
	       m->effect.facts & MW_FACT_INSTALLED && mw_daemon_is_installed(m, m->effect.file);
}

/* Before anything is known of a new interpreter it has imported what it needs: that nobody saw the
 * stack says no more than where the files lie. */
static bool is_blind_import(const struct mw_daemon_matter *m)
{
	const struct mw_effect *effect = &m->effect;
	const char *path = effect->file ? effect->file : effect->target;
	const char *path2 = effect->file2 ? effect->file2 : effect->target2;

	return m->load && !m->frame_count && effect->class == MW_WRITE &&
	       effect->cause == MW_BY_UNKNOWN && path && mw_daemon_is_bytecode(m, path) &&
	       (!path2 || mw_daemon_is_bytecode(m, path2));
}

void mw_daemon_decide(struct mw_daemon_judge *judge)
{
	struct mw_daemon_matter *m = &judge->matter;
	struct mw_decision decision;
	struct mw_location at;

	if (was_bound(judge) || is_repeated(judge)) {
		judge->count.repeated++;
		return;
	}
	m->effect.cause = cause_of(m);
	if (is_mere_library(m) || is_blind_import(m)) {
		judge->count.harmless++;
		return;
	}
	if (m->effect.class == MW_EXEC)
		mw_daemon_program_facts(m);
	judge->count.blind += m->load && !m->frame_count;
	if (m->effect.cause == MW_BY_UNKNOWN) {
		m->effect.facts |= MW_FACT_UNPROVED;
		judge->count.unproved++;
	}
	judge->count.effects++;
	judge->count.alerts += decide(judge, &decision, &at);
	follow(judge, &decision, &at);
}

bool mw_daemon_lives_by_itself(struct mw_daemon_judge *judge)
{
	const struct mw_daemon_matter *m = &judge->matter;

	if (m->load)
		return false;
	if (mw_daemon_scope_is_free(&judge->scope, m->k->head.tgid, m->k->head.start))
		return true;
	return m->birth && m->birth->is_free && m->k->hook != MW_K_HOOK_EXEC;
}

/* What a task in scope starts is in scope: the event of the first birth says for what. */
void mw_daemon_birth(struct mw_daemon_judge *judge)
{
	struct mw_daemon_matter *m = &judge->matter;
	struct mw_location at = {.nested = false};

	judge->count.births++;
	if (!m->load) {
		if (mw_daemon_lives_by_itself(judge) && m->k->other != m->k->head.tgid)
			mw_daemon_scope_free_born(&judge->scope, (uint32_t)m->k->other,
			                          m->k->head.time);
		return;
	}
	m->effect = (struct mw_effect){.class = MW_EXEC, .sensor = MW_KERNEL, .op = "clone"};
	m->effect.cause = mw_daemon_cause(m);
	fill_record(judge);
	if (!is_free(m, (uint32_t)m->k->other, m->effect.cause))
		locate(judge, &at);
	remember(judge, m->k->head.id, (uint32_t)m->k->other, m->effect.cause, &at);
}
