/* Walks the Python stack of a thread from outside: by reading the memory of its interpreter, which
 * may hold anything. Every loop ends after a fixed number of steps, whatever is read, and what
 * cannot be read is left out and said to be.
 *
 * Compiled for the kernel and for user space. Whoever includes it defines before
 *   MW_PY_READ(dst, size, address)   reads exactly `size` bytes of the process; 0 or negative
 * In the kernel the functions are global ones: the verifier looks at each once, not at each call,
 * and knows their pointers by the size of what they point at. mw_py_walk() takes 256 bytes of stack
 * with all that it calls, and 5 of the 8 calls that may be under way. */
#ifndef MW_EBPF_PYSTACK_H
#define MW_EBPF_PYSTACK_H

#include "event.h"
#include "pyoffsets.h"

#define MW_PY_INTERPRETERS 8 /* of a process */
#define MW_PY_THREADS 256    /* of all of them */
#define MW_PY_SHIMS 4        /* frames in a row that stand for C functions */
#define MW_PY_LINKS (2 * MW_K_FRAMES)
#define MW_PY_TEXT 511    /* bytes of a name; a power of two less one */
#define MW_PY_WIDE 64     /* characters of one that is not ASCII */
#define MW_PY_FAULT (-14) /* -EFAULT */

/* How far the search for a thread has come. */
struct mw_py_search {
	uint64_t id;
	uint64_t interpreter; /* the next one */
	uint64_t thread;      /* the next one; 0: the next interpreter's first */
	uint64_t found;
	uint64_t interpreters; /* so far */
};

/* How far a walk has come. */
struct mw_py_walker {
	uint64_t frame;
	uint64_t file_object; /* the last file name that was read */
	struct mw_k_str file; /* and where it is: one file's frames share it */
	uint32_t used;        /* bytes of the strings */
	uint32_t count;       /* frames */
	uint32_t cut;         /* the last string */
};

#ifdef __bpf__
#define MW_PY_FN __attribute__((noinline))
#define MW_PY_PART static inline __attribute__((always_inline))
/* Keeps the compiler from undoing a bound that the verifier must see. */
#define MW_PY_KEEP(variable) asm volatile("" : "+r"(variable))
#else
#define MW_PY_FN static inline
#define MW_PY_PART static inline
#define MW_PY_KEEP(variable) (void)0
#endif

/* The thread state of the thread whose pthread_self() is `id`, or 0. On x86-64 that is the thread's
 * fsbase. `runtime` is the address of _PyRuntime. */
MW_PY_FN uint64_t mw_py_thread(const struct mw_py_offsets *o, uint64_t runtime, uint64_t id);

/* Whether a thread state that was found before is still that thread's. */
MW_PY_FN int mw_py_is_thread(const struct mw_py_offsets *o, uint64_t thread, uint64_t id);

/* The frame that the thread is in: in a C function, the Python frame that called it. As
 * mw_k_frame.frame has it. 0: none, or unreadable. */
MW_PY_FN uint64_t mw_py_top(const struct mw_py_offsets *o, uint64_t thread);

/* Fills frame[], frame_count and frames_cut of `effect`, and its strings from `*strings_used` on,
 * which it moves. frames_cut is set also when the rest could not be read. Returns 0, or MW_PY_FAULT
 * when the stack could not be read to its end. */
MW_PY_FN int mw_py_walk(const struct mw_py_offsets *o, uint64_t thread, struct mw_k_effect *effect,
                        uint32_t *strings_used);

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
	return owner == 3;
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

/* Writes one character as UTF-8 at `at` of the strings. Returns how many bytes that took; 0: there
 * is no room. What is no character becomes '?'. */
