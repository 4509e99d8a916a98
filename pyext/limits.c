/* What the policy's `limits` ask of a load. Beyond one of them it has the effect `limit`, which
 * rules decide like any other. Time and memory are those of an outermost load and all in it. */
#include <errno.h>
#include <string.h>

#include "ext.h"

#define CHAIN 16 /* exceptions behind an exception that are looked at */

static void ask_for_memory(struct mw_load *load)
{
	const struct mw_effect effect = {.class = MW_LIMIT,
	                                 .cause = MW_BY_UNKNOWN,
	                                 .op = "memory",
	                                 .number = (int64_t)mw_shim->limits->memory};

	mw_describe(load);
	mw_locate(load);
	if (mw_shim->would_deny(&effect))
		load->limit.memory = !mw_shim->limit_memory(mw_shim->limits->memory);
	load->limit.data = load->limit.memory ? 0 : mw_shim->data_size();
	load->limit.grows = load->limit.data != 0;
}

/* The load around is the one that opens too many. */
static bool may_nest(struct mw_load *load)
{
	struct mw_effect effect = {
	        .class = MW_LIMIT, .op = "nesting", .number = (int64_t)mw_shim->limits->nesting};
	struct mw_thread *thread = mw_shim->thread();
	bool may;

	if (!load->outer || !mw_shim->limits->nesting || load->depth < mw_shim->limits->nesting)
		return true;
	thread->load = load->outer;
	may = !mw_judge_here(&effect);
	thread->load = load;
	return may;
}

bool mw_limit_open(struct mw_load *load)
{
	void *outer = mw_enter();
	bool may = may_nest(load);

	if (may && !load->outer) {
		if (mw_shim->limits->time)
			mw_watch(load);
		if (mw_shim->limits->memory)
			ask_for_memory(load);
	}
	mw_leave(outer);
	return may;
}

/* Libraries say it in their own exceptions, with the words of strerror(ENOMEM). */
static bool says_no_memory(PyObject *error)
{
	PyObject *text = PyObject_Str(error);
	const char *utf8 = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
	bool says = utf8 && strstr(utf8, "Cannot allocate memory");

	PyErr_Clear();
	Py_XDECREF(text);
	return says;
}

/* Whether there was no memory, by this exception or those behind it. */
static bool wanted_memory(PyObject *error)
{
	bool wanted = false;

	Py_INCREF(error);
	for (int i = 0; error && i < CHAIN; i++) {
		PyObject *next = PyException_GetContext(error);

		wanted |= PyErr_GivenExceptionMatches(error, PyExc_MemoryError) ||
		          says_no_memory(error);
		Py_DECREF(error);
		error = next;
	}
	Py_XDECREF(error);
	return wanted;
}

static bool has_grown(const struct mw_load *load)
{
	return mw_shim->data_size() > load->limit.data + mw_shim->limits->memory;
}

/* Looked at when the load is over: the stack is that of its caller. */
static void judge_memory(struct mw_load *load)
{
	const struct mw_effect effect = {.class = MW_LIMIT,
	                                 .cause = MW_BY_UNKNOWN,
	                                 .sensor = MW_PYTHON,
	                                 .op = "memory",
	                                 .number = (int64_t)mw_shim->limits->memory};
	struct mw_pyframe frames[MW_WIRE_FRAMES];
	struct mw_answer answer;
	uint32_t inside, count = mw_stack(load, frames, &inside);

	mw_locate(load);
	mw_shim->judge(&effect, frames, count, inside, &answer);
}

/* `error` is what the load ended with, or NULL. */
static void end_memory(struct mw_load *load, PyObject *error)
{
	if (load->limit.memory)
		mw_shim->unlimit_memory();
	if (load->limit.memory ? error && wanted_memory(error)
	                       : load->limit.grows && has_grown(load))
		judge_memory(load);
}

void mw_limit_close(struct mw_load *load)
{
	PyObject *type, *value, *traceback;
	void *outer = mw_enter();

	if (load->limit.thread)
		mw_unwatch(load);
	PyErr_Fetch(&type, &value, &traceback);
	if (type)
		PyErr_NormalizeException(&type, &value, &traceback);
	end_memory(load, value);
	PyErr_Restore(type, value, traceback);
	mw_leave(outer);
}
