/* Reads the line table of a code object byte by byte, up to the entry of one instruction. Used by
 * the kernel and in user space; needs no memory of the process. */
#ifndef MW_EBPF_PYLINE_H
#define MW_EBPF_PYLINE_H

#include "pyfunction.h"
#include "pyoffsets.h"

/* Small, for a stack that is. */
struct mw_py_line {
	int64_t line;   /* at the start, the code's first line */
	uint32_t lasti; /* not negative */
	uint16_t version;
	uint8_t no_line; /* the entry belongs to none */
	uint8_t second;  /* of a pair; or a number is being read */
	uint64_t value;  /* so far, */
	uint32_t shift;  /* and where it goes on */
	uint32_t end;    /* of what the entries so far cover, in bytes */
};

/* 3.9: pairs of how many bytes and then lines to go on. The last line goes on to the end. */
MW_PY_PART int mw_py_line_39(struct mw_py_line *s, uint32_t byte)
{
	if (s->second)
		s->line += (int8_t)byte;
	else
		s->end += byte;
	s->second = !s->second;
	return s->end > s->lasti;
}

/* 3.10: pairs of how many bytes a line has, and how many lines on it is; -128: it is none. */
MW_PY_PART int mw_py_line_310(struct mw_py_line *s, uint32_t byte)
{
	s->second = !s->second;
	if (s->second) {
		s->value = byte;
		return 0;
	}
	s->no_line = byte == 0x80;
	s->line += s->no_line ? 0 : (int8_t)byte;
	s->end += s->value;
	return s->end > s->lasti;
}

/* 3.11: the first byte of an entry. Kinds 10 to 12 are so many lines on, 13 and 14 say how many in
 * a number, 15 is no line, the others have columns only. */
MW_PY_PART int mw_py_line_entry(struct mw_py_line *s, uint32_t byte)
{
	uint32_t kind = byte >> 3 & 15;

	s->end += ((byte & 7) + 1) * 2;
	s->no_line = kind == 15;
	s->second = kind == 13 || kind == 14;
	s->value = 0;
	s->shift = 0;
	if (kind >= 10 && kind <= 12)
		s->line += kind - 10;
	return !s->second && s->end > s->lasti;
}

/* Six bits of a number, the least first; bit 6 says that there is more. The lowest of all is its
 * sign. One that is longer than any line never ends. */
MW_PY_PART int mw_py_line_number(struct mw_py_line *s, uint32_t byte)
{
	uint32_t shift = s->shift;

	if (!s->second || shift > 30)
		return 0;
	s->value |= (uint64_t)(byte & 0x3f) << shift;
	s->shift = shift + 6;
	if (byte & 0x40)
		return 0;
	s->line += s->value & 1 ? -(int64_t)(s->value >> 1) : (int64_t)(s->value >> 1);
	s->second = 0;
	return s->end > s->lasti;
}

/* Takes the next byte. Returns 1 when `line` is that of the instruction, or `no_line` is set; 0: it
 * takes more. */
MW_PY_FN int mw_py_line_byte(struct mw_py_line *s, uint32_t byte)
{
	if (!s)
		return 0;
	if (s->version < MW_PY_VERSION(3, 10))
		return mw_py_line_39(s, byte);
	if (s->version < MW_PY_VERSION(3, 11))
		return mw_py_line_310(s, byte);
	return byte & 0x80 ? mw_py_line_entry(s, byte) : mw_py_line_number(s, byte);
}

#endif
