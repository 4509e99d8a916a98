/* Which system calls the floor's filter tells of, by making them: each that is told is answered
 * with an errno that no such call gives, so none of them does anything. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../core/floor.h"
#include "../../tools/floor_calls.h"
#include "../../tools/floor_filter.h"
#include "../../tools/floor_start.h"

#define TOLD EDOTDOT
#define FREE 0              /* the kernel decides: anything but TOLD and ENOSYS */
#define HIGH 0xdead00000000 /* an upper half that the kernel drops */
#define X32 0x40000000

struct call {
	long nr;
	uint64_t args[6];
	int expected; /* errno, or FREE */
};

static const struct call calls[] = {
        {SYS_execve, {0}, TOLD},
        {SYS_execveat, {-1}, TOLD},
        {SYS_clone, {CLONE_THREAD}, TOLD}, /* without CLONE_SIGHAND it would be EINVAL */
        {SYS_clone3, {0}, ENOSYS},
        {SYS_openat2, {-1}, ENOSYS},
        {SYS_io_uring_setup, {1}, ENOSYS},
        {SYS_io_uring_enter, {-1}, ENOSYS},
        {SYS_io_uring_register, {-1}, ENOSYS},
        {SYS_connect, {-1}, TOLD},
        {SYS_bind, {-1}, TOLD},
        {SYS_listen, {-1}, TOLD},
        {SYS_sendto, {-1}, TOLD},
        {SYS_sendmsg, {-1}, TOLD},
        {SYS_sendmmsg, {-1}, TOLD},
        {SYS_openat, {AT_FDCWD, 0, O_RDONLY | O_CLOEXEC}, FREE},
        {SYS_openat, {AT_FDCWD, 0, O_PATH | O_NOFOLLOW | O_NONBLOCK}, FREE},
        {SYS_openat, {AT_FDCWD, 0, O_DIRECTORY | HIGH}, FREE},
        {SYS_openat, {AT_FDCWD, 0, O_WRONLY}, TOLD},
        {SYS_openat, {AT_FDCWD, 0, O_RDWR | HIGH}, TOLD},
        {SYS_openat, {AT_FDCWD, 0, O_CREAT}, TOLD},
        {SYS_openat, {AT_FDCWD, 0, O_TRUNC}, TOLD},
        {SYS_openat, {AT_FDCWD, 0, O_TMPFILE | O_WRONLY}, TOLD},
        {SYS_open_by_handle_at, {-1, 0, O_RDWR}, TOLD},
        {SYS_mkdirat, {-1}, TOLD},
        {SYS_mknodat, {-1}, TOLD},
        {SYS_unlinkat, {-1}, TOLD},
        {SYS_renameat, {-1}, TOLD},
        {SYS_renameat2, {-1}, TOLD},
        {SYS_linkat, {-1}, TOLD},
        {SYS_symlinkat, {0, -1}, TOLD},
        {SYS_fchmod, {-1}, TOLD},
        {SYS_fchmodat, {-1}, TOLD},
        {452 /* fchmodat2 */, {-1}, TOLD},
        {463 /* setxattrat */, {-1}, TOLD},
        {466 /* removexattrat */, {-1}, TOLD},
        {467 /* open_tree_attr */, {-1}, TOLD},
        {469 /* file_setattr */, {-1}, TOLD},
        {SYS_fchown, {-1}, TOLD},
        {SYS_fchownat, {-1}, TOLD},
        {SYS_truncate, {0}, TOLD},
        {SYS_ftruncate, {-1}, TOLD},
        {SYS_setxattr, {0}, TOLD},
        {SYS_fremovexattr, {-1}, TOLD},
        {SYS_mq_open, {0, O_RDONLY}, FREE},
        {SYS_mq_open, {0, O_CREAT}, TOLD},
        {SYS_mq_unlink, {0}, TOLD},
        {SYS_clock_settime, {-1}, TOLD},
        {SYS_mmap, {0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1}, FREE},
        {SYS_mmap, {0, 0, PROT_READ | PROT_EXEC, MAP_PRIVATE, -1}, TOLD},
        {SYS_mprotect, {1, 0, PROT_READ}, FREE},
        {SYS_mprotect, {1, 0, PROT_EXEC}, TOLD},
        {SYS_pkey_mprotect, {1, 0, PROT_EXEC, -1}, TOLD},
        {SYS_shmat, {-1, 0, SHM_RDONLY}, FREE},
        {SYS_shmat, {-1, 0, SHM_EXEC}, TOLD},
        {SYS_personality, {0x0400000 /* READ_IMPLIES_EXEC */}, TOLD},
        {SYS_personality, {0}, FREE},
        {SYS_ptrace, {0}, TOLD},
        {SYS_process_vm_writev, {0}, TOLD},
        {SYS_pidfd_getfd, {-1}, TOLD},
        {SYS_kill, {0}, TOLD},
        {SYS_tkill, {0}, TOLD},
        {SYS_tgkill, {0}, TOLD},
        {SYS_rt_sigqueueinfo, {0}, TOLD},
        {SYS_rt_tgsigqueueinfo, {0}, TOLD},
        {SYS_pidfd_send_signal, {-1}, TOLD},
        {SYS_prctl, {PR_GET_DUMPABLE}, FREE},
        {SYS_prctl, {PR_SET_DUMPABLE}, TOLD},
        {SYS_prctl, {PR_SET_DUMPABLE | HIGH}, TOLD},
        {SYS_prctl, {PR_SET_SECCOMP}, TOLD},
        {SYS_prctl, {PR_SET_MM}, TOLD},
        {SYS_prctl, {PR_SET_PTRACER}, TOLD},
        {SYS_prctl, {PR_SET_NO_NEW_PRIVS}, TOLD},
        {SYS_prctl, {PR_SET_CHILD_SUBREAPER}, TOLD},
        {SYS_prctl, {MW_FLOOR_CALL}, TOLD},
        {SYS_seccomp, {-1}, TOLD},
        {SYS_landlock_restrict_self, {-1}, TOLD},
        {SYS_ioctl, {-1, TCGETS}, FREE},
        {SYS_ioctl, {-1, TIOCSTI}, TOLD},
        {SYS_ioctl, {-1, FIOSETOWN}, TOLD},
        {SYS_fcntl, {-1, F_GETFL}, FREE},
        {SYS_fcntl, {-1, F_SETOWN}, TOLD},
        {SYS_fcntl, {-1, F_SETSIG}, TOLD},
        {SYS_prlimit64, {0, RLIMIT_NOFILE, 0, 0}, FREE},
        {SYS_prlimit64, {0, RLIMIT_MSGQUEUE, 0, 0}, TOLD},
        {SYS_prlimit64, {-1, RLIMIT_CPU, 0, 0}, TOLD},
        {SYS_unshare, {-1}, TOLD},
        {SYS_setns, {-1}, TOLD},
        {SYS_chroot, {0}, TOLD},
        {SYS_pivot_root, {0}, TOLD},
        {SYS_mount, {0}, TOLD},
        {SYS_umount2, {0}, TOLD},
        {SYS_fsopen, {0}, TOLD},
        {SYS_bpf, {-1}, TOLD},
        {SYS_keyctl, {-1}, TOLD},
        {SYS_userfaultfd, {-1}, TOLD},
        {SYS_perf_event_open, {0}, TOLD},
        {SYS_finit_module, {-1}, TOLD},
        {SYS_write, {-1}, FREE},
        {SYS_read, {-1}, FREE},
        {SYS_socket, {-1}, FREE},
        {SYS_memfd_create, {0}, FREE},
        {SYS_getppid, {0}, FREE},
#if defined(__x86_64__)
        {SYS_fork, {0}, TOLD},
        {SYS_vfork, {0}, TOLD},
        {SYS_open, {0, O_RDONLY}, FREE},
        {SYS_open, {0, O_CREAT}, TOLD},
        {SYS_creat, {0}, TOLD},
        {SYS_mkdir, {0}, TOLD},
        {SYS_mknod, {0}, TOLD},
        {SYS_unlink, {0}, TOLD},
        {SYS_rmdir, {0}, TOLD},
        {SYS_rename, {0}, TOLD},
        {SYS_link, {0}, TOLD},
        {SYS_symlink, {0}, TOLD},
        {SYS_chmod, {0}, TOLD},
        {SYS_chown, {0}, TOLD},
        {SYS_lchown, {0}, TOLD},
        {SYS_setrlimit, {RLIMIT_MSGQUEUE}, TOLD},
        {X32 + 520 /* execve */, {0}, TOLD},
        {X32 + SYS_connect, {-1}, TOLD},
        {X32 + SYS_open, {0, O_WRONLY}, TOLD},
        {X32 + SYS_prctl, {PR_SET_DUMPABLE}, TOLD},
        {X32 + 452 /* fchmodat2 */, {-1}, TOLD},
        {X32 + SYS_openat2, {-1}, ENOSYS},
#endif
};

