/* The table of wrapped functions: a line each. Programs and threads, which need more, are in exec.c
 * and tasks.c. */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <netdb.h>
#include <sched.h>
#include <semaphore.h>
#include <shadow.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "wrap.h"

#define AT AT_FDCWD

/* The variants that _FORTIFY_SOURCE calls; no header of theirs declares them here. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
/* Other names that libc has for the same. */
int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
FILE *_IO_fopen(const char *path, const char *mode);

/* open() and its kin take a mode only when they may create. */
#define WITH_MODE(flags, mode)                                                                     \
	mode_t mode = 0;                                                                           \
	if ((flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE) {                                 \
		va_list more;                                                                      \
		va_start(more, flags);                                                             \
		mode = va_arg(more, mode_t);                                                       \
		va_end(more);                                                                      \
	}

#define WRAP_OPEN(name)                                                                            \
	MW_REAL(int, name, (const char *, int, ...));                                              \
	MW_EXPORT int name(const char *path, int flags, ...)                                       \
	{                                                                                          \
		WITH_MODE(flags, mode)                                                             \
		if (mw_likely(!mw_thread.active))                                                  \
			return real_##name(path, flags, mode);                                     \
		if (mw_refuse_open(#name, AT, path, flags, MW_CALLER))                             \
			return -1;                                                                 \
		return mw_opened(#name, real_##name(path, flags, mode), flags, MW_CALLER);         \
	}

#define WRAP_OPENAT(name)                                                                          \
	MW_REAL(int, name, (int, const char *, int, ...));                                         \
	MW_EXPORT int name(int dir, const char *path, int flags, ...)                              \
	{                                                                                          \
		WITH_MODE(flags, mode)                                                             \
		if (mw_likely(!mw_thread.active))                                                  \
			return real_##name(dir, path, flags, mode);                                \
		if (mw_refuse_open(#name, dir, path, flags, MW_CALLER))                            \
			return -1;                                                                 \
		return mw_opened(#name, real_##name(dir, path, flags, mode), flags, MW_CALLER);    \
	}

#define OPEN(dir, path, flags) mw_refuse_open(__func__, dir, path, flags, MW_CALLER)
#define FOPEN(path, mode) mw_refuse_fopen(__func__, path, mode, MW_CALLER)
#define OPENED(flags) mw_opened(__func__, result, flags, MW_CALLER)
#define FOPENED(mode) mw_fopened(__func__, result, mode, MW_CALLER)
#define PASSWORDS(first) mw_refuse_passwords(__func__, first, MW_CALLER)
#define CREATE(dir, path) mw_refuse_create(__func__, dir, path, MW_CALLER)
#define CHANGE(dir, path) mw_refuse_change(__func__, dir, path, 0, NULL, MW_CALLER)
#define CHANGE2(dir, path, dir2, path2)                                                            \
	mw_refuse_change(__func__, dir, path, dir2, path2, MW_CALLER)
#define FD(fd) mw_refuse_fd(__func__, fd, MW_CALLER)
#define ADDRESS(class, fd, address, len)                                                           \
	mw_refuse_address(class, __func__, fd, address, len, MW_CALLER)
#define MEMORY(prot, flags, fd) mw_refuse_memory(__func__, prot, flags, fd, MW_CALLER)
#define TAMPER(number) mw_refuse_tamper(__func__, number, MW_CALLER)

/* clang-format off */
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPEN(__open)
WRAP_OPEN(__open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)
WRAP_THEN(int, __open_2, (const char *path, int flags), (path, flags), -1, OPEN(AT, path, flags), OPENED(flags))
WRAP_THEN(int, __open64_2, (const char *path, int flags), (path, flags), -1, OPEN(AT, path, flags), OPENED(flags))
WRAP_THEN(int, __openat_2, (int dir, const char *path, int flags), (dir, path, flags), -1, OPEN(dir, path, flags), OPENED(flags))
WRAP_THEN(int, __openat64_2, (int dir, const char *path, int flags), (dir, path, flags), -1, OPEN(dir, path, flags), OPENED(flags))
WRAP(int, creat, (const char *path, mode_t mode), (path, mode), -1, OPEN(AT, path, O_CREAT | O_WRONLY | O_TRUNC))
WRAP(int, creat64, (const char *path, mode_t mode), (path, mode), -1, OPEN(AT, path, O_CREAT | O_WRONLY | O_TRUNC))
WRAP(int, shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode), -1, mw_refuse_shared_memory(name, flags, MW_CALLER))
WRAP(int, sem_unlink, (const char *name), (name), -1, mw_refuse_semaphore(__func__, name, 0, MW_CALLER))
WRAP_THEN(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, FOPEN(path, mode), FOPENED(mode))
WRAP_THEN(FILE *, fopen64, (const char *path, const char *mode), (path, mode), NULL, FOPEN(path, mode), FOPENED(mode))
WRAP_THEN(FILE *, _IO_fopen, (const char *path, const char *mode), (path, mode), NULL, FOPEN(path, mode), FOPENED(mode))
WRAP_THEN(FILE *, setmntent, (const char *path, const char *mode), (path, mode), NULL, FOPEN(path, mode), FOPENED(mode))
WRAP_THEN(FILE *, freopen, (const char *path, const char *mode, FILE *f), (path, mode, f), NULL, FOPEN(path, mode), FOPENED(mode))
WRAP_THEN(FILE *, freopen64, (const char *path, const char *mode, FILE *f), (path, mode, f), NULL, FOPEN(path, mode), FOPENED(mode))
WRAP_THEN(int, open_by_handle_at, (int mount, struct file_handle *handle, int flags), (mount, handle, flags), -1, false, OPENED(flags))
WRAP(void, setspent, (void), (), , PASSWORDS(true))
WRAP(struct spwd *, getspent, (void), (), NULL, PASSWORDS(false))
WRAP(int, getspent_r, (struct spwd *entry, char *buf, size_t size, struct spwd **ret), (entry, buf, size, ret), EPERM, PASSWORDS(false))
WRAP(struct spwd *, getspnam, (const char *name), (name), NULL, PASSWORDS(true))
WRAP(int, getspnam_r, (const char *name, struct spwd *entry, char *buf, size_t size, struct spwd **ret), (name, entry, buf, size, ret), EPERM, PASSWORDS(true))
WRAP(ssize_t, process_vm_readv, (pid_t pid, const struct iovec *to, unsigned long n, const struct iovec *from, unsigned long m, unsigned long flags), (pid, to, n, from, m, flags), -1, mw_refuse_memory_of(__func__, pid, MW_CALLER))
WRAP(int, mkstemp, (char *path), (path), -1, CREATE(AT, path))
WRAP(int, mkstemp64, (char *path), (path), -1, CREATE(AT, path))
WRAP(int, mkostemp, (char *path, int flags), (path, flags), -1, CREATE(AT, path))
WRAP(int, mkostemp64, (char *path, int flags), (path, flags), -1, CREATE(AT, path))
WRAP(int, mkstemps, (char *path, int n), (path, n), -1, CREATE(AT, path))
WRAP(int, mkstemps64, (char *path, int n), (path, n), -1, CREATE(AT, path))
WRAP(char *, mkdtemp, (char *path), (path), NULL, CREATE(AT, path))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, CREATE(AT, path))
WRAP(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), -1, CREATE(dir, path))
WRAP(int, mkfifo, (const char *path, mode_t mode), (path, mode), -1, CREATE(AT, path))
WRAP(int, mkfifoat, (int dir, const char *path, mode_t mode), (dir, path, mode), -1, CREATE(dir, path))
WRAP(int, mknod, (const char *path, mode_t mode, dev_t dev), (path, mode, dev), -1, CREATE(AT, path))
WRAP(int, mknodat, (int dir, const char *path, mode_t mode, dev_t dev), (dir, path, mode, dev), -1, CREATE(dir, path))
WRAP(int, symlink, (const char *to, const char *path), (to, path), -1, CREATE(AT, path))
WRAP(int, symlinkat, (const char *to, int dir, const char *path), (to, dir, path), -1, CREATE(dir, path))
WRAP(int, link, (const char *path, const char *path2), (path, path2), -1, CHANGE2(AT, path, AT, path2))
WRAP(int, linkat, (int dir, const char *path, int dir2, const char *path2, int flags), (dir, path, dir2, path2, flags), -1, CHANGE2(dir, path, dir2, path2))
WRAP(int, rename, (const char *path, const char *path2), (path, path2), -1, CHANGE2(AT, path, AT, path2))
WRAP(int, renameat, (int dir, const char *path, int dir2, const char *path2), (dir, path, dir2, path2), -1, CHANGE2(dir, path, dir2, path2))
WRAP(int, renameat2, (int dir, const char *path, int dir2, const char *path2, unsigned int flags), (dir, path, dir2, path2, flags), -1, CHANGE2(dir, path, dir2, path2))
WRAP(int, unlink, (const char *path), (path), -1, CHANGE(AT, path))
WRAP(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), -1, CHANGE(dir, path))
WRAP(int, remove, (const char *path), (path), -1, CHANGE(AT, path))
WRAP(int, rmdir, (const char *path), (path), -1, CHANGE(AT, path))
WRAP(int, truncate, (const char *path, off_t size), (path, size), -1, CHANGE(AT, path))
WRAP(int, truncate64, (const char *path, off64_t size), (path, size), -1, CHANGE(AT, path))
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode), -1, CHANGE(AT, path))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, FD(fd))
WRAP(int, fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags), -1, CHANGE(dir, path))
WRAP(int, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid), -1, CHANGE(AT, path))
WRAP(int, lchown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid), -1, CHANGE(AT, path))
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), -1, FD(fd))
WRAP(int, fchownat, (int dir, const char *path, uid_t uid, gid_t gid, int flags), (dir, path, uid, gid, flags), -1, CHANGE(dir, path))
WRAP(int, setxattr, (const char *path, const char *name, const void *value, size_t size, int flags), (path, name, value, size, flags), -1, CHANGE(AT, path))
WRAP(int, lsetxattr, (const char *path, const char *name, const void *value, size_t size, int flags), (path, name, value, size, flags), -1, CHANGE(AT, path))
WRAP(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags), (fd, name, value, size, flags), -1, FD(fd))
WRAP(int, removexattr, (const char *path, const char *name), (path, name), -1, CHANGE(AT, path))
WRAP(int, lremovexattr, (const char *path, const char *name), (path, name), -1, CHANGE(AT, path))
WRAP(int, fremovexattr, (int fd, const char *name), (fd, name), -1, FD(fd))

