#include "floor_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif
#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif

#define LINKS_MAX 40    /* as the kernel */
#define PROC_ROOT_INO 1 /* of the root of every procfs */
#define HOLD (O_PATH | O_CLOEXEC)

int mw_walk_failure(void)
{
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? MW_FLOOR_CANNOT : -errno;
}

int mw_walk_duplicate(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void move(struct mw_walk *w, int fd)
{
	close(w->at);
	w->at = fd;
}

static int enter(struct mw_walk *w, const char *name, int flags)
{
	int fd = openat(w->at, name, HOLD | O_DIRECTORY | flags);

	if (fd < 0)
		return mw_walk_failure();
	move(w, fd);
	return 0;
}

static int to_root(struct mw_walk *w)
{
	int fd = mw_walk_duplicate(w->root);

	if (fd < 0)
		return mw_walk_failure();
	move(w, fd);
	w->ret->last = MW_LAST_ROOT;
	return 0;
}

/* ".." ends at the root. A directory can be mounted in two places, so the mount counts, too. */
static bool at_root(const struct mw_walk *w)
{
	struct statx a = {0}, b = {0};

	if (statx(w->root, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &a) < 0 ||
	    statx(w->at, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &b) < 0)
		return true;
	return a.stx_ino == b.stx_ino && a.stx_dev_major == b.stx_dev_major &&
	       a.stx_dev_minor == b.stx_dev_minor && a.stx_mnt_id == b.stx_mnt_id;
}

static int enter_dots(struct mw_walk *w, const char *name)
{
	w->ret->last = name[1] ? MW_LAST_DOTDOT : MW_LAST_DOT;
	return enter(w, name[1] && at_root(w) ? "." : name, 0);
}

static bool links_are_protected(void)
{
	int fd = open("/proc/sys/fs/protected_symlinks", O_RDONLY | O_CLOEXEC);
	char value = '1';

	if (fd >= 0) {
		if (read(fd, &value, 1) < 1)
			value = '1';
		close(fd);
	}
	return value != '0';
}

/* What the kernel asks before it follows a link in the last part: proc(5), protected_symlinks. The
 * task's fsuid is ours. */
static bool may_follow(const struct mw_walk *w, const struct stat *link)
{
	const mode_t open_to_all = S_ISVTX | S_IWOTH;
	struct stat dir;

	if (link->st_uid == geteuid() || fstat(w->at, &dir) < 0 ||
	    (dir.st_mode & open_to_all) != open_to_all || dir.st_uid == link->st_uid)
		return true;
	return !links_are_protected();
}

/* Goes on with `text` in place of the link. */
static int replace(struct mw_walk *w, const char *text)
{
	size_t len = strlen(text), rest = strlen(w->rest);
	char *joined;

	if (!len)
		return -ENOENT;
	joined = malloc(len + rest + 2);
	if (!joined)
		return MW_FLOOR_CANNOT;
	memcpy(joined, text, len);
	joined[len] = '/';
	memcpy(joined + len + (rest > 0), w->rest, rest + 1);
	free(w->text);
	w->text = joined;
	w->rest = joined + strspn(joined, "/");
	return *joined == '/' ? to_root(w) : 0;
}

/* /proc/self names whoever reads it. That the procfs counts tasks as we do is told by its naming
 * us as we know ourselves. */
static int replace_self(struct mw_walk *w, int link, bool thread)
{
	char text[64] = "", ours[64];
	ssize_t len = readlinkat(link, "", text, sizeof(text) - 1);

	snprintf(ours, sizeof(ours), thread ? "%d/task/%d" : "%d", (int)getpid(), (int)gettid());
	if (len < 0 || strcmp(text, ours) != 0)
		return MW_FLOOR_CANNOT;
	snprintf(text, sizeof(text), thread ? "%d/task/%d" : "%d", (int)w->tracee->pid,
	         (int)w->tracee->tid);
	return replace(w, text);
}

static int replace_link(struct mw_walk *w, int link)
{
	char text[PATH_MAX];
	ssize_t len = readlinkat(link, "", text, sizeof(text));

	if (len < 0)
		return mw_walk_failure();
	if (len == sizeof(text))
		return -ENAMETOOLONG;
	text[len] = '\0';
	return replace(w, text);
}

int mw_walk_finish(struct mw_walk *w, int fd, enum mw_floor_last last)
{
	w->ret->last = last;
	w->ret->entry = fd;
	w->ret->exists = fd >= 0;
	w->rest = w->text + strlen(w->text);
	return fd >= 0 && fstat(fd, &w->ret->st) < 0 ? mw_walk_failure() : 0;
}

/* Lets the kernel follow a link that leads to an object, whatever its text says. */
static int jump(struct mw_walk *w, const char *name, bool trailing)
{
	int fd;

	if (!trailing)
		return enter(w, name, 0);
	fd = openat(w->at, name, HOLD);
	return fd < 0 ? mw_walk_failure() : mw_walk_finish(w, fd, MW_LAST_FILE);
}

static int follow_proc(struct mw_walk *w, int link, const char *name, bool trailing)
{
	struct stat dir;

	if (fstat(w->at, &dir) < 0)
		return mw_walk_failure();
	if (dir.st_ino != PROC_ROOT_INO)
		return jump(w, name, trailing);
	if (!strcmp(name, "self") || !strcmp(name, "thread-self"))
		return replace_self(w, link, *name == 't');
	return replace_link(w, link);
}

/* Follows the link `name`, which `link` holds. */
static int follow(struct mw_walk *w, int link, const char *name, bool trailing)
{
	struct statfs fs;
	struct stat st;

	if (fstat(link, &st) < 0 || fstatfs(link, &fs) < 0)
		return mw_walk_failure();
	if (!S_ISLNK(st.st_mode))
		return -ENOTDIR;
	if (++w->links > LINKS_MAX || (fs.f_flags & ST_NOSYMFOLLOW))
		return -ELOOP;
	if (trailing && !may_follow(w, &st))
		return -EACCES;
	if (fs.f_type == PROC_SUPER_MAGIC)
		return follow_proc(w, link, name, trailing);
	return replace_link(w, link);
}

/* O_DIRECTORY, so that an automount takes place, as it would for the task. */
static int middle_part(struct mw_walk *w, const char *name)
{
	int error = enter(w, name, O_NOFOLLOW), link;

	if (error != -ENOTDIR)
		return error;
	link = openat(w->at, name, HOLD | O_NOFOLLOW);
	if (link < 0)
		return mw_walk_failure();
	error = follow(w, link, name, false);
	close(link);
	return error;
}

static int last_part(struct mw_walk *w, const char *name)
{
	int fd = openat(w->at, name, HOLD | O_NOFOLLOW), error;
	bool follows =
	        (w->flags & MW_FLOOR_FOLLOW) || (w->ret->slash && !(w->flags & MW_FLOOR_NAME));

	if (fd < 0 && errno != ENOENT)
		return mw_walk_failure();
	w->ret->name = name;
	error = mw_walk_finish(w, fd, MW_LAST_NAME);
	if (error || fd < 0 || !S_ISLNK(w->ret->st.st_mode) || !follows)
		return error;
	w->ret->entry = -1;
	w->ret->exists = false;
	error = follow(w, fd, name, true);
	close(fd);
	return error;
}

static int step(struct mw_walk *w)
{
	char *name = w->rest, *end = name + strcspn(name, "/"), *next = end + strspn(end, "/");
	bool last = !*next;

	if (last && *end)
		w->ret->slash = true;
	*end = '\0';
	w->rest = next;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return enter_dots(w, name);
	return last ? last_part(w, name) : middle_part(w, name);
}

int mw_walk(struct mw_walk *w)
{
	int error = 0;

	w->ret->last = MW_LAST_ROOT;
	w->rest += strspn(w->rest, "/");
	while (!error && *w->rest)
		error = step(w);
	return error;
}
