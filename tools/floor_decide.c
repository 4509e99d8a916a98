/* Whether what a task in scope does follows from what its sensors announced, and what becomes of it
 * if not. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../core/paths.h"
#include "floor_evidence.h"
#include "floor_matter.h"
#include "floor_shim.h"
#include "tasks.h"
#include "verdict.h"

/* The directory that the model came in, by its real name. */
static bool find_model(const struct mw_floor_judge *judge, uint64_t id, char ret[static PATH_MAX])
{
	uint32_t slot = mw_registry_find(judge->host.registry, id);
	const struct mw_record_load *load = judge->host.registry->entry[slot].load;
	char path[PATH_MAX];

	if (!slot || !load || !load->path.len || load->path.len >= sizeof(path))
		return false;
	memcpy(path, load->path.s, load->path.len);
	path[load->path.len] = '\0';
	if (!realpath(path, ret))
		return false;
	*strrchr(ret, '/') = '\0';
	return true;
}

/* A library that lies beside the model is not what an installed one brings with it; unless that
 * lies there, too. */
static bool came_with_model(const struct mw_floor_judge *judge, const struct mw_matter *matter,
                            const struct mw_permit *permit)
{
	const char *file = judge->look.effect.file;
	char model[PATH_MAX];

	if (judge->look.effect.class != MW_MAP || !file)
		return false;
	for (const struct mw_floor_load *load = matter->load; load; load = load->outer)
		if (find_model(judge, load->id, model) && mw_path_inside(file, model) &&
		    !mw_path_inside(permit->file, model))
			return true;
	return false;
}

/* A datagram socket that the resolver connects sends nothing. */
static bool covers(const struct mw_permit *permit, const struct mw_floor_look *look)
{
	return mw_permit_covers(permit, &look->effect, look->raw) ||
	       (look->datagrams && mw_permit_looks_up(permit));
}

static struct mw_permit *permit_of(const struct mw_floor_judge *judge,
                                   const struct mw_matter *matter,
                                   const struct mw_floor_thread *thread)
{
	for (unsigned int i = 1; thread && i <= MW_FLOOR_PERMITS; i++) {
		struct mw_permit *permit = thread->permits[(thread->turn - i) % MW_FLOOR_PERMITS];

		if (permit && covers(permit, &judge->look) &&
		    !came_with_model(judge, matter, permit))
			return permit;
	}
	return NULL;
}

/* The program that a thread was let start is started by a child of its process. Nothing else that
 * the thread was let do is the child's. */
struct mw_permit *mw_floor_find_permit(struct mw_floor_judge *judge, const struct mw_matter *matter)
{
	struct mw_permit *permit = permit_of(judge, matter, matter->thread);
	struct mw_task task;

	if (permit || judge->look.effect.class != MW_EXEC ||
	    mw_task_read(matter->tracee.pid, &task) < 0)
		return permit;
	for (size_t i = 0; i < MW_FLOOR_PROGRAMS && !permit; i++) {
		const struct mw_floor_program *program = &judge->programs[i];

		if (program->parent == task.parent && program->permit &&
		    covers(program->permit, &judge->look))
			permit = program->permit;
	}
	for (size_t i = 0; i < MW_FLOOR_BUCKETS && !permit; i++)
		for (struct mw_floor_thread *t = judge->tasks.buckets[i]; t && !permit; t = t->next)
			if (t->pid == task.parent)
				permit = permit_of(judge, matter, t);
	return permit;
}

static struct mw_str text(const char *s)
{
	return (struct mw_str){s, s ? (uint32_t)strlen(s) : 0};
}

/* The load as its own records described it. Returns what its texts lie in, to be freed. */
static struct mw_record_load *fill_load(const struct mw_floor_judge *judge,
                                        const struct mw_matter *matter, struct mw_record_load *ret)
{
	uint32_t slot = mw_registry_find(judge->host.registry, matter->scope);
	const struct mw_registry_entry *entry = &judge->host.registry->entry[slot];
	struct mw_record_load *copy = NULL;

	*ret = (struct mw_record_load){.id = matter->scope, .fd = -1, .tell = -1};
	if (!matter->load) {
		ret->after = true;
		return NULL;
	}
	if (slot && entry->load)
		copy = mw_registry_copy(matter->tracee.pid, entry->load);
	if (copy)
		*ret = *copy;
	ret->fd = matter->load->fd;
	ret->data = matter->load->data;
	ret->data_len = matter->load->data_len;
	return copy;
}

/* Nobody announced it. Where there is a shim, somebody should have. */
static void describe(const struct mw_matter *matter, struct mw_effect *effect)
{
	effect->sensor = MW_SYSCALL;
	effect->cause = matter->load ? MW_BY_NATIVE : MW_BY_CALL;
	effect->facts |= MW_FACT_CALLED;
	if (!matter->load)
		effect->facts |= MW_FACT_SCOPE | MW_FACT_AFTER;
	if (matter->load || mw_floor_has_shim(matter->tracee.pid))
		effect->facts |= MW_FACT_UNANNOUNCED;
}

/* FNV-1a, going on from `key`. */
static uint64_t hash(uint64_t key, const char *text)
{
	for (; text && *text; text++)
		key = (key ^ (unsigned char)*text) * 0x100000001b3;
	return (key ^ 0xff) * 0x100000001b3;
}

/* Tells effects apart, and the tasks that have them. Never 0. */
static uint64_t key_of(const struct mw_matter *matter, const struct mw_effect *effect)
{
	const char *const texts[] = {effect->op, effect->target, effect->target2, effect->file,
	                             effect->file2};
	uint64_t key = (matter->scope ^ (uint64_t)matter->tracee.tid << 32) * 31 + effect->class;

	key = key * 31 + (uint64_t)effect->number;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		key = hash(key, texts[i]);
	for (size_t i = 0; i < effect->argc; i++)
		key = hash(key, effect->argv[i]);
	return key | 1;
}

