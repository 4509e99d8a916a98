/* Strings of an interpreter, as UTF-8. See pystack.h. */
#ifndef MW_EBPF_PYTEXT_H
#define MW_EBPF_PYTEXT_H

#include "event.h"
#include "pythread.h"

#define MW_PY_TEXT 511 /* bytes of a name; a power of two less one */
#define MW_PY_WIDE 64  /* characters of one that is not ASCII */

/* How far a walk has come. */
struct mw_py_walker {
	uint64_t frame;
	uint64_t file_object; /* the last file name that was read */
	struct mw_k_str file; /* and where it is: one file's frames share it */
	uint32_t used;        /* bytes of the strings */
	uint32_t count;       /* frames */
	uint32_t cut;         /* the last string */
	uint32_t tables;      /* bytes of line tables that were looked through */
};

/* Writes one character as UTF-8 at `at` of the strings. Returns how many bytes that took; 0: there
 * is no room. What is no character becomes '?'. */
MW_PY_FN uint32_t mw_py_encode(struct mw_k_effect *effect, uint64_t at, uint32_t c)
{
	uint8_t *to;

	MW_PY_KEEP(at);
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
 * strings, 0 when not all of them can be read. */
MW_PY_FN uint32_t mw_py_wide(struct mw_k_effect *effect, uint32_t start, uint64_t data,
                             uint32_t count, uint32_t size)
{
	uint32_t at = start;

	size = size == 4 ? 4 : size == 2 ? 2 : 1;
	for (uint32_t i = 0; i < MW_PY_WIDE && i < count; i++) {
		uint32_t c = 0;

		if (MW_PY_READ(&c, size, data + i * size) < 0)
			return 0;
		at += mw_py_encode(effect, at, c);
	}
	return at - start;
}

/* The characters of a string of ASCII, as many as fit. Returns how many. */
MW_PY_PART uint32_t mw_py_ascii(struct mw_k_effect *effect, struct mw_py_walker *w, uint64_t start,
                                uint64_t data, uint64_t length)
{
	uint64_t n = length > MW_PY_TEXT ? MW_PY_TEXT : length;

	w->cut = length > MW_PY_TEXT;
	MW_PY_KEEP(n);
	n &= MW_PY_TEXT;
	if (n && MW_PY_READ(&effect->strings[start], n, data) < 0) {
		w->cut = 1;
		return 0;
	}
	return (uint32_t)n;
}

/* Reads the string object at `object` behind the other strings. Returns where it is, the length in
 * the upper half; `w` says if all of it is there. */
MW_PY_FN uint32_t mw_py_text(const struct mw_py_offsets *o, struct mw_k_effect *effect,
                             struct mw_py_walker *w, uint64_t object)
{
	struct {
		uint64_t length, hash;
		uint32_t state, pad;
	} head = {0};
	uint32_t kind, n;
	uint64_t start;

	if (!o || !effect || !w)
		return 0;
	start = w->used;
	MW_PY_KEEP(start);
	w->cut = 1;
	if (start > MW_K_STRINGS - MW_PY_TEXT || !object ||
	    MW_PY_READ(&head, 20, object + o->text_length) < 0)
		return 0;
	kind = head.state >> 2 & 7; /* bytes a character, after two bits that do not matter here */
	if (!(head.state & 1 << 5)) { /* not in one piece: no compiler makes such names */
		effect->strings[start] = '?';
		n = 1;
	} else if (head.state & 1 << 6) {
		n = mw_py_ascii(effect, w, start, object + o->text_ascii, head.length);
	} else {
		n = mw_py_wide(effect, start, object + o->text_wide,
		               head.length > MW_PY_WIDE ? MW_PY_WIDE : head.length, kind);
		w->cut = head.length > MW_PY_WIDE || (head.length && !n);
	}
	w->used = (uint32_t)start + n;
	return (uint32_t)start | n << 16;
}

#endif