/* By int $0x80, with the numbers of 32-bit programs. */
static const struct call narrow[] = {
        {11 /* execve */, {0}, TOLD},
        {120 /* clone */, {0}, TOLD},
        {2 /* fork */, {0}, TOLD},
        {435 /* clone3 */, {0}, ENOSYS},
        {437 /* openat2 */, {-1}, ENOSYS},
        {425 /* io_uring_setup */, {1}, ENOSYS},
        {362 /* connect */, {-1}, TOLD},
        {102 /* socketcall */, {3 /* SYS_CONNECT */}, TOLD},
        {102, {9 /* SYS_SEND */}, TOLD},
        {102, {11 /* SYS_SENDTO */}, TOLD},
        {102, {16 /* SYS_SENDMSG */}, TOLD},
        {102, {1 /* SYS_SOCKET */}, FREE},
        {5 /* open */, {0, O_RDONLY}, FREE},
        {5, {0, O_WRONLY}, TOLD},
        {295 /* openat */, {-1, 0, O_CREAT}, TOLD},
        {10 /* unlink */, {0}, TOLD},
        {212 /* chown32 */, {0}, TOLD},
        {193 /* truncate64 */, {0}, TOLD},
        {22 /* umount */, {0}, TOLD},
        {90 /* mmap, arguments in memory */, {0}, TOLD},
        {192 /* mmap2 */, {0, 0, PROT_READ, MAP_PRIVATE, -1}, FREE},
        {192, {0, 0, PROT_EXEC, MAP_PRIVATE, -1}, TOLD},
        {125 /* mprotect */, {1, 0, PROT_EXEC}, TOLD},
        {117 /* ipc */, {21 /* SHMAT */, -1}, TOLD},
        {117, {0x10015 /* its other version */, -1}, TOLD},
        {117, {1 /* SEMOP */, -1}, FREE},
        {397 /* shmat */, {-1}, TOLD},
        {136 /* personality */, {0x0400000}, TOLD},
        {26 /* ptrace */, {0}, TOLD},
        {37 /* kill */, {0}, TOLD},
        {172 /* prctl */, {PR_SET_DUMPABLE}, TOLD},
        {172, {PR_GET_DUMPABLE}, FREE},
        {452 /* fchmodat2 */, {-1}, TOLD},
        {20 /* getpid */, {0}, FREE},
};