static enum mw_verdict record_effect(struct mw_floor_judge *judge, const struct mw_matter *matter,
                                     const struct mw_effect *effect)
{
	static struct mw_record record;
	static struct mw_floor_evidence evidence;
	struct mw_record_load *load;
	struct mw_reply reply = {.magic = MW_REPLY_MAGIC};
	int fds[MW_WIRE_FDS] = {-1, -1};

	memset(&record, 0, sizeof(record));
	record.kind = MW_EFFECT;
	record.tid = (uint32_t)matter->tracee.tid;
	load = fill_load(judge, matter, &record.load);
	mw_verdict_record(effect, &record.effect);
	if (matter->load && matter->load->frames) {
		record.frame_count = matter->load->frame_count;
		memcpy(record.frames, matter->load->frames,
		       record.frame_count * sizeof(*record.frames));
	}
	if (!mw_floor_evidence(&matter->tracee, &evidence)) {
		record.regs = evidence.regs;
		record.stack = evidence.stack;
		record.stack_len = evidence.stack_len;
	}
	judge->host.serve(judge->host.context, matter->tracee.pid, &record, &reply, fds);
	free(load);
	return (enum mw_verdict)reply.verdict;
}

enum mw_verdict mw_floor_accuse(struct mw_floor_judge *judge, const struct mw_matter *matter,
                                struct mw_effect *effect)
{
	uint64_t key, *refused;
	enum mw_verdict verdict;

	describe(matter, effect);
	key = key_of(matter, effect);
	refused = &judge->refused[(key >> 32) % MW_FLOOR_REFUSED];
	if (*refused == key)
		return MW_DENY; /* the same again: machine code in a loop would fill the log */
	verdict = record_effect(judge, matter, effect);
	if (verdict == MW_DENY)
		*refused = key;
	return verdict;
}

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* The same program: by the path that was found for it, or by where that leads. */
static bool is_program(const struct mw_permit *permit, const struct mw_floor_look *look)
{
	char path[PATH_MAX];

	if (same(look->raw, *permit->file ? permit->file : permit->target))
		return true;
	return *permit->file == '/' && realpath(permit->file, path) &&
	       same(look->effect.file, path);
}

/* What was let pass was judged by where its path led then. Whether that is where it leads now. */
static bool is_as_judged(const struct mw_permit *permit, const struct mw_floor_look *look)
{
	const struct mw_effect *effect = &look->effect;

	if (effect->class == MW_EXEC)
		return is_program(permit, look) && mw_permit_has_arguments(permit, effect);
	return effect->class != MW_WRITE || !effect->file ||
	       (same(effect->file, permit->file) &&
	        (!effect->file2 || same(effect->file2, permit->file2)));
}

/* The verdict on `effect` as the permit's. */
static enum mw_verdict decide_as(struct mw_floor_judge *judge, const struct mw_matter *matter,
                                 const struct mw_permit *permit, struct mw_effect *effect)
{
	static struct mw_record record;
	struct mw_record_load *load;
	struct mw_decision decision;
	struct mw_location at = {.nested = false};

	memset(&record, 0, sizeof(record));
	record.kind = MW_PERMIT;
	load = fill_load(judge, matter, &record.load);
	effect->sensor = MW_SYSCALL;
	effect->cause = permit->cause;
	effect->facts |= permit->facts;
	if (effect->class == MW_EXEC) /* facts about the other program */
		effect->facts &= ~(uint32_t)(MW_FACT_PINNED | MW_FACT_INTERPRETER);
	mw_verdict_record(effect, &record.effect);
	record.effect.op = text(permit->op);
	if (mw_verdict_needs_location(judge->host.policy))
		mw_locate(matter->tracee.pid, &record, &at);
	mw_verdict(judge->host.policy, judge->host.alerts, matter->tracee.pid, &record,
	           &record.load, &at, &decision);
	free(load);
	return decision.verdict;
}

/* Where it is another file now, or one of many that follow from it, it is judged by that. */
static enum mw_verdict judge_permitted(struct mw_floor_judge *judge, const struct mw_matter *matter,
                                       struct mw_permit *permit)
{
	struct mw_effect effect = judge->look.effect;

	if (permit->alert[0] && !permit->joined)
		mw_alerts_join(judge->host.alerts, text(permit->alert), MW_SYSCALL);
	permit->joined = true;
	if (is_as_judged(permit, &judge->look))
		return MW_ALLOW;
	return decide_as(judge, matter, permit, &effect);
}

bool mw_floor_stands_anyway(struct mw_floor_judge *judge, const struct mw_matter *matter,
                            const struct mw_permit *permit)
{
	struct mw_effect effect = {.class = judge->look.effect.class, .op = judge->look.effect.op};

	return permit && decide_as(judge, matter, permit, &effect) < MW_DENY;
}

enum mw_verdict mw_floor_verdict(struct mw_floor_judge *judge, const struct mw_matter *matter,
                                 struct mw_permit **permit)
{
	enum mw_verdict verdict = MW_ALLOW;

	if (*permit) {
		verdict = judge_permitted(judge, matter, *permit);
		if (mw_permit_is_used_up(*permit))
			(*permit)->spent = true;
		if (verdict >= MW_DENY)
			*permit = NULL;
	}
	if (!*permit)
		verdict = mw_floor_accuse(judge, matter, &judge->look.effect);
	return verdict;
}
