/* What loads start: why, and whether it answers for them. */
#include "daemon_matter.h"

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

enum mw_cause mw_daemon_cause_of(struct mw_daemon_matter *m)
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
	                                .program = m->k->program,
	                                .cause = cause,
	                                .called = m->effect.facts & MW_FACT_CALLED,
	                                .makes_code = m->globals.makes_code,
	                                .is_free = is_free(m, tgid, cause)};

	mw_daemon_fill_lines(judge);
	mw_daemon_scope_born(&judge->scope, &birth, m->pid, &judge->record.load, at,
	                     judge->record.frames, judge->record.frame_count, judge->record.inside);
}

void mw_daemon_follow(struct mw_daemon_judge *judge, const struct mw_decision *decision,
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
	mw_daemon_fill_record(judge);
	if (m->k->other != m->k->head.tgid || !is_free(m, (uint32_t)m->k->other, m->effect.cause))
		mw_daemon_locate(judge, &at);
	remember(judge, m->k->head.id, (uint32_t)m->k->other, m->effect.cause, &at);
}
