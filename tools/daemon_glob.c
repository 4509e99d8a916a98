#include "daemon_glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is there so far, and what is to come. */
struct walk {
	struct mw_file_walk *glob;
	size_t len;
	char path[PATH_MAX];
};

static int open_below(const struct mw_file_walk *glob, const char *path, uint64_t flags)
{
	struct open_how how = {
	        .flags = flags | O_CLOEXEC,
	        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, glob->root, *path ? path : "/", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static bool offer(struct walk *walk)
{
	struct mw_file_walk *glob = walk->glob;
	bool more = true;
	struct stat st;
	int fd;

	fd = open_below(glob, walk->path, O_PATH);
	if (fd < 0)
		return true;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		more = glob->each(glob->context, fd, &st, walk->path);
	close(fd);
	return more;
}

static bool step(struct walk *walk, const char *rest);

/* Goes on with a name put behind the path, and takes it away again. */
static bool enter(struct walk *walk, const char *name, size_t name_len, const char *rest)
{
	size_t len = walk->len;
	bool more;

	if (len + name_len + 2 > sizeof(walk->path))
		return true;
	walk->path[len] = '/';
	memcpy(walk->path + len + 1, name, name_len);
	walk->len = len + 1 + name_len;
	walk->path[walk->len] = 0;
	more = *rest ? step(walk, rest) : offer(walk);
	walk->len = len;
	walk->path[len] = 0;
	return more;
}

static bool list(struct walk *walk, const char *pattern, const char *rest)
{
	const struct dirent *entry;
	bool more = true;
	DIR *dir;
	int fd;

	fd = open_below(walk->glob, walk->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return true;
	}
	while (more && (entry = readdir(dir))) {
		if (!walk->glob->entries)
			more = false;
		else
			walk->glob->entries--;
		if (more && !fnmatch(pattern, entry->d_name, FNM_PERIOD))
			more = enter(walk, entry->d_name, strlen(entry->d_name), rest);
	}
	closedir(dir);
	return more;
}

static bool step(struct walk *walk, const char *rest)
{
	char pattern[NAME_MAX + 1];
	size_t len;

	rest += strspn(rest, "/");
	len = strcspn(rest, "/");
	if (!len || len >= sizeof(pattern))
		return true;
	memcpy(pattern, rest, len);
	pattern[len] = 0;
	if (pattern[strcspn(pattern, "*?[\\")])
		return list(walk, pattern, rest + len);
	return enter(walk, pattern, len, rest + len);
}

bool mw_walk_files(struct mw_file_walk *glob, const char *base, const char *pattern)
{
	struct walk walk = {.glob = glob, .len = strlen(base)};

	if (walk.len >= sizeof(walk.path))
		return true;
	memcpy(walk.path, base, walk.len + 1);
	return step(&walk, pattern);
}
