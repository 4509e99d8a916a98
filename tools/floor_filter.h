/* The filter of the floor below libc: which system calls of a job its monitor is asked about
 * (seccomp_unotify(2)), and where it stands. */
#ifndef MW_TOOLS_FLOOR_FILTER_H
#define MW_TOOLS_FLOOR_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

struct mw_floor_options {
	bool io_uring; /* rings are let be, and what is asked for by them is not seen */
};

/* Makes the program from the table in floor_calls.c, for each way into the kernel that this machine
 * has (32-bit and x32 calls too); calls of any other entry fail with ENOSYS. Returns 0, or a
 * negative errno: -EOPNOTSUPP when the kernel has no notification. Free with
 * mw_floor_filter_free(). */
int mw_floor_filter(const struct mw_floor_options *options, struct sock_fprog *ret);
void mw_floor_filter_free(struct sock_fprog *filter);

/* Puts the calling thread, and all that it starts, behind the filter for good. Sets no_new_privs
 * when the kernel demands it, that is without CAP_SYS_ADMIN. Async-signal-safe. Returns the
 * listener, closed on exec, or a negative errno of seccomp(2); mw_floor_why() tells what it means.
 */
int mw_floor_install(const struct sock_fprog *filter);

#endif
