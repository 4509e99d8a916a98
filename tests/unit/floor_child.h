/* A forked child whose system calls of one number wait for this process. */
#ifndef MW_TESTS_FLOOR_CHILD_H
#define MW_TESTS_FLOOR_CHILD_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tools/floor_tracee.h"

#define FLOOR_PATIENCE_MS 20000

/* Has calls of `number` notify. Returns the listener. */
static inline int floor_listen(long number)
{
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
	                    &program);
}

/* Copies a descriptor of another process. */
static inline int floor_fetch(pid_t pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int ours = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	close(pidfd);
	return ours;
}

/* Waits for the next notification of process `pid`, or for its silence: returns false once
 * `other` is readable and no notification is there. */
static inline bool floor_next(int listener, int other, pid_t pid, struct seccomp_notif *ret,
                              struct mw_tracee *tracee)
{
	struct pollfd set[] = {{.fd = listener, .events = POLLIN}, {.fd = other, .events = POLLIN}};

	do {
		if (poll(set, 2, FLOOR_PATIENCE_MS) <= 0)
			return false;
		if (!(set[0].revents & POLLIN))
			return false;
		*ret = (struct seccomp_notif){0};
	} while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, ret) < 0);
	*tracee = (struct mw_tracee){(pid_t)ret->pid, pid, listener, ret->id};
	return true;
}

#endif
