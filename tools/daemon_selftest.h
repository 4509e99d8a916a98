/* A function of our own to try a probe on, before one is put into anybody else's code. It keeps
 * values where a probe that is made badly destroys them: below the stack pointer, and in every
 * register that a function may use. */
#ifndef MW_TOOLS_DAEMON_SELFTEST_H
#define MW_TOOLS_DAEMON_SELFTEST_H

#include <stdint.h>

/* Where in our program's file the instruction lies that is to be probed. Returns 0 or a negative
 * errno. */
int mw_selftest_offset(uint64_t *ret);

/* Runs it many times. Returns 0, or -EFAULT when it noticed something. */
int mw_selftest_run(void);

#endif
