/* Walks the Python stack of a thread from outside: by reading the memory of its interpreter, which
 * may hold anything. Every loop ends after a fixed number of steps, whatever is read, and what
 * cannot be read is left out and said to be.
 *
 * Compiled for the kernel and for user space. Whoever includes it defines before
 *   MW_PY_READ(dst, size, address)   reads exactly `size` bytes of the process; 0 or negative
 * In the kernel the functions are global ones: the verifier looks at each once, not at each call,
 * and knows their pointers by the size of what they point at. mw_py_walk() takes 320 bytes of stack
 * with all that it calls, and 5 of the 8 calls that may be under way. */
#ifndef MW_EBPF_PYSTACK_H
#define MW_EBPF_PYSTACK_H

#include "event.h"
#include "pyline.h"
#include "pyoffsets.h"
#include "pytext.h"
#include "pythread.h"

#define MW_PY_TABLE 1024              /* bytes of a line table that are looked through, */
#define MW_PY_TABLES 8192             /* of all in a walk, */
#define MW_PY_WINDOW 64               /* and so many at a time */
#define MW_PY_LINKS (2 * MW_K_FRAMES) /* that are followed, frames of C functions with them */

/* Fills frame[], frame_count and frames_cut of `effect`, and its strings from `*strings_used` on,
 * which it moves. frames_cut is set also when the rest could not be read. Returns 0, or MW_PY_FAULT
 * when the stack could not be read to its end. */
MW_PY_FN int mw_py_walk(const struct mw_py_offsets *o, uint64_t thread, struct mw_k_effect *effect,
                        uint32_t *strings_used);

MW_PY_PART struct mw_k_str mw_py_str(uint32_t text)
{
	return (struct mw_k_str){text & 0xffff, text >> 16};
}

/* A number of a part of an object that lies in `part`, which starts at offset `start`. */
MW_PY_PART uint64_t mw_py_pick(const uint8_t *part, uint32_t start, uint32_t offset)
{
	uint64_t at = (uint64_t)offset - start, word;

	MW_PY_KEEP(at);
	if (at > MW_PY_SPAN_MAX - 8)
		return 0;
	__builtin_memcpy(&word, __builtin_assume_aligned(part + (at & ~7ul), 8), 8);
	return word >> (at & 7) * 8;
}

MW_PY_PART int mw_py_part(uint8_t *part, uint64_t object, uint32_t start, uint64_t span)
{
	MW_PY_KEEP(span);
	if (span > MW_PY_SPAN_MAX)
		return MW_PY_FAULT;
	return MW_PY_READ(part, span, object + start) < 0 ? MW_PY_FAULT : 0;
}

/* Where a frame is in its code, in bytes; negative: before the first instruction. `at` is what it
 * says itself. */
MW_PY_PART int32_t mw_py_lasti(const struct mw_py_offsets *o, uint64_t at, uint64_t code)
{
	if (o->version < MW_PY_VERSION(3, 10))
		return (int32_t)at;
	if (o->version < MW_PY_VERSION(3, 11)) /* counted in instructions */
		return (int32_t)((uint32_t)at * 2);
	return (int32_t)(at - code - o->code_bytes);
}

/* Looks through `n` bytes at `address`, which the walker's frame's `table` holds meanwhile. Returns
 * 1 when the line is found, 0 when not yet, or MW_PY_FAULT. */
MW_PY_FN int mw_py_window(struct mw_k_effect *effect, struct mw_py_walker *w, struct mw_py_line *s,
                          uint64_t address, uint64_t n)
{
	struct mw_k_frame *f;
	uint64_t at;

	if (!effect || !w || !s)
		return MW_PY_FAULT;
	at = w->count;
	MW_PY_KEEP(at);
	MW_PY_KEEP(n);
	if (at >= MW_K_FRAMES || !n)
		return MW_PY_FAULT;
	MW_PY_KEEP(n); /* else both ends become one comparison, of something else */
	if (n > MW_PY_WINDOW)
		return MW_PY_FAULT;
	f = &effect->frame[at];
	if (MW_PY_READ(f->table, n, address) < 0)
		return MW_PY_FAULT;
	for (uint64_t i = 0; i < MW_PY_WINDOW && i < n; i++)
		if (mw_py_line_byte(s, f->table[i]))
			return 1;
	return 0;
}

/* Looks for the line of the walker's frame `f`. Returns 1 when it found it: it is the frame's
 * first_line then, and lasti is -1. */