WRAP(int, connect, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len), -1, ADDRESS(MW_CONNECT, fd, address, len))
WRAP(int, bind, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len), -1, ADDRESS(MW_LISTEN, fd, address, len))
WRAP(int, listen, (int fd, int backlog), (fd, backlog), -1, mw_refuse_listen(fd, MW_CALLER))
WRAP(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags), -1, ADDRESS(MW_SEND, fd, NULL, 0))
WRAP(ssize_t, sendto, (int fd, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t len), (fd, data, size, flags, address, len), -1, ADDRESS(MW_SEND, fd, address, len))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), -1, ADDRESS(MW_SEND, fd, m->msg_name, m->msg_namelen))
WRAP(int, sendmmsg, (int fd, struct mmsghdr *m, unsigned int n, int flags), (fd, m, n, flags), -1, ADDRESS(MW_SEND, fd, n ? m->msg_hdr.msg_name : NULL, n ? m->msg_hdr.msg_namelen : 0))
WRAP(int, getaddrinfo, (const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret), (name, service, hints, ret), EAI_FAIL, mw_refuse_name(__func__, name, MW_CALLER))
WRAP(struct hostent *, gethostbyname, (const char *name), (name), NULL, mw_refuse_name(__func__, name, MW_CALLER))
WRAP(struct hostent *, gethostbyname2, (const char *name, int family), (name, family), NULL, mw_refuse_name(__func__, name, MW_CALLER))
WRAP(int, gethostbyname_r, (const char *name, struct hostent *h, char *buf, size_t size, struct hostent **ret, int *error), (name, h, buf, size, ret, error), NO_RECOVERY, mw_refuse_name(__func__, name, MW_CALLER))
WRAP(int, gethostbyname2_r, (const char *name, int family, struct hostent *h, char *buf, size_t size, struct hostent **ret, int *error), (name, family, h, buf, size, ret, error), NO_RECOVERY, mw_refuse_name(__func__, name, MW_CALLER))

