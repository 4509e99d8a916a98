#include "python_lines.h"

#include <errno.h>

#include "../ebpf/pyline.h"

/* A line that no table can reach without overflow on the way: a table has less than 2^32 entries,
 * each of which moves it by less than 2^32. */
static int as_line(int64_t line)
{
	return line >= 0 && line <= INT32_MAX ? (int)line : -ENOENT;
}

int mw_python_line(const struct mw_python_table *table, int32_t lasti)
{
	struct mw_py_line state = {.line = table->first_line, .version = (uint16_t)table->version};

	if (lasti < 0)
		return as_line(table->first_line);
	state.lasti = (uint32_t)lasti;
	for (size_t i = 0; i < table->len; i++)
		if (mw_py_line_byte(&state, table->bytes[i]))
			return state.no_line ? -ENOENT : as_line(state.line);
	if (table->len < table->whole)
		return -ENODATA;
	return table->version < MW_PY_VERSION(3, 10) ? as_line(state.line) : -ENOENT;
}