MW_PY_PART int mw_py_find_line(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                               struct mw_py_walker *w, struct mw_k_frame *f, uint64_t size)
{
	struct mw_py_line s = {.line = f->first_line,
	                       .lasti = (uint32_t)f->lasti,
	                       .version = (uint16_t)o->version};
	int r = 0;

	for (uint64_t i = 0; i < MW_PY_TABLE && i < size && w->tables < MW_PY_TABLES && r == 0;
	     i += MW_PY_WINDOW) {
		uint64_t left = size - i;

		w->tables += MW_PY_WINDOW;
		r = mw_py_window(effect, w, &s, f->table_at + i,
		                 left > MW_PY_WINDOW ? MW_PY_WINDOW : left);
	}
	if (r <= 0 || s.no_line || s.line < 0 || s.line > 0x7fffffff)
		return 0;
	f->first_line = (int32_t)s.line;
	f->lasti = -1;
	return 1;
}

/* The start of the line table. It is rarely used, so it may well lie on a page that is not there.
 * Where the start says too little, the line is looked for here and now: the process may be gone
 * when the rest is asked for. */
MW_PY_PART void mw_py_table(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                            struct mw_py_walker *w, struct mw_k_frame *f, uint64_t table)
{
	uint64_t size, n;

	if (!table || mw_py_word(table + o->bytes_size, &size) < 0)
		return;
	f->table_at = table + o->bytes_data;
	if (size > MW_K_TABLE && f->lasti >= 0 && mw_py_find_line(o, effect, w, f, size))
		return;
	f->table_len = size > (uint32_t)-1 ? (uint32_t)-1 : size;
	n = size > MW_K_TABLE ? MW_K_TABLE : size;
	MW_PY_KEEP(n);
	if (n && n <= MW_K_TABLE && MW_PY_READ(f->table, n, f->table_at) == 0)
		f->table_used = (uint16_t)n;
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

/* Describes the code of a frame. Returns 0 or MW_PY_FAULT. */
MW_PY_PART int mw_py_code(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                          struct mw_py_walker *w, struct mw_k_frame *f)
{
	uint64_t name, file, table;

	if (!f->code || mw_py_part(f->table, f->code, o->code_start, o->code_span) < 0)
		return MW_PY_FAULT;
	f->first_line = (int32_t)mw_py_pick(f->table, o->code_start, o->code_first_line);
	name = mw_py_pick(f->table, o->code_start, o->code_name);
	file = mw_py_pick(f->table, o->code_start, o->code_file);
	table = mw_py_pick(f->table, o->code_start, o->code_table);
	f->name = mw_py_str(mw_py_text(o, effect, w, name));
	f->cut = w->cut;
	mw_py_file(o, effect, w, f, file);
	mw_py_table(o, effect, w, f, table);
	return 0;
}

/* Is there more than fits? Frames of C functions are none. */
MW_PY_PART int mw_py_beyond(const struct mw_py_offsets *o, struct mw_py_walker *w)
{
	int r = mw_py_is_shim(o, w->frame);

	if (r <= 0)
		return r;
	if (mw_py_word(w->frame + o->frame_back, &w->frame) < 0)
		return MW_PY_FAULT;
	return w->frame != 0;
}

/* One link. Returns 1 when there is a next one, and 0 also when there is no room for it. What is
 * read of the frame and its code goes to where its line table will be: the stack is too small. */
MW_PY_FN int mw_py_step(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                        struct mw_py_walker *w)
{
	struct mw_k_frame *f;
	uint64_t back, i;

	if (!o || !effect || !w)
		return MW_PY_FAULT;
	i = w->count;
	MW_PY_KEEP(i);
	if (i >= MW_K_FRAMES)
		return mw_py_beyond(o, w);
	f = &effect->frame[i];
	f->frame = w->frame;
	f->table_at = 0;
	f->table_len = 0;
	f->table_used = 0;
	f->is_static = 0;
	f->cut = 0;
	if (mw_py_part(f->table, w->frame, o->frame_start, o->frame_span) < 0)
		return MW_PY_FAULT;
	back = mw_py_pick(f->table, o->frame_start, o->frame_back);
	if (o->version < MW_PY_VERSION(3, 12) ||
	    (mw_py_pick(f->table, o->frame_start, o->frame_owner) & 0xff) != MW_PY_SHIM) {
		f->code = mw_py_pick(f->table, o->frame_start, o->frame_code);
		f->lasti =
		        mw_py_lasti(o, mw_py_pick(f->table, o->frame_start, o->frame_at), f->code);
		if (mw_py_code(o, effect, w, f) < 0)
			return MW_PY_FAULT;
		w->count = (uint32_t)i + 1;
	}
	w->frame = back;
	return back != 0;
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
