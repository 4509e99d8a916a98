/* Effects on files. Nothing here decides by what it reads of a path: it only leaves out what would
 * fail by itself (then the call is not made at all, so that no race can turn it into an effect),
 * and tells devices from files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

#define PATH_TEXT 1024

/* Absolute where the base can be read; the path as it stands otherwise. */
static const char *absolute(int dir, const char *path, char out[static PATH_TEXT])
{
	char link[40];
	ssize_t n;

	if (path[0] == '/')
		return path;
	snprintf(link, sizeof(link), dir == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dir);
	n = readlink(link, out, PATH_TEXT - 2);
	if (n <= 0 || out[0] != '/')
		return path;
	if (out[n - 1] != '/')
		out[n++] = '/';
	snprintf(out + n, (size_t)(PATH_TEXT - n), "%s", path);
	return out;
}

static bool parent_exists(int dir, const char *path)
{
	char parent[PATH_TEXT];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return true;
	if ((size_t)(slash - path) >= sizeof(parent))
		return true;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return !faccessat(dir, parent, F_OK, 0);
}

static bool fails_with(int error)
{
	errno = error;
	return true;
}

static bool judge(const char *op, int dir, const char *path, int dir2, const char *path2,
                  int64_t number, uint32_t facts, const void *caller)
{
	char target[PATH_TEXT], target2[PATH_TEXT];
	struct mw_effect effect = {.class = MW_WRITE, .op = op, .number = number, .facts = facts};

	effect.target = absolute(dir, path, target);
	if (path2)
		effect.target2 = absolute(dir2, path2, target2);
	return mw_refused(&effect, true, caller);
}

/* The announcement of an open says nothing of the directory that its path starts from. What it let
 * through is judged once more, by the whole path. */
static bool is_elsewhere(int dir, const char *path)
{
	const struct mw_note *note = &mw_thread.note;
	const struct mw_effect effect = {.class = MW_WRITE, .target = path};

	return dir != AT_FDCWD && path[0] != '/' && !mw_thread.busy &&
	       mw_note_implies(note, &effect) && !note->id[0];
}

static bool refuse_elsewhere(const char *op, int dir, const char *path, int flags)
{
	const struct mw_note note = mw_thread.note;
	char target[PATH_TEXT];
	const struct mw_effect effect = {.class = MW_WRITE,
	                                 .cause = note.cause,
	                                 .sensor = MW_LIBC,
	                                 .op = op,
	                                 .number = flags,
	                                 .target = absolute(dir, path, target),
	                                 .facts = note.facts};

	mw_thread.note.valid = false;
	return mw_refused_as(&effect);
}

static bool refuse_write(const char *op, int dir, const char *path, int flags, const void *caller)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
	struct stat st;
	uint32_t facts = 0;

	if (!writes || flags & O_PATH)
		return false;
	if (is_elsewhere(dir, path))
		return refuse_elsewhere(op, dir, path, flags);
	if (mw_announced(MW_WRITE, path))
		return false;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return false; /* nameless until linked, and linkat() is wrapped */
	if (!fstatat(dir, path, &st, 0)) {
		if (S_ISCHR(st.st_mode))
			facts |= MW_FACT_DEVICE;
		if (flags & O_CREAT && flags & O_EXCL)
			return fails_with(EEXIST);
	} else {
		if (!(flags & O_CREAT) || !parent_exists(dir, path))
			return fails_with(ENOENT);
		facts |= MW_FACT_NEW;
	}
	return judge(op, dir, path, 0, NULL, flags, facts, caller);
}

bool mw_refuse_open(const char *op, int dir, const char *path, int flags, const void *caller)
{
	return path && (refuse_write(op, dir, path, flags, caller) ||
	                mw_refuse_read(op, dir, path, flags, caller));
}

int mw_mode_flags(const char *mode)
{
	int flags = O_RDONLY;

	if (mode[0] == 'w')
		flags = O_WRONLY | O_CREAT | O_TRUNC;
	else if (mode[0] == 'a')
		flags = O_WRONLY | O_CREAT | O_APPEND;
	if (strchr(mode, '+'))
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	if (strchr(mode, 'x'))
		flags |= O_EXCL;
	return flags;
}

bool mw_refuse_fopen(const char *op, const char *path, const char *mode, const void *caller)
{
	return path && mode && mw_refuse_open(op, AT_FDCWD, path, mw_mode_flags(mode), caller);
}

bool mw_refuse_create(const char *op, int dir, const char *path, const void *caller)
{
	struct stat st;

	if (!path || mw_announced(MW_WRITE, path))
		return false;
	if (!fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW))
		return fails_with(EEXIST);
	if (!parent_exists(dir, path))
		return fails_with(ENOENT);
	return judge(op, dir, path, 0, NULL, 0, MW_FACT_NEW, caller);
}

bool mw_refuse_change(const char *op, int dir, const char *path, int dir2, const char *path2,
                      const void *caller)
{
	struct stat st;

	if (!path || mw_announced(MW_WRITE, path))
		return false;
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW))
		return fails_with(errno);
	return judge(op, dir, path, dir2, path2, 0, 0, caller);
}

/* A change to an open file: truncation, mode, owner. Whoever opened it for writing was judged then;
 * what remains is what needs no write access. */
bool mw_refuse_fd(const char *op, int fd, const void *caller)
{
	char link[40], target[PATH_TEXT];
	struct mw_effect effect = {.class = MW_WRITE, .op = op, .target = target};
	ssize_t n;

	if (mw_announced(MW_WRITE, NULL))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0)
		return fails_with(EBADF);
	target[n] = '\0';
	return mw_refused(&effect, true, caller);
}

bool mw_refuse_shared_memory(const char *name, int flags, const void *caller)
{
	char path[PATH_TEXT];

	if (!(flags & O_CREAT))
		return false; /* values in shared memory are opened so */
	snprintf(path, sizeof(path), "/dev/shm/%s", name + strspn(name, "/"));
	return mw_refuse_open("shm_open", AT_FDCWD, path, flags, caller);
}

bool mw_refuse_semaphore(const char *op, const char *name, int flags, const void *caller)
{
	bool opens = !strcmp(op, "sem_open");
	char path[PATH_TEXT];

	if (!name || (opens && !(flags & O_CREAT)))
		return false;
	snprintf(path, sizeof(path), "/dev/shm/sem.%s", name + strspn(name, "/"));
	return opens ? mw_refuse_open(op, AT_FDCWD, path, flags | O_RDWR, caller)
	             : mw_refuse_change(op, AT_FDCWD, path, 0, NULL, caller);
}
