/* The lines of a file that somebody else wrote. */
#ifndef MW_TOOLS_LINES_H
#define MW_TOOLS_LINES_H

#include <stddef.h>

/* An alert whose every name is as long as an alert takes it, all of them control characters that
 * JSON writes with six bytes, is still shorter. */
#define MW_LINE_MAX ((size_t)8 << 20)

/* `line` has no newline and no NUL behind it, is the callee's to read while it runs, and NULL for
 * one that is longer than MW_LINE_MAX. What is not 0 ends the reading and is returned. */
typedef int mw_line_reader(void *context, const char *line, size_t len);

/* Calls `reader` for each line of the file at `path`, - for standard input, the last one also when
 * no newline ends it. Returns 0, what the reader returned, or a negative errno. */
int mw_lines(const char *path, mw_line_reader *reader, void *context);

#endif
