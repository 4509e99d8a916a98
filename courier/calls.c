#include "calls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ALL (MW_CALLER_READS | MW_CALLER_SENDS | MW_CALLER_WATCHES)
#define WRITES (MW_CALLER_SENDS | MW_CALLER_WATCHES)
#define WATCHES MW_CALLER_WATCHES

/* Names, each ended by a space. Those that this kernel's architecture or libseccomp does not have
 * are passed over. */
static const struct group {
	unsigned int callers;
	const char *names;
} groups[] = {
        /* memory, threads, time, and who one is */
        {ALL, "brk mmap mprotect munmap mremap madvise mincore mlock munlock membarrier arch_prctl "
              "set_tid_address set_robust_list get_robust_list rseq futex futex_waitv sched_yield "
              "sched_getaffinity getcpu exit exit_group restart_syscall getrandom sysinfo uname "
              "clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times "
              "getrusage getpid gettid getppid getpgid getpgrp getsid getuid geteuid getgid "
              "getegid getresuid getresgid getgroups capget getpriority setpriority prlimit64 "
              "getrlimit setrlimit "},
        {ALL, "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait "
              "rt_sigsuspend sigaltstack signalfd signalfd4 tgkill pause "},
        /* descriptors, and waiting for them */
        {ALL, "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek "
              "close close_range dup dup2 dup3 fcntl ioctl poll ppoll select pselect6 "
              "epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd "
              "eventfd2 timerfd_create timerfd_settime timerfd_gettime pipe pipe2 memfd_create "
              "ftruncate inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "},
        /* files as they are */
        {ALL, "open openat openat2 access faccessat faccessat2 stat lstat fstat newfstatat statx "
              "statfs fstatfs readlink readlinkat getdents getdents64 getcwd chdir fchdir "
              "getxattr lgetxattr fgetxattr fadvise64 readahead umask flock "},
        /* files that are made and changed */
        {WRITES,
         "creat mkdir mkdirat mknod mknodat rmdir unlink unlinkat rename renameat "
         "renameat2 link linkat symlink symlinkat chmod fchmod fchmodat chown fchown "
         "fchownat lchown utimensat truncate fallocate fsync fdatasync msync sync_file_range "
         "copy_file_range sendfile "},
        /* An answer to who asks; users' names may be somebody else's to know. */
        {ALL, "connect sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg getsockname getpeername "
              "getsockopt setsockopt shutdown socketpair "},
        {WRITES, "socket bind listen accept accept4 "},
        /* A helper gives up more when it starts. */
        {ALL, "prctl capset seccomp ioprio_set setsid "},
        /* probes, processes, and helpers */
        {WATCHES, "bpf perf_event_open process_vm_readv open_by_handle_at name_to_handle_at kill "
                  "pidfd_open pidfd_send_signal clone clone3 fork vfork execve wait4 waitid "},
};

static int allow(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

static int allow_group(scmp_filter_ctx filter, const char *names)
{
	char name[32];
	int error = 0;

	for (size_t len = 0; !error && *names; names++) {
		if (*names != ' ') {
			name[len++] = *names;
			continue;
		}
		name[len] = '\0';
		error = allow(filter, name);
		len = 0;
	}
	return error;
}

/* Threads and no processes: what clone3() is for lies in memory, which a filter cannot see, and
 * libc goes back to clone() where there is none. Sockets of this machine alone. */
static int allow_narrowly(scmp_filter_ctx filter, enum mw_caller caller)
{
	int error = 0;

	if (caller != MW_CALLER_WATCHES)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		                         SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (!error && caller == MW_CALLER_READS)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		                         SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	return error;
}

/* The attributes: one filter for all threads; found by a search, not one after the other; the
 * kernel's own errors. */
static int shape(scmp_filter_ctx filter)
{
	static const struct {
		enum scmp_filter_attr name;
		uint32_t value;
	} attributes[] = {{SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)},
	                  {SCMP_FLTATR_CTL_NNP, 0},
	                  {SCMP_FLTATR_CTL_TSYNC, 1},
	                  {SCMP_FLTATR_CTL_OPTIMIZE, 2}};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(attributes) / sizeof(*attributes); i++)
		error = seccomp_attr_set(filter, attributes[i].name, attributes[i].value);
	return error;
}

int mw_calls_confine(enum mw_caller caller)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int error = filter ? shape(filter) : -ENOMEM;

	for (size_t i = 0; !error && i < sizeof(groups) / sizeof(*groups); i++) {
		if (groups[i].callers & caller)
			error = allow_group(filter, groups[i].names);
	}
	if (!error)
		error = allow_narrowly(filter, caller);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}
