#include "floor_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>

#include "../core/floor.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define X32_BIT 0x40000000
#define IPC_SHMAT 21

#define ROW(call, ...)                                                                             \
	{                                                                                          \
		.name = #call, .number = SCMP_SYS(call), __VA_ARGS__                               \
	}
#define ALWAYS(call, what) ROW(call, .effect = (what))
#define BITS(call, what, n, bits)                                                                  \
	ROW(call, .effect = (what), .when = MW_FLOOR_ANY_BIT, .arg = (n), .value = (bits))
#define EQUAL(call, what, n, is)                                                                   \
	ROW(call, .effect = (what), .when = MW_FLOOR_EQUAL, .arg = (n), .value = (is))
#define UNEQUAL(call, what, n, is)                                                                 \
	ROW(call, .effect = (what), .when = MW_FLOOR_UNEQUAL, .arg = (n), .value = (is))

/* An open for reading is none of the floor's business; O_TMPFILE goes with one of these. */
#define CHANGING (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

/* What is not here on purpose: write(2), sendfile(2), splice(2) and the like on what is open
 * already (the load had to open it, or it was given), reading, memfd_create (the exec of one
 * counts). */
const struct mw_floor_call mw_floor_calls[] = {
        ALWAYS(execve, MW_EXEC),
        ALWAYS(execveat, MW_EXEC),

        ALWAYS(clone, MW_FLOOR_BIRTH),
        ALWAYS(fork, MW_FLOOR_BIRTH),
        ALWAYS(vfork, MW_FLOOR_BIRTH),

        /* What these ask for lies in memory, out of the filter's sight. libc has another way. */
        ALWAYS(clone3, MW_FLOOR_ABSENT),
        ALWAYS(openat2, MW_FLOOR_ABSENT),
        /* What is asked for by a ring makes no system call at all. */
        ALWAYS(io_uring_setup, MW_FLOOR_URING),
        ALWAYS(io_uring_enter, MW_FLOOR_URING),
        ALWAYS(io_uring_register, MW_FLOOR_URING),

        ALWAYS(connect, MW_CONNECT),
        ALWAYS(bind, MW_LISTEN),
        ALWAYS(listen, MW_LISTEN),
        ALWAYS(sendto, MW_SEND),
        ALWAYS(sendmsg, MW_SEND),
        ALWAYS(sendmmsg, MW_SEND),
        ALWAYS(send, MW_SEND), /* 32-bit programs: a number of socketcall(2) */

        BITS(open, MW_WRITE, 1, CHANGING),
        BITS(openat, MW_WRITE, 2, CHANGING),
        BITS(open_by_handle_at, MW_WRITE, 2, CHANGING),
        ALWAYS(creat, MW_WRITE),
        ALWAYS(mkdir, MW_WRITE),
        ALWAYS(mkdirat, MW_WRITE),
        ALWAYS(mknod, MW_WRITE),
        ALWAYS(mknodat, MW_WRITE),
        ALWAYS(unlink, MW_WRITE),
        ALWAYS(unlinkat, MW_WRITE),
        ALWAYS(rmdir, MW_WRITE),
        ALWAYS(rename, MW_WRITE),
        ALWAYS(renameat, MW_WRITE),
        ALWAYS(renameat2, MW_WRITE),
        ALWAYS(link, MW_WRITE),
        ALWAYS(linkat, MW_WRITE),
        ALWAYS(symlink, MW_WRITE),
        ALWAYS(symlinkat, MW_WRITE),
        ALWAYS(chmod, MW_WRITE),
        ALWAYS(fchmod, MW_WRITE),
        ALWAYS(fchmodat, MW_WRITE),
        ALWAYS(chown, MW_WRITE),
        ALWAYS(lchown, MW_WRITE),
        ALWAYS(fchown, MW_WRITE),
        ALWAYS(fchownat, MW_WRITE),
        ALWAYS(chown32, MW_WRITE),
        ALWAYS(lchown32, MW_WRITE),
        ALWAYS(fchown32, MW_WRITE),
        ALWAYS(truncate, MW_WRITE),
        ALWAYS(truncate64, MW_WRITE),
        ALWAYS(ftruncate, MW_WRITE),
        ALWAYS(ftruncate64, MW_WRITE),
        ALWAYS(setxattr, MW_WRITE),
        ALWAYS(lsetxattr, MW_WRITE),
        ALWAYS(fsetxattr, MW_WRITE),
        ALWAYS(removexattr, MW_WRITE),
        ALWAYS(lremovexattr, MW_WRITE),
        ALWAYS(fremovexattr, MW_WRITE),

        BITS(mq_open, MW_WRITE, 1, CHANGING), /* others read what is put into a queue */
        ALWAYS(mq_unlink, MW_WRITE),

        /* A 32-bit program's mmap(2) has its arguments in memory, its ipc(2) has a version above
         * the number. personality(READ_IMPLIES_EXEC) makes executable what is mapped for reading;
         * the value that only asks, 0xffffffff, has the bit too. */
        BITS(mmap, MW_MAP, 2, PROT_EXEC),
        ROW(mmap, .effect = MW_MAP, .only = MW_FLOOR_NARROW),
        BITS(mmap2, MW_MAP, 2, PROT_EXEC),
        BITS(mprotect, MW_MAP, 2, PROT_EXEC),
        BITS(pkey_mprotect, MW_MAP, 2, PROT_EXEC),
        ROW(shmat, .effect = MW_MAP, .only = MW_FLOOR_WIDE, .when = MW_FLOOR_ANY_BIT, .arg = 2,
            .value = SHM_EXEC),
        ROW(shmat, .effect = MW_MAP, .only = MW_FLOOR_NARROW),
        ROW(ipc, .effect = MW_MAP, .only = MW_FLOOR_NARROW, .when = MW_FLOOR_LOW_16,
            .value = IPC_SHMAT),
        BITS(personality, MW_MAP, 0, READ_IMPLIES_EXEC),

        /* Other processes, and this one's own watchers. */
        ALWAYS(ptrace, MW_TAMPER),
        ALWAYS(process_vm_writev, MW_TAMPER),
        ALWAYS(pidfd_getfd, MW_TAMPER),
        ALWAYS(kill, MW_TAMPER),
        ALWAYS(tkill, MW_TAMPER),
        ALWAYS(tgkill, MW_TAMPER),
        ALWAYS(rt_sigqueueinfo, MW_TAMPER),
        ALWAYS(rt_tgsigqueueinfo, MW_TAMPER),
        ALWAYS(pidfd_send_signal, MW_TAMPER),
        EQUAL(prctl, MW_TAMPER, 0, PR_SET_DUMPABLE),
        EQUAL(prctl, MW_TAMPER, 0, PR_SET_SECCOMP),
        EQUAL(prctl, MW_TAMPER, 0, PR_SET_MM),
        EQUAL(prctl, MW_TAMPER, 0, PR_SET_PTRACER),
        EQUAL(prctl, MW_TAMPER, 0, PR_SET_NO_NEW_PRIVS),
        EQUAL(prctl, MW_TAMPER, 0, PR_SET_CHILD_SUBREAPER),
        EQUAL(prctl, MW_TAMPER, 0, PR_SET_SYSCALL_USER_DISPATCH),
        EQUAL(prctl, MW_FLOOR_TALK, 0, MW_FLOOR_CALL),
        ALWAYS(seccomp, MW_TAMPER),
        ALWAYS(landlock_restrict_self, MW_TAMPER),
        EQUAL(ioctl, MW_TAMPER, 1, TIOCSTI), /* types on the terminal, for the shell behind us */
        /* A descriptor that becomes ready sends any signal to anybody. */
        EQUAL(fcntl, MW_TAMPER, 1, F_SETOWN),
        EQUAL(fcntl, MW_TAMPER, 1, F_SETOWN_EX),
        EQUAL(fcntl, MW_TAMPER, 1, F_SETSIG),
        EQUAL(fcntl64, MW_TAMPER, 1, F_SETOWN),
        EQUAL(fcntl64, MW_TAMPER, 1, F_SETOWN_EX),
        EQUAL(fcntl64, MW_TAMPER, 1, F_SETSIG),
        EQUAL(ioctl, MW_TAMPER, 1, FIOSETOWN),
        EQUAL(ioctl, MW_TAMPER, 1, SIOCSPGRP),
        EQUAL(ioctl, MW_TAMPER, 1,
              FS_IOC_SETFLAGS), /* chattr(1), of what is open for reading, too */
        EQUAL(ioctl, MW_TAMPER, 1, FS_IOC32_SETFLAGS),
        EQUAL(ioctl, MW_TAMPER, 1, FS_IOC_FSSETXATTR),
        /* A limit that is inherited serves as a mark. Asking for it is notified as well. */
        EQUAL(setrlimit, MW_TAMPER, 0, RLIMIT_MSGQUEUE),
        EQUAL(prlimit64, MW_TAMPER, 1, RLIMIT_MSGQUEUE),
        UNEQUAL(prlimit64, MW_TAMPER, 0, 0), /* those of the monitor could end it */

        /* Another view of the system. */
        ALWAYS(unshare, MW_TAMPER),
        ALWAYS(setns, MW_TAMPER),
        ALWAYS(chroot, MW_TAMPER),
        ALWAYS(pivot_root, MW_TAMPER),
        ALWAYS(mount, MW_TAMPER),
        ALWAYS(umount, MW_TAMPER),
        ALWAYS(umount2, MW_TAMPER),
        ALWAYS(move_mount, MW_TAMPER),
        ALWAYS(open_tree, MW_TAMPER),
        ALWAYS(fsopen, MW_TAMPER),
        ALWAYS(fspick, MW_TAMPER),
        ALWAYS(fsconfig, MW_TAMPER),
        ALWAYS(fsmount, MW_TAMPER),
        ALWAYS(mount_setattr, MW_TAMPER),

        /* The kernel itself. */
        ALWAYS(bpf, MW_TAMPER),
        ALWAYS(keyctl, MW_TAMPER),
        ALWAYS(add_key, MW_TAMPER),
        ALWAYS(request_key, MW_TAMPER),
        ALWAYS(userfaultfd, MW_TAMPER),
        ALWAYS(perf_event_open, MW_TAMPER),
        ALWAYS(fanotify_init, MW_TAMPER),
        ALWAYS(kexec_load, MW_TAMPER),
        ALWAYS(kexec_file_load, MW_TAMPER),
        ALWAYS(init_module, MW_TAMPER),
        ALWAYS(finit_module, MW_TAMPER),
        ALWAYS(delete_module, MW_TAMPER),
        ALWAYS(reboot, MW_TAMPER),
        ALWAYS(sethostname, MW_TAMPER),
        ALWAYS(setdomainname, MW_TAMPER),
        ALWAYS(settimeofday, MW_TAMPER),
        ALWAYS(clock_settime, MW_TAMPER),
        ALWAYS(clock_settime64, MW_TAMPER),
        ALWAYS(swapon, MW_TAMPER),
        ALWAYS(swapoff, MW_TAMPER),
        ALWAYS(acct, MW_TAMPER),
        ALWAYS(iopl, MW_TAMPER),
        ALWAYS(ioperm, MW_TAMPER),
};
const size_t mw_floor_call_count = sizeof(mw_floor_calls) / sizeof(*mw_floor_calls);

