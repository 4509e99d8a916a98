/* The Python thread that a thread of a process is, and the frame it is in. See pystack.h. */
#ifndef MW_EBPF_PYTHREAD_H
#define MW_EBPF_PYTHREAD_H

#include "pyfunction.h"
#include "pyoffsets.h"

#define MW_PY_INTERPRETERS 8 /* of a process */
#define MW_PY_THREADS 256    /* of all of them */
#define MW_PY_SHIM 3         /* owner of a frame that stands for a C function */
#define MW_PY_SHIMS 4        /* of those in a row */
#define MW_PY_FAULT (-14)    /* -EFAULT */

/* How far the search for a thread has come. */
struct mw_py_search {
	uint64_t id;
	uint64_t interpreter; /* the next one */
	uint64_t thread;      /* the next one; 0: the next interpreter's first */
	uint64_t found;
	uint64_t interpreters; /* so far */
};

/* The thread state of the thread whose pthread_self() is `id`, or 0. On x86-64 that is the thread's
 * fsbase. `runtime` is the address of _PyRuntime. */
MW_PY_FN uint64_t mw_py_thread(const struct mw_py_offsets *o, uint64_t runtime, uint64_t id);

/* Whether a thread state that was found before is still that thread's. */
MW_PY_FN int mw_py_is_thread(const struct mw_py_offsets *o, uint64_t thread, uint64_t id);

/* The frame that the thread is in: in a C function, the Python frame that called it. As
 * mw_k_frame.frame has it. 0: none, or unreadable. */
MW_PY_FN uint64_t mw_py_top(const struct mw_py_offsets *o, uint64_t thread);

MW_PY_PART int mw_py_word(uint64_t at, uint64_t *ret)
{
	*ret = 0;
	return MW_PY_READ(ret, sizeof(*ret), at) < 0 ? MW_PY_FAULT : 0;
}

/* From 3.12 on a frame may stand for the C function that runs the interpreter. */
MW_PY_PART int mw_py_is_shim(const struct mw_py_offsets *o, uint64_t frame)
{
	uint8_t owner = 0;

	if (o->version < MW_PY_VERSION(3, 12))
		return 0;
	if (MW_PY_READ(&owner, sizeof(owner), frame + o->frame_owner) < 0)
		return MW_PY_FAULT;
	return owner == MW_PY_SHIM;
}

MW_PY_PART int mw_py_newest(const struct mw_py_offsets *o, uint64_t thread, uint64_t *ret)
{
	uint64_t cframe;

	if (o->version != MW_PY_VERSION(3, 11) && o->version != MW_PY_VERSION(3, 12))
		return mw_py_word(thread + o->thread_frame, ret);
	*ret = 0;
	if (mw_py_word(thread + o->thread_frame, &cframe) < 0)
		return MW_PY_FAULT;
	return cframe ? mw_py_word(cframe + o->cframe_frame, ret) : 0;
}

MW_PY_FN uint64_t mw_py_top(const struct mw_py_offsets *o, uint64_t thread)
{
	uint64_t frame;

	if (!o || mw_py_newest(o, thread, &frame) < 0)
		return 0;
	for (int i = 0; i < MW_PY_SHIMS && frame; i++) {
		int r = mw_py_is_shim(o, frame);

		if (r <= 0)
			return r < 0 ? 0 : frame;
		if (mw_py_word(frame + o->frame_back, &frame) < 0)
			return 0;
	}
	return 0;
}

MW_PY_FN int mw_py_is_thread(const struct mw_py_offsets *o, uint64_t thread, uint64_t id)
{
	uint64_t found;

	return o && thread && mw_py_word(thread + o->thread_id, &found) == 0 && found == id;
}

/* Takes the next interpreter's threads. Returns whether there is one. */
MW_PY_PART int mw_py_next_interpreter(const struct mw_py_offsets *o, struct mw_py_search *s)
{
	uint64_t interpreter = s->interpreter;

	if (!interpreter || s->interpreters++ >= MW_PY_INTERPRETERS)
		return 0;
	return mw_py_word(interpreter + o->interpreter_threads, &s->thread) == 0 &&
	       mw_py_word(interpreter + o->interpreter_next, &s->interpreter) == 0;
}

/* Looks at one thread. Returns whether to go on. A state that was made for a thread which has yet
 * to start may bear the id of the one that makes it, and a thread has one in each interpreter it
 * has been in: the one that is running counts. */
MW_PY_FN int mw_py_look(const struct mw_py_offsets *o, struct mw_py_search *s)
{
	uint64_t found, frame;

	if (!o || !s)
		return 0;
	if (!s->thread)
		return mw_py_next_interpreter(o, s);
	if (mw_py_word(s->thread + o->thread_id, &found) < 0)
		return 0;
	if (found == s->id) {
		s->found = s->thread;
		if (mw_py_newest(o, s->thread, &frame) == 0 && frame)
			return 0;
	}
	return mw_py_word(s->thread + o->thread_next, &s->thread) == 0;
}

MW_PY_FN uint64_t mw_py_thread(const struct mw_py_offsets *o, uint64_t runtime, uint64_t id)
{
	struct mw_py_search s = {.id = id};

	if (!o || mw_py_word(runtime + o->runtime_interpreters, &s.interpreter) < 0)
		return 0;
	for (int i = 0; i < MW_PY_THREADS + MW_PY_INTERPRETERS; i++)
		if (!mw_py_look(o, &s))
			break;
	return s.found;
}

#endif