typedef long enter(const struct call *call);

static long by_syscall(const struct call *c)
{
	long result = syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
	                      c->args[5]);

	return result < 0 ? -errno : result;
}

#if defined(__x86_64__)
static long by_interrupt(const struct call *c)
{
	int result;

	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"((int)c->nr), "b"((int)c->args[0]), "c"((int)c->args[1]),
	                   "d"((int)c->args[2]), "S"((int)c->args[3]), "D"((int)c->args[4])
	                 : "memory", "r8", "r9", "r10", "r11");
	return result;
}
#endif

static bool as_expected(const struct call *call, long result)
{
	return call->expected ? result == -call->expected : result != -TOLD && result != -ENOSYS;
}

/* In the child: the first call that did not do what it should goes to the parent, or `count`. */
static _Noreturn void make(const struct sock_fprog *filter, int socket, enter *by,
                           const struct call *list, size_t count)
{
	int i = 0;

	if (mw_floor_enter(filter, socket))
		_exit(2);
	while ((size_t)i < count && as_expected(&list[i], by(&list[i])))
		i++;
	_exit(write(socket, &i, sizeof(i)) != sizeof(i));
}

static void answer_all(int listener)
{
	struct seccomp_notif notif = {0};

	while (!ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif)) {
		struct seccomp_notif_resp reply = {.id = notif.id, .error = -TOLD};

		assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply), 0);
		memset(&notif, 0, sizeof(notif));
	}
}

/* A process of its own answers, since nothing tells us of the end before Linux 6.11. */
static pid_t answerer(int listener)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	answer_all(listener);
	_exit(0);
}

