/* The walker of Python stacks in user space, for tests: with memory that a test provides. */
#ifndef MW_TESTS_PYTHON_STACK_H
#define MW_TESTS_PYTHON_STACK_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_memory(void *dst, size_t size, uint64_t address);
#define MW_PY_READ(dst, size, address) read_memory(dst, size, address)
#include "../../ebpf/pystack.h"
#include "../../tools/python_lines.h"

#define TABLE_MAX (1u << 20)

/* Bytes as pairs of hex digits, up to what is none. Returns how many. */
static size_t from_hex(const char *text, uint8_t *to)
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;
	size_t n = 0;

	while (*text && (high = strchr(digits, text[0])) && text[1] &&
	       (low = strchr(digits, text[1]))) {
		to[n++] = (uint8_t)((high - digits) << 4 | (low - digits));
		text += 2;
	}
	return n;
}

/* As the daemon does it: what did not fit is read from the process. */
static int line_of(const struct mw_py_offsets *o, const struct mw_k_frame *frame)
{
	struct mw_python_table table = {o->version, frame->first_line, frame->table,
	                                frame->table_used, frame->table_len};
	int r = mw_python_line(&table, frame->lasti);
	uint8_t *whole;

	if (r != -ENODATA || frame->table_len > TABLE_MAX)
		return r;
	whole = malloc(frame->table_len);
	if (!whole)
		return -ENOMEM;
	table.bytes = whole;
	table.len = frame->table_len;
	if (read_memory(whole, frame->table_len, frame->table_at) == 0)
		r = mw_python_line(&table, frame->lasti);
	free(whole);
	return r;
}

/* A frame as "name\tfile\tline", with a "+" behind it where a name is cut. */
static void describe(const struct mw_py_offsets *o, const struct mw_k_effect *effect, uint32_t i,
                     char *to, size_t size)
{
	const struct mw_k_frame *f = &effect->frame[i];

	snprintf(to, size, "%.*s\t%.*s\t%d%s", f->name.len, effect->strings + f->name.at,
	         f->file.len, effect->strings + f->file.at, line_of(o, f), f->cut ? "+" : "");
}

#endif
