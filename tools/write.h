/* Writing to descriptors that others share: no signal, no endless wait, whole lines. */
#ifndef MW_TOOLS_WRITE_H
#define MW_TOOLS_WRITE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes all of it, also to a pipe that nobody reads any more, without a signal. Returns 0 or a
 * negative errno; `*ret_done` (may be NULL) is how much was written. */
int mw_write_quietly(int fd, const char *data, size_t len, size_t *ret_done);

/* The same, but gives up with -EAGAIN when there is no room and `ms` milliseconds have passed: who
 * should read may be waiting for the job, and the job waits for us. */
int mw_write_patiently(int fd, const char *data, size_t len, int ms);

#define MW_PATIENCE_MS 1000 /* for what is said on stderr */

/* Where lines go. */
struct mw_lines_out {
	int fd;
	bool torn; /* the last line there has no end */
};

/* How long to wait for room. */
struct mw_patience {
	int ms;   /* -1: as long as it takes */
	int stop; /* a descriptor that ends the wait with -ECANCELED when it is readable, or -1 */
};

/* Appends `len` bytes, which end in a newline, with one write when there is room for them. A line
 * that was cut short is ended first, so that this one can be read. Returns 0 or a negative errno:
 * the line is not there then, or is cut short. */
int mw_lines_out_add(struct mw_lines_out *out, const char *line, size_t len,
                     const struct mw_patience *patience);

#endif
