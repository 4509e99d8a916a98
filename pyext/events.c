/* The Python sensor: audit events of active threads are judged as effects. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "effects.h"

/* A new event ends the announcement of the event before, and of functions that have returned. */
static void end_announcements(struct mw_thread *thread, const struct mw_walk *walk)
{
	thread->note.valid = false;
	thread->thread_by_call = false;
	if (thread->span.valid && !mw_is_running(walk, thread->span.frame))
		thread->span.valid = false;
}

int mw_refuse_effect(const struct mw_effect *effect, const struct mw_answer *answer)
{
	char text[200];
	PyObject *error;

	snprintf(text, sizeof(text), "Operation not permitted by modelwatch (%s)%s%s", effect->op,
	         answer->id[0] ? ", alert " : "", answer->id);
	error = PyObject_CallFunction(PyExc_PermissionError, "is", EPERM, text);
	if (error)
		PyErr_SetObject(PyExc_PermissionError, error);
	Py_XDECREF(error);
	return -1;
}

/* What dill and cloudpickle do to rebuild a function. */
static bool builds_functions(const char *op)
{
	static const char *const ops[] = {"code.__new__", "function.__new__", "compile", "exec",
	                                  "marshal.loads"};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (!strcmp(op, ops[i]))
			return true;
	return false;
}

int mw_judge(struct mw_effect *effect, const struct mw_walk *walk, struct mw_answer *answer)
{
	struct mw_thread *thread = mw_shim->thread();
	struct mw_pyframe frames[MW_WIRE_FRAMES];
	struct mw_load *load = thread->load;
	uint32_t count, inside;

	effect->sensor = MW_PYTHON;
	if (mw_is_rebuilder(walk))
		effect->facts |= MW_FACT_REBUILDER;
	if (load) {
		mw_describe(load);
		mw_locate(load);
		if (load->called)
			effect->facts |= MW_FACT_CALLED;
		if (load->rebuilds && builds_functions(effect->op))
			effect->facts |= MW_FACT_REBUILDER;
		load->importing = mw_imports_global(load, walk);
	} else {
		effect->facts |= MW_FACT_SCOPE | MW_FACT_AFTER | MW_FACT_CALLED;
	}
	effect->cause = mw_cause(thread, walk, effect->target, &effect->facts);
	count = mw_stack(load, frames, &inside);
	mw_shim->judge(effect, frames, count, inside, answer);
	return answer->verdict >= MW_DENY ? -1 : 0;
}

int mw_judge_here(struct mw_effect *effect)
{
	struct mw_thread *thread = mw_shim->thread();
	struct mw_answer answer;
	struct mw_walk walk;

	mw_walk(thread->load, &walk);
	return mw_judge(effect, &walk, &answer) < 0 ? mw_refuse_effect(effect, &answer) : 0;
}

static void keep_text(char *out, size_t size, const char *text)
{
	if (!text || strlen(text) >= size)
		text = "";
	strcpy(out, text);
}

void mw_announce(const struct mw_audit_event *event, const struct mw_seen *seen,
                 const struct mw_answer *answer)
{
	struct mw_thread *thread = mw_shim->thread();
	struct mw_note *note = event->frame ? &thread->span : &thread->note;

	note->valid = true;
	note->joined = false;
	note->class = seen->effect.class;
	note->verdict = answer->verdict;
	note->cause = seen->effect.cause;
	note->facts = seen->effect.facts;
	note->op = event->name;
	note->frame = PyEval_GetFrame();
	memcpy(note->id, answer->id, sizeof(note->id));
	keep_text(note->target, sizeof(note->target), seen->raw ? seen->raw : seen->address);
	keep_text(note->target2, sizeof(note->target2), seen->raw2);
}

/* A thread that a call of the load starts stays in its scope; one that an import or the loader
 * starts does not. */
static void on_thread(struct mw_load *load, const struct mw_walk *walk)
{
	uint32_t facts = 0;

	mw_describe(load);
	mw_locate(load);
	load->importing = mw_imports_global(load, walk);
	mw_shim->thread()->thread_by_call =
	        mw_cause(mw_shim->thread(), walk, NULL, &facts) == MW_BY_CALL || load->called;
	if (load->origin == MW_FROM_SESSION)
		mw_shim->thread()->thread_by_call = false;
}

/* Whether running Python code announced it: in the words of the call, as the lower sensors compare.
 */
static bool is_announced(const struct mw_note *span, const struct mw_seen *seen)
{
	struct mw_effect effect = seen->effect;

	effect.target = seen->raw ? seen->raw : effect.target;
	effect.target2 = seen->raw2 ? seen->raw2 : effect.target2;
	return mw_note_implies(span, &effect);
}

static int on_effect(const struct mw_audit_event *event, PyObject *args)
{
	struct mw_thread *thread = mw_shim->thread();
	struct mw_seen seen = {.effect = {.class = event->class, .op = event->name}};
	struct mw_answer answer;
	struct mw_walk walk;
	int result = 0;

	mw_walk(thread->load, &walk);
	end_announcements(thread, &walk);
	if (event->shape == THREAD) {
		if (thread->load)
			on_thread(thread->load, &walk);
		return 0;
	}
	mw_take(&seen, event, args, &walk);
	PyErr_Clear();
	if (!seen.none && !is_announced(&thread->span, &seen)) {
		result = mw_judge(&seen.effect, &walk, &answer);
		PyErr_Clear();
		if (result < 0)
			mw_refuse_effect(&seen.effect, &answer);
		else
			mw_announce(event, &seen, &answer);
	}
	mw_drop(&seen);
	return result;
}

/* The innermost Python frame; never NULL. */
static void *innermost(void)
{
	static char none;
	void *frame = PyEval_GetFrame();

	return frame ? frame : &none;
}

/* The collector would run finalizers and callbacks of the job in between. */
void *mw_enter(void)
{
	struct mw_thread *thread = mw_shim->thread();
	void *outer = thread->own;

	if (!thread->busy++ && PyGC_Disable)
		thread->collects = PyGC_Disable();
	thread->own = innermost();
	return outer;
}

void mw_leave(void *outer)
{
	struct mw_thread *thread = mw_shim->thread();

	thread->own = outer;
	if (!--thread->busy && thread->collects)
		PyGC_Enable();
}

static int handle(struct mw_thread *thread, const char *name, void *args)
{
	const struct mw_audit_event *event;
	void *outer;
	int result = 0;

	if (!strcmp(name, "import")) {
		thread->busy++;
		result = mw_on_import(args);
		thread->busy--;
		return result;
	}
	if (!strncmp(name, "cpython.run_", 12)) {
		mw_trust_script(name, mw_argument(args, 0));
		return 0;
	}
	outer = mw_enter();
	if (!strcmp(name, "pickle.find_class"))
		result = mw_on_find_class(args);
	else if (thread->active && (event = mw_find_event(name)))
		result = on_effect(event, args);
	mw_leave(outer);
	return result;
}

int mw_event(const char *name, void *args)
{
	struct mw_thread *thread = mw_shim->thread();
	uint32_t busy = thread->busy;
	bool collects = thread->collects;
	void *own = thread->own;
	int result;

	if (busy && (!own || own == innermost()))
		return 0;
	thread->busy = 0;
	thread->own = NULL;
	result = handle(thread, name, args);
	thread->own = own;
	thread->busy = busy;
	thread->collects = collects;
	return result;
}
