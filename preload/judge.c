/* Deciding one effect of the calling thread, and having it recorded before it goes on. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"
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

static void fill_effect(struct mw_record_effect *out, const struct mw_effect *effect)
{
	out->class = effect->class;
	out->cause = effect->cause;
	out->sensor = effect->sensor;
	out->facts = effect->facts;
	out->number = effect->number;
	out->op = text(effect->op);
	out->target = text(effect->target);
	out->target2 = text(effect->target2);
	out->file = text(effect->file);
	out->file2 = text(effect->file2);
	out->owner = effect->owner;
	out->argv_cut = effect->argv_cut || effect->argc > MW_WIRE_ARGS;
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
                        const struct mw_pyframe *frames, uint32_t count, uint32_t inside,
                        struct mw_reply *reply)
{
	struct mw_record record;
	int error;

	memset(&record, 0, sizeof(record));
	record.kind = kind;
	mw_record_load(&record, &mw_thread);
	fill_frames(&record, frames, count, inside);
	if (effect) {
		record.load.after |= (effect->facts & MW_FACT_AFTER) != 0;
		fill_effect(&record.effect, effect);
		if (kind == MW_EFFECT && !mw_thread.stands_in)
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
static uint64_t key_of(const struct mw_effect *effect)
{
	uint64_t hash = mw_hash(effect->op) * 31 + (uint64_t)effect->class;

	if (!effect->argv)
		return hash * 31 +
		       (effect->target ? mw_hash(effect->target) : (uint64_t)effect->number);
	for (size_t i = 0; i < effect->argc; i++)
		hash = hash * 31 + mw_hash(effect->argv[i]);
	return hash;
}

static bool was_denied(uint64_t key)
{
	const struct mw_thread *thread = &mw_thread;

	return thread->load && thread->load->denied && thread->last_denied == key;
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

/* Operations on the entry of a directory, which do not follow a link that it is. */
static bool is_on_entry(const char *op)
{
	static const char *const words[] = {"rename", "link",  "remove", "rmdir",   "rmtree",
	                                    "mkdir",  "mknod", "lchown", "mkstemp", "move"};

	for (size_t i = 0; op && i < sizeof(words) / sizeof(*words); i++)
		if (strstr(op, words[i]))
			return true;
	return false;
}

static bool is_on_file(const struct mw_effect *effect)
{
	return effect->class == MW_WRITE || effect->class == MW_READ ||
	       (effect->class == MW_MAP && effect->target && strchr(effect->target, '/'));
}

/* What the effect is on and what the load reads: the texts live here. */
struct view {
	struct mw_effect effect;
	struct mw_load_view load;
	char file[MW_FILE_TEXT], file2[MW_FILE_TEXT], artifact[MW_FILE_TEXT];
	char global[MW_GLOBAL_TEXT];
};

static void find_files(struct view *view)
{
	struct mw_effect *effect = &view->effect;
	bool entry = is_on_entry(effect->op);

	if (!is_on_file(effect))
		return;
	if (effect->target && !effect->file && mw_resolve_file(effect->target, entry, view->file))
		effect->file = view->file;
	if (effect->target2 && !effect->file2 &&
	    mw_resolve_file(effect->target2, entry, view->file2))
		effect->file2 = view->file2;
}

/* Only rules that ask for it are worth the look. */
static void find_artifact(struct view *view, const struct mw_load *load)
{
	if (!load || !load->described || !(mw_process.policy->fields >> MW_FIELD_ARTIFACT & 1))
		return;
	if (load->path[0] && mw_resolve_file(load->path, true, view->artifact))
		view->load.artifact = view->artifact;
}

static void look_at(struct view *view, const struct mw_effect *effect)
{
	const struct mw_load *load = mw_thread.load;

	view->effect = *effect;
	view->load = (struct mw_load_view){
	        .origin = load ? load->origin : MW_FROM_FILE,
	        .unknown = MW_FIELDS_OF_MONITOR,
	        .now = time(NULL),
	        .global = last_global(load, view->global),
	};
	if (load)
		view->load.entry =
		        load->described && load->outermost[0] ? load->outermost : load->entry;
	else /* the monitor has it all: what this thread or process answers for */
		view->load.unknown |= 1u << MW_FIELD_ENTRY | 1u << MW_FIELD_ARTIFACT;
	find_files(view);
	find_artifact(view, load);
}

