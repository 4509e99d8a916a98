/* Runs a short command and keeps what it prints. */
#ifndef MW_TOOLS_CAPTURE_H
#define MW_TOOLS_CAPTURE_H

#include <stddef.h>

/* Runs argv[0] (a path, or a name looked up on PATH) with no input and in a session of its own,
 * with `variable` ("NAME=value", or NULL) added to the environment. What it writes to stdout and
 * stderr goes to `out`, cut off at `size` - 1 bytes and ended by a NUL. After `timeout_ms` the
 * command and its process group are killed. Returns the exit status, 128+n when signal n ended it,
 * -ETIMEDOUT, or another negative errno when it could not be started; `out` holds a string then,
 * too. */
int mw_capture(char *const argv[], const char *variable, int timeout_ms, char *out, size_t size);

#endif
