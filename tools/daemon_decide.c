/* What becomes of an effect, once it is known who answers for it: the verdict and the alert. */
#include <stdio.h>
#include <string.h>

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

void mw_daemon_fill_record(struct mw_daemon_judge *judge)
{
	struct mw_daemon_matter *m = &judge->matter;
	struct mw_record *record = &judge->record;

	memset(record, 0, sizeof(*record));
	record->kind = MW_EFFECT;
	record->tid = m->k->head.tid;
	mw_verdict_record(&m->effect, &record->effect);
	mw_daemon_load(m, &record->load);
	fill_frames(m, record);
}

void mw_daemon_locate(const struct mw_daemon_judge *judge, struct mw_location *ret)
{
	const struct mw_daemon_matter *m = &judge->matter;

	if (m->load)
		mw_locate(m->pid, &judge->record, ret);
	else if (m->birth)
		*ret = m->birth->origin->at;
	else
		memset(ret, 0, sizeof(*ret));
}

void mw_daemon_fill_lines(struct mw_daemon_judge *judge)
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
	mw_daemon_fill_record(judge);
	if (located)
		mw_daemon_locate(judge, ret_at);
	mw_verdict(judge->policy, judge->options.alerts, judge->matter.pid, &judge->record,
	           &judge->record.load, ret_at, ret);
	if (ret->verdict > judge->options.most)
		ret->verdict = judge->options.most;
	if (judge->matter.k->prevented)
		ret->verdict = MW_DENY;
	/* A whole machine has much that is only worth observing: nobody could read it. */
	if (ret->verdict < MW_DENY && (!ret->record || ret->requested < MW_ALERT))
		return false;
	if (!located)
		mw_daemon_locate(judge, ret_at);
	mw_daemon_fill_lines(judge);
	fill_born_frames(&judge->matter, &judge->record);
	hint(judge, &who);
	mw_daemon_unwind(&judge->matter);
	mw_alerts_hint(judge->options.alerts, &who, judge->matter.native,
	               judge->matter.native_count);
	mw_alerts_effect(judge->options.alerts, judge->matter.pid, &judge->record,
	                 &judge->record.load, ret_at, ret, id, title);
	return true;
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

/* What `run` has every program map, that of a load too. */
static bool is_shim(const struct mw_daemon_judge *judge)
{
	const struct mw_daemon_matter *m = &judge->matter;

	return m->effect.class == MW_MAP && judge->shim_ino &&
	       mw_k_is_file(&m->k->file, judge->shim_dev, judge->shim_ino);
}

/* The extension has libffi take its memory before the code of an import can: no code that the load
 * has brought runs meanwhile. */
static bool is_warming(struct mw_daemon_matter *m)
{
	return m->effect.class == MW_MAP && m->effect.facts & MW_FACT_ANONYMOUS && m->whole &&
	       !m->own && mw_daemon_by_ffi(m) && mw_daemon_by_extension(m);
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
	m->effect.cause = mw_daemon_cause_of(m);
	if (!m->k->prevented &&
	    (is_mere_library(m) || is_blind_import(m) || is_shim(judge) || is_warming(m))) {
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
	mw_daemon_follow(judge, &decision, &at);
}