MW_PY_FN uint32_t mw_py_encode(struct mw_k_effect *effect, uint32_t at, uint32_t c)
{
	uint8_t *to;

	if (!effect || at > MW_K_STRINGS - 4)
		return 0;
	to = &effect->strings[at];
	if (c >= 0x110000 || (c >= 0xd800 && c < 0xe000))
		c = '?';
	if (c < 0x80) {
		to[0] = c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = 0xc0 | c >> 6;
		to[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	if (c < 0x10000) {
		to[0] = 0xe0 | c >> 12;
		to[1] = 0x80 | (c >> 6 & 0x3f);
		to[2] = 0x80 | (c & 0x3f);
		return 3;
	}
	to[0] = 0xf0 | c >> 18;
	to[1] = 0x80 | (c >> 12 & 0x3f);
	to[2] = 0x80 | (c >> 6 & 0x3f);
	to[3] = 0x80 | (c & 0x3f);
	return 4;
}

/* Up to MW_PY_WIDE characters of `size` bytes each. Returns the bytes written at `start` of the
 * strings. */
MW_PY_FN uint32_t mw_py_wide(struct mw_k_effect *effect, uint32_t start, uint64_t data,
                             uint32_t count, uint32_t size)
{
	uint32_t at = start;

	for (uint32_t i = 0; i < MW_PY_WIDE && i < count; i++) {
		uint32_t c = 0;

		if (MW_PY_READ(&c, size == 4 ? 4 : size == 2 ? 2 : 1, data + i * size) < 0)
			break;
		at += mw_py_encode(effect, at, c);
	}
	return at - start;
}

/* The characters of a string of ASCII, as many as fit. Returns how many. */
MW_PY_PART uint32_t mw_py_ascii(struct mw_k_effect *effect, struct mw_py_walker *w, uint32_t start,
                                uint64_t data, uint64_t length)
{
	uint32_t n = length > MW_PY_TEXT ? MW_PY_TEXT : length;

	w->cut = length > MW_PY_TEXT;
	MW_PY_KEEP(n);
	n &= MW_PY_TEXT;
	if (n && MW_PY_READ(&effect->strings[start], n, data) < 0) {
		w->cut = 1;
		return 0;
	}
	return n;
}

/* Reads the string object at `object` behind the other strings. Returns where it is, the length in
 * the upper half; `w` says if all of it is there. */
MW_PY_FN uint32_t mw_py_text(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                             struct mw_py_walker *w, uint64_t object)
{
	uint64_t length;
	uint32_t state = 0, kind, start, n;

	if (!o || !effect || !w)
		return 0;
	start = w->used;
	w->cut = 1;
	if (start > MW_K_STRINGS - MW_PY_TEXT || !object ||
	    mw_py_word(object + o->text_length, &length) < 0 ||
	    MW_PY_READ(&state, sizeof(state), object + o->text_state) < 0)
		return 0;
	kind = state >> 2 & 7;   /* bytes a character, after two bits that do not matter here */
	if (!(state & 1 << 5)) { /* not in one piece: no compiler makes such names */
		effect->strings[start] = '?';
		n = 1;
	} else if (state & 1 << 6) {
		n = mw_py_ascii(effect, w, start, object + o->text_ascii, length);
	} else {
		w->cut = length > MW_PY_WIDE;
		n = mw_py_wide(effect, start, object + o->text_wide,
		               length > MW_PY_WIDE ? MW_PY_WIDE : length, kind);
	}
	w->used = start + n;
	return start | n << 16;
}

MW_PY_PART struct mw_k_str mw_py_str(uint32_t text)
{
	return (struct mw_k_str){text & 0xffff, text >> 16};
}

/* Where the frame is in its code, in bytes; negative: before the first instruction. */
MW_PY_PART int mw_py_lasti(const struct mw_py_offsets *o, uint64_t frame, uint64_t code,
                           int32_t *ret)
{
	uint64_t at;

	*ret = 0;
	if (o->version < MW_PY_VERSION(3, 11)) {
		if (MW_PY_READ(ret, sizeof(*ret), frame + o->frame_at) < 0)
			return MW_PY_FAULT;
		if (o->version == MW_PY_VERSION(3, 10)) /* counted in instructions */
			*ret = (int32_t)((uint32_t)*ret * 2);
		return 0;
	}
	if (mw_py_word(frame + o->frame_at, &at) < 0)
		return MW_PY_FAULT;
	*ret = (int32_t)(at - code - o->code_bytes);
	return 0;
}

/* The start of the line table. It is rarely used, so it may well lie on a page that is not there.
 */
MW_PY_PART void mw_py_table(const struct mw_py_offsets *o, struct mw_k_frame *f, uint64_t table)
{
	uint64_t size;
	uint32_t n;

	if (!table || mw_py_word(table + o->bytes_size, &size) < 0)
		return;
	f->table_at = table + o->bytes_data;
	f->table_len = size > (uint32_t)-1 ? (uint32_t)-1 : size;
	n = size > MW_K_TABLE ? MW_K_TABLE : size;
	MW_PY_KEEP(n);
	if (n && n <= MW_K_TABLE && MW_PY_READ(f->table, n, f->table_at) == 0)
		f->table_used = n;
}

MW_PY_PART void mw_py_file(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                           struct mw_py_walker *w, struct mw_k_frame *f, uint64_t object)
{
	if (object && object == w->file_object) {
		f->file = w->file;
		return;
	}
	f->file = mw_py_str(mw_py_text(o, effect, w, object));
	f->cut |= w->cut;
	if (w->cut)
		return;
	w->file_object = object;
	w->file = f->file;
}

/* Describes the walker's frame in the next of `effect`. Returns 0 or MW_PY_FAULT. */
MW_PY_PART int mw_py_frame(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                           struct mw_py_walker *w)
{
	uint64_t name, file, table;
	struct mw_k_frame *f;
	uint32_t i = w->count;

	if (i >= MW_K_FRAMES)
		return MW_PY_FAULT;
	f = &effect->frame[i];
	f->frame = w->frame;
	f->table_at = 0;
	f->table_len = 0;
	f->table_used = 0;
	f->is_static = 0;
	f->cut = 0;
	if (mw_py_word(w->frame + o->frame_code, &f->code) < 0 || !f->code ||
	    mw_py_lasti(o, w->frame, f->code, &f->lasti) < 0 ||
	    mw_py_word(f->code + o->code_name, &name) < 0 ||
	    mw_py_word(f->code + o->code_file, &file) < 0 ||
	    mw_py_word(f->code + o->code_table, &table) < 0 ||
	    MW_PY_READ(&f->first_line, sizeof(f->first_line), f->code + o->code_first_line) < 0)
		return MW_PY_FAULT;
	f->name = mw_py_str(mw_py_text(o, effect, w, name));
	f->cut = w->cut;
	mw_py_file(o, effect, w, f, file);
	mw_py_table(o, f, table);
	return 0;
}

/* One link. Returns 1 when there is a next one, and 0 also when there is no room for it. */
MW_PY_FN int mw_py_step(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                        struct mw_py_walker *w)
{
	int r;

	if (!o || !effect || !w)
		return MW_PY_FAULT;
	r = mw_py_is_shim(o, w->frame);
	if (r < 0)
		return r;
	if (r == 0 && w->count >= MW_K_FRAMES)
		return 0;
	if (r == 0) {
		r = mw_py_frame(o, effect, w);
		if (r < 0)
			return r;
		w->count++;
	}
	if (mw_py_word(w->frame + o->frame_back, &w->frame) < 0)
		return MW_PY_FAULT;
	return w->frame != 0;
}

MW_PY_FN int mw_py_walk(const struct mw_py_offsets *o, uint64_t thread, struct mw_k_effect *effect,
                        uint32_t *strings_used)
{
	struct mw_py_walker w = {0};
	int r;

	if (!o || !effect || !strings_used)
		return MW_PY_FAULT;
	w.used = *strings_used;
	r = mw_py_newest(o, thread, &w.frame);
	if (r == 0 && w.frame)
		r = 1;
	for (int i = 0; i < MW_PY_LINKS && r > 0; i++)
		r = mw_py_step(o, effect, &w);
	effect->frame_count = w.count;
	effect->frames_cut = r < 0 || w.frame;
	*strings_used = w.used;
	return r < 0 ? r : 0;
}

#endif