#define NEW(call, nr, what)                                                                        \
	{                                                                                          \
		.name = #call, .number = (nr), .effect = (what)                                    \
	}

const struct mw_floor_call mw_floor_new_calls[] = {
        NEW(fchmodat2, 452, MW_WRITE),     NEW(setxattrat, 463, MW_WRITE),
        NEW(removexattrat, 466, MW_WRITE), NEW(open_tree_attr, 467, MW_TAMPER),
        NEW(file_setattr, 469, MW_WRITE),
};
const size_t mw_floor_new_call_count = sizeof(mw_floor_new_calls) / sizeof(*mw_floor_new_calls);
static const struct mw_floor_call *find(const struct mw_floor_call *rows, size_t count, int number)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].number == number)
			return &rows[i];
	return NULL;
}

/* The number that this program would use for the call of another entry, or `nr`. */
static int translate(uint32_t arch, int nr)
{
	char *name = seccomp_syscall_resolve_num_arch(arch, nr);
	int number = name ? seccomp_syscall_resolve_name(name) : nr;

	free(name);
	return number;
}

/* Of 32-bit programs: one number for all calls of sockets. Which one is meant the filter knows. */
static const struct mw_floor_call socketcall = {
        .name = "socketcall", .number = SCMP_SYS(socketcall), .effect = MW_CONNECT};