WRAP(void *, mmap, (void *at, size_t size, int prot, int flags, int fd, off_t from), (at, size, prot, flags, fd, from), MAP_FAILED, MEMORY(prot, flags, fd))
WRAP(void *, mmap64, (void *at, size_t size, int prot, int flags, int fd, off64_t from), (at, size, prot, flags, fd, from), MAP_FAILED, MEMORY(prot, flags, fd))
WRAP(int, mprotect, (void *at, size_t size, int prot), (at, size, prot), -1, MEMORY(prot, MAP_ANONYMOUS, -1))
WRAP(int, pkey_mprotect, (void *at, size_t size, int prot, int key), (at, size, prot, key), -1, MEMORY(prot, MAP_ANONYMOUS, -1))

WRAP(ssize_t, process_vm_writev, (pid_t pid, const struct iovec *from, unsigned long n, const struct iovec *to, unsigned long m, unsigned long flags), (pid, from, n, to, m, flags), -1, TAMPER(pid))
WRAP(int, unshare, (int flags), (flags), -1, TAMPER(flags))
WRAP(int, setns, (int fd, int flags), (fd, flags), -1, TAMPER(flags))
WRAP(int, chroot, (const char *path), (path), -1, TAMPER(0))
WRAP(int, mount, (const char *what, const char *path, const char *type, unsigned long flags, const void *data), (what, path, type, flags, data), -1, TAMPER((int64_t)flags))
WRAP(int, umount2, (const char *path, int flags), (path, flags), -1, TAMPER(flags))
WRAP(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *limit), (what, limit), -1, TAMPER(what))
WRAP(int, setrlimit64, (__rlimit_resource_t what, const struct rlimit64 *limit), (what, limit), -1, TAMPER(what))
WRAP(int, kill, (pid_t pid, int sig), (pid, sig), -1, sig && TAMPER(sig))
WRAP(int, killpg, (pid_t group, int sig), (group, sig), -1, sig && TAMPER(sig))
/* clang-format on */

