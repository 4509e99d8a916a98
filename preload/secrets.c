/* Reading files that the policy calls secrets. A file is told by what the kernel says that a
 * descriptor is, so that no spelling of a path, link or directory descriptor matters.
 *
 * Before the call a descriptor that cannot be read from tells what the path leads to, and a secret
 * is judged before it is open: no other thread can read it meanwhile. After the call the descriptor
 * that came back is looked at again, because a link may have been turned in between. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/secret.h"
#include "shim.h"

static bool reads(int flags)
{
	int access = flags & O_ACCMODE;

	return (access == O_RDONLY || access == O_RDWR) && !(flags & (O_PATH | O_TRUNC)) &&
	       (flags & O_TMPFILE) != O_TMPFILE;
}

static bool has_secrets(void)
{
	return mw_process.policy && mw_process.policy->secrets;
}

static bool is_directory_or_link(int fd)
{
	struct stat st;

	return fstat(fd, &st) || S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode);
}

static bool is_secret(int fd, char real[static MW_SECRET_PATH])
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlinkat, AT_FDCWD, link, real, MW_SECRET_PATH - 1);
	if (n <= 0)
		return false;
	real[n] = '\0';
	return mw_is_secret(mw_process.policy, real) && !is_directory_or_link(fd);
}

/* An open that fails by itself is no effect. */
static bool is_readable(int fd)
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return !syscall(SYS_faccessat, AT_FDCWD, link, R_OK);
}

/* Whether opening the path would read a secret, and then its real path. */
static bool leads_to_secret(int dir, const char *path, int flags, char real[static MW_SECRET_PATH])
{
	const int kept = flags & (O_NOFOLLOW | O_DIRECTORY);
	int saved = errno, fd;
	bool found;

	if (!has_secrets() || !reads(flags))
		return false;
	fd = (int)syscall(SYS_openat, dir, path, O_PATH | O_CLOEXEC | kept);
	found = fd >= 0 && is_secret(fd, real) && is_readable(fd);
	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved;
	return found;
}

bool mw_opens_secret(const char *path, int flags, char real[static MW_SECRET_PATH])
{
	bool found = leads_to_secret(AT_FDCWD, path, flags, real);

	mw_thread.looked = found ? 0 : mw_hash(path);
	return found;
}

/* Looking once before the call is enough: what it opens is looked at in any case. */
static bool was_looked_at(int dir, const char *path)
{
	uint64_t looked = mw_thread.looked;

	mw_thread.looked = 0;
	return looked && dir == AT_FDCWD && looked == mw_hash(path);
}

/* The secret that the thread's call reads, in the load it is in: to know it again. */
static uint64_t key_of(const char *real)
{
	struct mw_load *load = mw_thread.load;

	return mw_hash(real) ^ (load ? mw_load_id(load) : mw_thread.scope);
}

static bool is_own(const char *real)
{
	char start[40];
	int len = snprintf(start, sizeof(start), "/proc/%d/", (int)getpid());

	return !strncmp(real, start, (size_t)len);
}

static bool refuse(const char *op, const char *real, int flags, bool python_sees,
                   const void *caller)
{
	struct mw_effect effect = {.class = MW_READ, .op = op, .target = real, .number = flags};
	bool refused;

	if (is_own(real))
		effect.facts |= MW_FACT_OWN;
	refused = !mw_announced(MW_READ, real) && mw_refused(&effect, python_sees, caller);
	mw_thread.reading = refused ? 0 : key_of(real);
	return refused;
}

bool mw_refuse_read(const char *op, int dir, const char *path, int flags, const void *caller)
{
	/* Python's own event has no descriptor in it, and is about writing when it is about both.
	 */
	bool python_sees = dir == AT_FDCWD && (flags & O_ACCMODE) == O_RDONLY;
	char real[MW_SECRET_PATH];

	mw_thread.reading = 0;
	if (mw_thread.busy || was_looked_at(dir, path) || !leads_to_secret(dir, path, flags, real))
		return false;
	return refuse(op, real, flags, python_sees, caller);
}

/* A descriptor that a call has returned. */
static bool is_refused(const char *op, int fd, int flags, const void *caller)
{
	char real[MW_SECRET_PATH];
	int saved = errno;
	bool found;

	if (fd < 0 || !has_secrets() || !reads(flags) || mw_thread.busy)
		return false;
	found = is_secret(fd, real) && mw_thread.reading != key_of(real);
	errno = saved;
	return found && refuse(op, real, flags, true, caller);
}

int mw_opened(const char *op, int fd, int flags, const void *caller)
{
	if (!is_refused(op, fd, flags, caller))
		return fd;
	syscall(SYS_close, fd);
	errno = EPERM;
	return -1;
}

FILE *mw_fopened(const char *op, FILE *file, const char *mode, const void *caller)
{
	if (!file || !is_refused(op, fileno(file), mw_mode_flags(mode), caller))
		return file;
	fclose(file);
	errno = EPERM;
	return NULL;
}

/* libc reads this file behind functions of its own. One list of entries is one effect. */
bool mw_refuse_passwords(const char *op, bool first, const void *caller)
{
	static const char path[] = "/etc/shadow";
	char real[MW_SECRET_PATH];

	if (mw_thread.busy || !leads_to_secret(AT_FDCWD, path, O_RDONLY, real) ||
	    (!first && mw_thread.reading == key_of(real)))
		return false;
	return refuse(op, real, O_RDONLY, false, caller);
}

bool mw_refuse_memory_of(const char *op, pid_t pid, const void *caller)
{
	char path[40], real[MW_SECRET_PATH];

	if (pid == getpid())
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	if (mw_thread.busy || !leads_to_secret(AT_FDCWD, path, O_RDONLY, real))
		return false;
	return refuse(op, real, O_RDONLY, false, caller);
}
