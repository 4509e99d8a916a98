/* Deciding one effect of the calling thread, and having it recorded before it goes on. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

/* Beyond this distance the thread's control block is not on the stack we run on (a coroutine). */
#define STACK_PLAUSIBLE (64u << 20)
/* How far above a load's frame the copied stack goes, so that the load's callers are named too. */
#define STACK_ABOVE (16u << 10)

extern void *__libc_stack_end; /* ld.so: top of the main thread's stack */

static uintptr_t stack_top(uintptr_t sp)
{
	const uintptr_t tops[] = {(uintptr_t)pthread_self(), (uintptr_t)__libc_stack_end};
	uintptr_t best = 0;

	for (size_t i = 0; i < 2; i++)
		if (tops[i] > sp && tops[i] - sp < STACK_PLAUSIBLE && (!best || tops[i] < best))
			best = tops[i];
	return best ? best : sp + STACK_ABOVE;
}

static void copy_native(struct mw_record *record, const struct mw_load *load)
{
	uintptr_t sp, end;

	mw_regs_capture(&record->regs);
	sp = (uintptr_t)mw_regs_sp(&record->regs);
	end = stack_top(sp);
	if (load && load->sp > sp && load->sp + STACK_ABOVE < end)
		end = load->sp + STACK_ABOVE;
	if (end - sp > MW_WIRE_STACK)
		end = sp + MW_WIRE_STACK;
	record->stack = (const uint8_t *)sp;
	record->stack_len = (uint32_t)(end - sp);
}

static struct mw_str text(const char *s)
{
	return (struct mw_str){s, s ? (uint32_t)strlen(s) : 0};
}

static void fill_effect(struct mw_record_effect *out, const struct mw_effect *effect,
                        const struct mw_decision *decision)
{
	out->class = effect->class;
	out->cause = effect->cause;
	out->sensor = effect->sensor;
	out->verdict = decision->verdict;
	out->requested = decision->requested;
	out->severity = decision->severity;
	out->facts = effect->facts;
	out->number = effect->number;
	out->op = text(effect->op);
	out->target = text(effect->target);
	out->target2 = text(effect->target2);
	out->rule = text(decision->rule);
	out->argv_cut = effect->argc > MW_WIRE_ARGS;
	out->argc = (uint32_t)(out->argv_cut ? MW_WIRE_ARGS : effect->argc);
	for (uint32_t i = 0; i < out->argc; i++)
		out->argv[i] = text(effect->argv[i]);
}

static void fill_frames(struct mw_record *record, const struct mw_pyframe *frames, uint32_t count,
                        uint32_t inside)
{
	if (count > MW_WIRE_FRAMES)
		count = MW_WIRE_FRAMES;
	if (count)
		memcpy(record->frames, frames, count * sizeof(*frames));
	record->frame_count = count;
	record->inside = inside < count ? inside : count;
}

static void remember_slot(struct mw_load *load, const struct mw_reply *reply)
{
	if (!load || load->slot || !reply->slot || reply->slot >= MW_PAGE_SLOTS)
		return;
	load->slot = reply->slot;
}

static int tell_monitor(enum mw_kind kind, const struct mw_effect *effect,
                        const struct mw_decision *decision, const struct mw_pyframe *frames,
                        uint32_t count, uint32_t inside, struct mw_reply *reply)
{
	struct mw_record record;
	int error;

	memset(&record, 0, sizeof(record));
	record.kind = kind;
	mw_record_load(&record, &mw_thread);
	if (effect) {
		record.load.after |= (effect->facts & MW_FACT_AFTER) != 0;
		fill_effect(&record.effect, effect, decision);
		fill_frames(&record, frames, count, inside);
		copy_native(&record, mw_thread.load);
	}
	error = mw_exchange(&record, reply, NULL);
	if (!error)
		remember_slot(mw_thread.load, reply);
	return error;
}

static const char *target_of(const struct mw_effect *effect)
{
	if (effect->argv && effect->argc)
		return effect->argv[effect->argc > 1 ? effect->argc - 1 : 0];
	return effect->target ? effect->target : "";
}

/* The monitor's sentence names the call and the byte; without a monitor, what the thread knows. */
static void mark_denied(const struct mw_effect *effect, const struct mw_reply *reply, bool told)
{
	struct mw_load *load = mw_thread.load;
	char *why = mw_thread.why;

	if (load && !load->denied && told)
		snprintf(why, sizeof(mw_thread.why), "%s [alert %s]", reply->title, reply->id);
	else if (load && !load->denied)
		snprintf(why, sizeof(mw_thread.why),
		         "%.500s tried %s (%s %.100s) [no alert: the monitor is gone]",
		         load->path[0] ? load->path : load->entry, mw_class_name(effect->class),
		         effect->op, target_of(effect));
	for (; load; load = load->outer)
		load->denied = true;
}