/* With a mode and a value only when it may create. */
MW_REAL(sem_t *, sem_open, (const char *, int, ...));
MW_EXPORT sem_t *sem_open(const char *name, int flags, ...)
{
	unsigned int mode = 0, value = 0;
	va_list more;

	if (flags & O_CREAT) {
		va_start(more, flags);
		mode = va_arg(more, unsigned int);
		value = va_arg(more, unsigned int);
		va_end(more);
	}
	if (mw_unlikely(mw_thread.active) && mw_refuse_semaphore(__func__, name, flags, MW_CALLER))
		return SEM_FAILED;
	return real_sem_open(name, flags, mode, value);
}

/* A library is refused with NULL like one that is not there; dlerror() then has nothing to add. */
MW_REAL(void *, dlopen, (const char *, int));
MW_EXPORT void *dlopen(const char *path, int mode)
{
	if (mw_unlikely(mw_thread.active) && mw_refuse_library(__func__, path, MW_CALLER))
		return NULL;
	if (mw_unlikely(mw_is_libpython(path)))
		return mw_open_libpython(path, mode, real_dlopen);
	return real_dlopen(path, mode);
}

WRAP(void *, dlmopen, (Lmid_t space, const char *path, int mode), (space, path, mode), NULL,
     mw_refuse_library(__func__, path, MW_CALLER))

static bool is_tampering(int option)
{
	return option == PR_SET_DUMPABLE || option == PR_SET_SECCOMP || option == PR_SET_MM ||
	       option == PR_SET_PTRACER || option == PR_SET_NO_NEW_PRIVS;
}