const struct mw_floor_call *mw_floor_call(uint32_t arch, int nr)
{
	const struct mw_floor_call *found =
	        find(mw_floor_new_calls, mw_floor_new_call_count, nr & ~X32_BIT);

	if (found)
		return found;
	if (arch == NATIVE && nr & X32_BIT)
		arch = SCMP_ARCH_X32;
	if (arch != NATIVE)
		nr = translate(arch, nr);
	if (nr == socketcall.number)
		return &socketcall;
	return find(mw_floor_calls, mw_floor_call_count, nr);
}

static bool says(const struct mw_floor_call *row, bool narrow, const uint64_t args[6])
{
	uint32_t low = (uint32_t)args[row->arg];

	if (row->only == (narrow ? MW_FLOOR_WIDE : MW_FLOOR_NARROW))
		return false;
	switch ((enum mw_floor_when)row->when) {
	case MW_FLOOR_ALWAYS:
		return true;
	case MW_FLOOR_ANY_BIT:
		return low & row->value;
	case MW_FLOOR_EQUAL:
		return low == row->value;
	case MW_FLOOR_LOW_16:
		return (low & 0xffff) == row->value;
	case MW_FLOOR_UNEQUAL:
		return args[row->arg] != row->value;
	}
	return false;
}

const struct mw_floor_call *mw_floor_call_with(uint32_t arch, int nr, const uint64_t args[6])
{
	const struct mw_floor_call *first = mw_floor_call(arch, nr);
	bool narrow = arch != NATIVE && !(nr & X32_BIT);

	if (!first || first < mw_floor_calls || first >= mw_floor_calls + mw_floor_call_count)
		return first;
	for (const struct mw_floor_call *row = first; row < mw_floor_calls + mw_floor_call_count;
	     row++)
		if (row->number == first->number && says(row, narrow, args))
			return row;
	return NULL;
}