/* The same program or target once more: a search along PATH, or a payload that tries again. */
static bool is_repeated(const struct mw_effect *effect)
{
	struct mw_thread *thread = &mw_thread;
	uint64_t hash = mw_hash(effect->op) * 31 + (uint64_t)effect->class;

	if (effect->argv)
		for (size_t i = 0; i < effect->argc; i++)
			hash = hash * 31 + mw_hash(effect->argv[i]);
	else
		hash = hash * 31 +
		       (effect->target ? mw_hash(effect->target) : (uint64_t)effect->number);
	if (thread->load && thread->load->denied && thread->last_denied == hash)
		return true;
	thread->last_denied = hash;
	return false;
}

static const char *last_global(const struct mw_load *load, char out[static MW_GLOBAL_TEXT])
{
	char *space;

	if (!load || !load->globals)
		return NULL;
	memcpy(out, load->seen[(load->globals - 1) % MW_WIRE_GLOBALS], MW_GLOBAL_TEXT);
	space = strrchr(out, ' ');
	if (space)
		*space = '.';
	return out;
}

static _Noreturn void die(void)
{
	for (;;)
		syscall(SYS_kill, getpid(), SIGKILL);
}

void mw_judge(const struct mw_effect *effect, const struct mw_pyframe *frames, uint32_t count,
              uint32_t inside, struct mw_answer *ret)
{
	struct mw_load *load = mw_thread.load;
	char global[MW_GLOBAL_TEXT];
	struct mw_load_view view = {load ? load->origin : MW_FROM_FILE, last_global(load, global)};
	struct mw_decision decision;
	struct mw_reply reply = {0};
	bool told = false;

	*ret = (struct mw_answer){.verdict = MW_ALLOW, .rule = "none"};
	if (!mw_process.policy)
		return;
	mw_decide(mw_process.policy, &view, effect, &decision);
	ret->verdict = decision.verdict;
	ret->rule = decision.rule;
	if (decision.verdict == MW_DENY && is_repeated(effect))
		return;
	if (decision.record)
		told = !tell_monitor(MW_EFFECT, effect, &decision, frames, count, inside, &reply);
	memcpy(ret->id, reply.id, sizeof(ret->id));
	if (decision.verdict == MW_KILL)
		die();
	if (decision.verdict >= MW_DENY)
		mark_denied(effect, &reply, told);
}

bool mw_only_called(void)
{
	struct mw_reply reply = {0};

	if (!mw_process.policy || tell_monitor(MW_FETCH, NULL, NULL, NULL, 0, 0, &reply))
		return true;
	return reply.verdict < MW_DENY;
}

void mw_announce(void)
{
	struct mw_reply reply = {0};

	if (!mw_process.policy)
		return;
	tell_monitor(MW_ANNOUNCE, NULL, NULL, NULL, 0, 0, &reply);
}

uint32_t mw_denials(const struct mw_load *load)
{
	const struct mw_page *page = mw_process.page;

	if (!page || !load->slot || page->slot[load->slot].load != load->id)
		return 0;
	return page->slot[load->slot].denied;
}

void mw_join(const char *id, enum mw_sensor sensor)
{
	struct mw_record record;
	struct mw_reply reply = {0};

	memset(&record, 0, sizeof(record));
	record.kind = MW_JOIN;
	record.alert = text(id);
	record.effect.sensor = sensor;
	mw_record_load(&record, &mw_thread);
	mw_exchange(&record, &reply, NULL);
}

void mw_ask_why(void)
{
	struct mw_reply reply = {0};
	char *why = mw_thread.why;

	if (tell_monitor(MW_WHY, NULL, NULL, NULL, 0, 0, &reply) || !reply.title[0])
		snprintf(why, sizeof(mw_thread.why),
		         "a task that this load started was stopped by modelwatch");
	else
		snprintf(why, sizeof(mw_thread.why), "%s [alert %s]", reply.title, reply.id);
}

void mw_born(void)
{
	struct mw_reply reply = {0};

	if (mw_process.policy)
		tell_monitor(MW_BORN, NULL, NULL, NULL, 0, 0, &reply);
}