static int first_wrong(const struct mw_floor_options *options, enter *by, const struct call *list,
                       size_t count)
{
	struct sock_fprog filter;
	int ends[2], listener, wrong = -1;
	pid_t child, other;

	assert_int_equal(mw_floor_filter(options, &filter), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		make(&filter, ends[1], by, list, count);
	close(ends[1]);
	listener = mw_floor_listener(child, ends[0]);
	assert_true(listener >= 0);
	other = answerer(listener);
	assert_int_equal(mw_floor_go(ends[0]), 0);
	assert_int_equal(read(ends[0], &wrong, sizeof(wrong)), sizeof(wrong));
	waitpid(child, NULL, 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	close(ends[0]);
	close(listener);
	mw_floor_filter_free(&filter);
	return wrong;
}

static void need_a_floor(void)
{
	bool no_new_privs;
	int error = mw_floor_try(&no_new_privs);

	if (!error)
		return;
	print_message("no floor here: %s\n", mw_floor_why(error));
	skip();
}

static void effects_are_told_and_reading_is_not(void **state)
{
	const struct mw_floor_options options = {0};
	const size_t count = sizeof(calls) / sizeof(*calls);
	int wrong;

	(void)state;
	need_a_floor();
	wrong = first_wrong(&options, by_syscall, calls, count);
	if ((size_t)wrong != count)
		fail_msg("system call %ld of line %d", calls[wrong].nr, wrong);
}

static void rings_are_let_be_when_the_policy_says_so(void **state)
{
	const struct mw_floor_options options = {.io_uring = true};
	const struct call ring = {SYS_io_uring_enter, {-1}, EBADF};
	long bare = by_syscall(&ring);

	(void)state;
	need_a_floor();
	if (bare != -EBADF)
		skip(); /* this kernel has none, or forbids them */
	assert_int_equal(first_wrong(&options, by_syscall, &ring, 1), 1);
}

static bool has_narrow_entry(void)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
#if defined(__x86_64__)
	if (!child) {
		const struct call getpid_call = {.nr = 20};

		signal(SIGSEGV, SIG_DFL);
		_exit(by_interrupt(&getpid_call) != getpid());
	}
#endif
	if (!child)
		_exit(1);
	waitpid(child, &status, 0);
	return !status;
}

static void the_32_bit_entry_is_no_way_round(void **state)
{
	(void)state;
	need_a_floor();
	if (!has_narrow_entry())
		skip();
#if defined(__x86_64__)
	const struct mw_floor_options options = {0};
	const size_t count = sizeof(narrow) / sizeof(*narrow);
	int wrong = first_wrong(&options, by_interrupt, narrow, count);

	if ((size_t)wrong != count)
		fail_msg("system call %ld of line %d", narrow[wrong].nr, wrong);
#endif
}

static void rows_are_found_by_number(void **state)
{
#if defined(__x86_64__)
	const uint32_t native = AUDIT_ARCH_X86_64;
#else
	const uint32_t native = AUDIT_ARCH_AARCH64;
#endif

	(void)state;
	assert_string_equal(mw_floor_call(native, SYS_execve)->name, "execve");
	assert_int_equal(mw_floor_call(native, SYS_connect)->effect, MW_CONNECT);
	assert_int_equal(mw_floor_call(native, 452)->effect, MW_WRITE);
	assert_null(mw_floor_call(native, SYS_getppid));
	assert_null(mw_floor_call(native, -1));
#if defined(__x86_64__)
	assert_string_equal(mw_floor_call(native, X32 + 520)->name, "execve");
	assert_string_equal(mw_floor_call(AUDIT_ARCH_I386, 11)->name, "execve");
	assert_int_equal(mw_floor_call(AUDIT_ARCH_I386, 102)->effect, MW_CONNECT);
	assert_string_equal(mw_floor_call(AUDIT_ARCH_I386, 192)->name, "mmap2");
	assert_string_equal(mw_floor_call(AUDIT_ARCH_I386, 117)->name, "ipc");
	assert_null(mw_floor_call(AUDIT_ARCH_I386, 20));
#endif
}

static void reasons_are_told_apart(void **state)
{
	(void)state;
	assert_string_equal(mw_floor_why(-ENOSYS), mw_floor_why(-EINVAL));
	assert_string_not_equal(mw_floor_why(-EBUSY), mw_floor_why(-EPERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(effects_are_told_and_reading_is_not),
	        cmocka_unit_test(rings_are_let_be_when_the_policy_says_so),
	        cmocka_unit_test(the_32_bit_entry_is_no_way_round),
	        cmocka_unit_test(rows_are_found_by_number),
	        cmocka_unit_test(reasons_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