void mw_judge(const struct mw_effect *effect, const struct mw_pyframe *frames, uint32_t count,
              uint32_t inside, struct mw_answer *ret)
{
	struct view view;
	struct mw_decision decision;
	struct mw_reply reply = {0};
	uint64_t key = key_of(effect);
	bool told = false;

	*ret = (struct mw_answer){.verdict = MW_ALLOW};
	if (!mw_process.policy)
		return;
	if (was_denied(key)) {
		ret->verdict = MW_DENY;
		return;
	}
	look_at(&view, effect);
	mw_decide(mw_process.policy, &view.load, &view.effect, &decision);
	ret->verdict = decision.verdict;
	if (decision.record || decision.ask) {
		if (mw_thread.load && !mw_thread.load->floored)
			mw_floor_open(frames ? frames + inside : NULL, count - inside);
		told = !tell_monitor(MW_EFFECT, &view.effect, frames, count, inside, &reply);
	} else if (mw_floor_watches()) {
		told = !tell_monitor(MW_PERMIT, &view.effect, NULL, 0, 0, &reply);
	}
	if (told)
		ret->verdict = (enum mw_verdict)reply.verdict;
	memcpy(ret->id, reply.id, sizeof(ret->id));
	if (ret->verdict == MW_KILL)
		die();
	if (ret->verdict < MW_DENY)
		return;
	mw_thread.last_denied = key;
	mark_denied(effect, &reply, told);
}

void mw_permit(const struct mw_effect *effect, struct mw_answer *ret)
{
	*ret = (struct mw_answer){.verdict = MW_ALLOW};
	if (mw_floor_watches())
		mw_judge(effect, NULL, 0, 0, ret);
}

bool mw_would_deny(const struct mw_effect *effect)
{
	struct view view;
	struct mw_decision decision;
	struct mw_reply reply = {0};

	if (!mw_process.policy)
		return false;
	look_at(&view, effect);
	mw_decide(mw_process.policy, &view.load, &view.effect, &decision);
	if (decision.ask && !tell_monitor(MW_PREVIEW, &view.effect, NULL, 0, 0, &reply))
		return reply.verdict >= MW_DENY;
	return decision.verdict >= MW_DENY;
}

bool mw_only_called(void)
{
	struct mw_reply reply = {0};

	if (!mw_process.policy || tell_monitor(MW_FETCH, NULL, NULL, 0, 0, &reply))
		return true;
	return reply.verdict < MW_DENY;
}

void mw_announce(void)
{
	struct mw_reply reply = {0};

	if (!mw_process.policy)
		return;
	tell_monitor(MW_ANNOUNCE, NULL, NULL, 0, 0, &reply);
}

void mw_floor_open(const struct mw_pyframe *frames, uint32_t count)
{
	struct mw_load *load = mw_thread.load;
	struct mw_reply reply = {0};

	if (load && mw_process.floor && !mw_thread.stands_in &&
	    !tell_monitor(MW_OPEN, NULL, frames, count, 0, &reply))
		load->floored = true;
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

	if (tell_monitor(MW_WHY, NULL, NULL, 0, 0, &reply) || !reply.title[0])
		snprintf(why, sizeof(mw_thread.why),
		         "a task that this load started was stopped by modelwatch");
	else
		snprintf(why, sizeof(mw_thread.why), "%s [alert %s]", reply.title, reply.id);
}

/* What could not be told is counted, and told with the next one. A child has its own count. The
 * first of a process is waited for: the monitor sees who it is before it can have ended. */
void mw_loaded(struct mw_load *load, uint64_t duration, bool raised)
{
	static _Atomic uint64_t untold;
	static _Atomic pid_t owner;
	bool first = atomic_exchange(&owner, getpid()) != getpid();
	struct mw_record record;
	struct mw_reply reply;
	uint64_t before;
	int error;

	if (first)
		atomic_store(&untold, 0);
	before = atomic_exchange(&untold, 0);
	memset(&record, 0, sizeof(record));
	record.kind = MW_LOADED;
	record.tid = (uint32_t)syscall(SYS_gettid);
	mw_describe_load(&record.load, load);
	record.load.scope = mw_thread.scope;
	record.load.dev = load->dev;
	record.load.ino = load->ino;
	record.done = (struct mw_record_done){duration, raised, load->weights_only,
	                                      before < UINT32_MAX ? before : UINT32_MAX};
	error = first ? mw_exchange(&record, &reply, NULL) : mw_tell(&record);
	/* Where the answer has been waited for in vain, it will still be heard. */
	if (error && !(first && error == -EAGAIN))
		atomic_fetch_add(&untold, before + 1);
}

void mw_born(void)
{
	struct mw_reply reply = {0};

	if (mw_process.policy)
		tell_monitor(MW_BORN, NULL, NULL, 0, 0, &reply);
}
