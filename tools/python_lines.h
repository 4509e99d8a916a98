/* The line of an instruction, from its code object's line table, which comes from a watched process
 * and may hold anything. */
#ifndef MW_TOOLS_PYTHON_LINES_H
#define MW_TOOLS_PYTHON_LINES_H

#include <stddef.h>
#include <stdint.h>

struct mw_python_table {
	uint32_t version; /* of CPython, PY_VERSION_HEX >> 16 */
	int32_t first_line;
	const uint8_t
	        *bytes; /* the first `len` of `whole`: co_lnotab before 3.10, then co_linetable */
	size_t len, whole;
};

/* The line of the instruction at `lasti`, in bytes from the first; negative: the code has not
 * started, which is its first line. Returns the line, at least 0, -ENODATA when more of the table
 * is needed, or -ENOENT when the instruction belongs to no line. */
int mw_python_line(const struct mw_python_table *table, int32_t lasti);

#endif
