#include "daemon_judge.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon_matter.h"
#include "installed.h"

static void find_shim(struct mw_daemon_judge *judge)
{
	char path[PATH_MAX];
	struct stat st;

	if (mw_installed("libmodelwatch.so", path) || stat(path, &st))
		return;
	judge->shim_dev = st.st_dev;
	judge->shim_ino = st.st_ino;
}

int mw_daemon_judge_open(const struct mw_daemon_judge_options *options,
                         struct mw_daemon_judge **ret)
{
	struct mw_daemon_judge *judge = calloc(1, sizeof(*judge));

	if (!judge)
		return -ENOMEM;
	judge->options = *options;
	judge->policy = options->policy;
	find_shim(judge);
	if (mw_unwinder_new(&judge->unwinder) < 0) {
		free(judge);
		return -ENOMEM;
	}
	*ret = judge;
	return 0;
}

void mw_daemon_judge_close(struct mw_daemon_judge *judge)
{
	if (!judge)
		return;
	mw_daemon_scope_clear(&judge->scope);
	mw_given_clear(&judge->givens);
	mw_unwinder_free(judge->unwinder);
	free(judge);
}

void mw_daemon_judge_policy(struct mw_daemon_judge *judge, const struct mw_policy *policy)
{
	judge->policy = policy;
}

const struct mw_daemon_counters *mw_daemon_judge_count(const struct mw_daemon_judge *judge)
{
	return &judge->count;
}

void mw_daemon_judge_meet(struct mw_daemon_judge *judge, pid_t pid)
{
	mw_given_note(&judge->givens, pid);
}

static void start(struct mw_daemon_judge *judge, const struct mw_daemon_event *event)
{
	struct mw_daemon_matter *m = &judge->matter;
	const struct mw_k_effect *k = event->effect;

	m->options = &judge->options;
	m->event = event;
	m->k = k;
	m->pid = (pid_t)k->head.tgid;
	m->depth = m->united = 0;
	m->load = NULL;
	m->birth = NULL;
	m->unwinder = judge->unwinder;
	m->givens = &judge->givens;
	m->unwound = MW_NOT_UNWOUND;
	m->native_count = 0;
	m->used = 0;
	mw_daemon_take_frames(m);
}

/* By the native stack; where that tells nothing, by the frame that asked for the load, which is on
 * a Python stack that is whole. */
static bool is_open(struct mw_daemon_matter *m, const struct mw_k_load *load)
{
	bool placed;

	m->load = load;
	placed = mw_daemon_place_load(m);
	switch (mw_daemon_seen(m, load)) {
	case MW_SEEN_OPEN:
		return true;
	case MW_SEEN_OVER:
		return false;
	case MW_SEEN_NOTHING:
		break;
	}
	return placed;
}

/* A process that has gone has taken the map of its memory with it: nothing failed. */
static void count_unwinding(struct mw_daemon_judge *judge)
{
	if (judge->matter.unwound == MW_UNWOUND)
		judge->count.unwound++;
	else if (!kill(judge->matter.pid, 0))
		judge->count.not_unwound++;
}

/* Loads that have ended are left out: what is left over on the stack may look as if they had not.
 * True when somebody answers. */
static bool find_load(struct mw_daemon_judge *judge)
{
	struct mw_daemon_matter *m = &judge->matter;

	for (uint32_t i = 0; i < m->k->depth; i++)
		if (is_open(m, &m->k->load[i]))
			m->open[m->depth++] = &m->k->load[i];
	for (uint32_t i = 1; i < m->depth; i++)
		m->united += mw_daemon_is_torchs(m, m->open[i - 1], m->open[i]);
	if (m->k->depth)
		count_unwinding(judge);
	m->load = m->depth ? m->open[m->depth - 1] : NULL;
	mw_daemon_place_load(m);
	if (!m->load && m->k->scope) {
		/* A program that has taken the place of its own load is kept by the load's number.
		 */
		m->birth = mw_daemon_scope_find(&judge->scope,
		                                m->k->birth ? m->k->birth : m->k->scope);
		judge->count.orphans += !m->birth;
	}
	return m->load || m->k->scope;
}

static void take_effect(struct mw_daemon_judge *judge)
{
	struct mw_daemon_matter *m = &judge->matter;
	bool found = false;

	for (int second = 0; second < 2; second++) {
		if (!mw_daemon_effect(m, judge->policy, second))
			continue;
		found = true;
		mw_daemon_decide(judge);
	}
	judge->count.harmless += !found;
}

void mw_daemon_judge_event(struct mw_daemon_judge *judge, const struct mw_daemon_event *event)
{
	struct mw_daemon_matter *m = &judge->matter;

	start(judge, event);
	if (!find_load(judge)) {
		judge->count.over++;
		return;
	}
	mw_daemon_take_globals(m);
	mw_daemon_take_artifact(m);
	if (event->effect->head.kind == MW_K_BIRTH) {
		mw_daemon_birth(judge);
	} else if (mw_daemon_lives_by_itself(judge)) {
		judge->count.own++;
	} else {
		take_effect(judge);
	}
}