MW_REAL(int, prctl, (int, ...));
MW_EXPORT int prctl(int option, ...)
{
	unsigned long a[4];
	va_list more;

	va_start(more, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(more, unsigned long);
	va_end(more);
	if (mw_unlikely(mw_thread.active) && is_tampering(option) && TAMPER(option))
		return -1;
	return real_prctl(option, a[0], a[1], a[2], a[3]);
}

MW_REAL(long, ptrace, (enum __ptrace_request, ...));
MW_EXPORT long ptrace(enum __ptrace_request request, ...)
{
	void *a[3];
	va_list more;

	va_start(more, request);
	for (int i = 0; i < 3; i++)
		a[i] = va_arg(more, void *);
	va_end(more);
	if (mw_unlikely(mw_thread.active) && TAMPER(request))
		return -1;
	return real_ptrace(request, a[0], a[1], a[2]);
}

/* What a raw system call by number would do, where its arguments need no looking at. */
static int class_of(long number)
{
	switch (number) {
	case SYS_sendmsg:
	case SYS_sendmmsg:
		return MW_SEND;
	case SYS_listen:
		return MW_LISTEN;
#ifdef SYS_rename
	case SYS_creat:
	case SYS_rename:
	case SYS_unlink:
	case SYS_link:
	case SYS_symlink:
	case SYS_mkdir:
	case SYS_rmdir:
	case SYS_chmod:
	case SYS_chown:
	case SYS_mknod:
#endif
	case SYS_openat2:
	case SYS_renameat2:
	case SYS_unlinkat:
	case SYS_linkat:
	case SYS_symlinkat:
	case SYS_mkdirat:
	case SYS_fchmodat:
	case SYS_fchownat:
	case SYS_mknodat:
	case SYS_truncate:
		return MW_WRITE;
	case SYS_ptrace:
	case SYS_process_vm_writev:
#ifdef SYS_pidfd_getfd
	case SYS_pidfd_getfd:
#endif
	case SYS_seccomp:
	case SYS_unshare:
	case SYS_setns:
	case SYS_bpf:
	case SYS_clone:
	case SYS_clone3:
	case SYS_io_uring_setup:
		return MW_TAMPER;
	default:
		return -1;
	}
}

static bool refuse_number(long number, const void *caller)
{
	struct mw_effect effect = {.op = "syscall", .number = number};
	int class = class_of(number);

	if (class < 0 || mw_thread.busy)
		return false;
	effect.class = (enum mw_class) class;
	return mw_refused(&effect, false, caller);
}

/* The same shapes as the wrapped functions, with the arguments where the kernel takes them. */
static bool refuse_syscall(long number, const long a[static 6], const void *caller)
{
	const char *op = "syscall";

	switch (number) {
#ifdef SYS_open
	case SYS_open:
		return mw_refuse_open(op, AT, (const char *)a[0], (int)a[1], caller);
#endif
	case SYS_openat:
		return mw_refuse_open(op, (int)a[0], (const char *)a[1], (int)a[2], caller);
	case SYS_execve:
		return mw_refuse_program(op, (const char *)a[0], false, (char *const *)a[1],
		                         (char *const *)a[2], caller);
	case SYS_execveat:
		return mw_refuse_program(op, (const char *)a[1], false, (char *const *)a[2],
		                         (char *const *)a[3], caller);
	case SYS_connect:
	case SYS_bind:
		return mw_refuse_address(number == SYS_bind ? MW_LISTEN : MW_CONNECT, op, (int)a[0],
		                         (const struct sockaddr *)a[1], (size_t)a[2], caller);
	case SYS_sendto:
		return mw_refuse_address(MW_SEND, op, (int)a[0], (const struct sockaddr *)a[4],
		                         (size_t)a[5], caller);
	case SYS_mmap:
		return mw_refuse_memory(op, (int)a[2], (int)a[3], (int)a[4], caller);
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		return mw_refuse_memory(op, (int)a[2], MAP_ANONYMOUS, -1, caller);
	case SYS_prctl:
		return is_tampering((int)a[0]) && mw_refuse_tamper(op, a[0], caller);
	case SYS_kill:
	case SYS_tkill:
	case SYS_pidfd_send_signal:
		return a[1] && mw_refuse_tamper(op, a[1], caller);
	case SYS_process_vm_readv:
		return mw_refuse_memory_of(op, (pid_t)a[0], caller);
	case SYS_prlimit64:
		return a[2] && mw_refuse_tamper(op, a[1], caller);
	default:
		return refuse_number(number, caller);
	}
}

/* How a call by number opens files, or a way that reads nothing. */
static int open_flags(long number, const long a[static 6])
{
	switch (number) {
#ifdef SYS_open
	case SYS_open:
		return (int)a[1];
#endif
	case SYS_openat:
	case SYS_open_by_handle_at:
		return (int)a[2];
	default:
		return O_PATH;
	}
}

MW_REAL(long, syscall, (long, ...));
MW_EXPORT long syscall(long number, ...)
{
	long a[6], result;
	va_list more;
	int flags;

	va_start(more, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(more, long);
	va_end(more);
	if (mw_likely(!mw_thread.active))
		return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (refuse_syscall(number, a, MW_CALLER))
		return -1;
	result = real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	flags = open_flags(number, a);
	return flags & O_PATH ? result : mw_opened(__func__, (int)result, flags, MW_CALLER);
}

extern const struct mw_wrap __start_mw_wraps[] MW_HIDDEN;
extern const struct mw_wrap __stop_mw_wraps[] MW_HIDDEN;

void mw_resolve(void)
{
	for (const struct mw_wrap *w = __start_mw_wraps; w < __stop_mw_wraps; w++)
		*w->real = dlsym(RTLD_NEXT, w->name);
}
