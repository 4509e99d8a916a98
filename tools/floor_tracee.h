/* A task that waits in a seccomp notification: looks at it, and answers.
 *
 * What is read of it is the task's to choose and may change at any time; numbers of tasks are used
 * again. So what a look has shown counts only once mw_tracee_valid() said afterwards that the task
 * still waits. See seccomp_unotify(2). */
#ifndef MW_TOOLS_FLOOR_TRACEE_H
#define MW_TOOLS_FLOOR_TRACEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A task that waits in a seccomp notification. */
struct mw_tracee {
	pid_t tid, pid; /* the thread and its process, in our PID namespace */
	int listener;   /* the listener's descriptor; borrowed */
	uint64_t id;    /* of the notification */
};

/* What of a task decides what a call on its behalf does. */
struct mw_tracee_facts {
	pid_t pid; /* its process */
	mode_t umask;
	uid_t euid, fsuid; /* effective, and what files are opened with */
	gid_t egid, fsgid;
	unsigned fd_size; /* descriptors that its table has room for before it grows */
	/* Its users, groups, effective capabilities, user namespace and security label are the
	 * caller's: the kernel lets it do with files what it lets us do. A Landlock domain does not
	 * show: a task that entered one has to be remembered by whoever saw it do so. */
	bool alike;
	/* Only its capabilities and user namespace differ, and we have none: the kernel lets it do
	 * with files what it lets us do, and perhaps more. */
	bool stronger;
	bool elsewhere; /* it has another mount namespace than we have */
};

/* Whether the task still waits for the answer to this notification. */
bool mw_tracee_valid(const struct mw_tracee *tracee);

/* The process that thread `tid` is of, or a negative errno. */
pid_t mw_tracee_process(pid_t tid);

/* Reads /proc/TID/status and what belongs to it. Returns 0, -ENOENT when there is no such task, or
 * another negative errno. */
int mw_tracee_facts(const struct mw_tracee *tracee, struct mw_tracee_facts *ret);

/* Copies `len` bytes at `address` of the task's memory. Returns 0, -EFAULT when they are not all
 * there, -EPERM when we may not look, or another negative errno. A page that a user-space file
 * system or userfaultfd(2) serves makes the caller wait for it. */
int mw_tracee_read(const struct mw_tracee *tracee, uint64_t address, void *ret, size_t len);

/* The same for as much of it as is there from `address` on, page by page. Returns how many bytes
 * that is; the rest of `ret` is left as it was. */
size_t mw_tracee_read_some(const struct mw_tracee *tracee, uint64_t address, void *ret, size_t len);

/* Copies the string at `address`, each byte once. Returns 0, -ENAMETOOLONG when no NUL is among the
 * first `cap` bytes, or as mw_tracee_read(). `ret` is a string in any case; `cap` is at least 1. */
int mw_tracee_string(const struct mw_tracee *tracee, uint64_t address, char *ret, size_t cap);

/* Opens /proc/TID/NAME with `flags` (open(2)), closed on exec. Returns the descriptor, owned by the
 * caller, or a negative errno. */
int mw_tracee_open(const struct mw_tracee *tracee, const char *name, int flags);

/* Takes a descriptor of the task's own, as pidfd_getfd(2). Returns ours, owned by the caller;
 * -EBADF when the task has none of that number; or another negative errno when it cannot be had. */
int mw_tracee_take_fd(const struct mw_tracee *tracee, int fd);

/* Whether the task may open one more descriptor under its RLIMIT_NOFILE. */
bool mw_tracee_has_room(const struct mw_tracee *tracee, const struct mw_tracee_facts *facts);

/* The answers: the kernel goes on with the call; the call fails with `error` (positive); it returns
 * `value`. Each returns 0 or a negative errno: -ENOENT when the task no longer waits. */
int mw_tracee_continue(const struct mw_tracee *tracee);
int mw_tracee_fail(const struct mw_tracee *tracee, int error);
int mw_tracee_return(const struct mw_tracee *tracee, int64_t value);

/* The call returns a new descriptor of the file that `fd` refers to, the lowest that is free. `fd`
 * stays the caller's. Returns 0; -EMFILE and the like when the task can have none, without an
 * answer; or as the other answers. Needs Linux 5.9. */
int mw_tracee_give_fd(const struct mw_tracee *tracee, int fd, bool cloexec);

#endif
