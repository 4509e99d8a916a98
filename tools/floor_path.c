#include "floor_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "floor_walk.h"

char *mw_floor_path_of_fd(int fd)
{
	char link[40], text[PATH_MAX + 1];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, text, sizeof(text));
	if (len < 0 || (size_t)len == sizeof(text))
		return NULL;
	text[len] = '\0';
	return strdup(text);
}

/* `name` in the directory `dir`. */
static char *below(const char *dir, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}

static char *name_target(const struct mw_walk *w, const char *path)
{
	char *start, *target;

	if (*path == '/')
		return strdup(path);
	start = mw_floor_path_of_fd(w->at);
	if (!start || !*path)
		return start;
	target = below(start, path);
	free(start);
	return target;
}

/* A directory that was removed has no entries, and none can be made. */
static bool is_gone(int dir, const char *text)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(text), tail = sizeof(mark) - 1;
	struct stat st;

	return len > tail && !strcmp(text + len - tail, mark) && !fstat(dir, &st) && !st.st_nlink;
}

/* What the walk has come to, in words; the path that ends in a directory gets its entry. */
static int describe(struct mw_walk *w)
{
	struct mw_floor_path *ret = w->ret;
	char *dir;

	if (ret->last == MW_LAST_FILE) {
		ret->name = "";
		ret->file = mw_floor_path_of_fd(ret->entry);
		return ret->file ? 0 : MW_FLOOR_CANNOT;
	}
	ret->parent = w->at;
	w->at = -1;
	dir = mw_floor_path_of_fd(ret->parent);
	if (!dir)
		return MW_FLOOR_CANNOT;
	if (ret->last != MW_LAST_NAME) {
		ret->name = "";
		ret->file = dir;
		return mw_walk_finish(w, mw_walk_duplicate(ret->parent), ret->last);
	}
	if (is_gone(ret->parent, dir)) {
		free(dir);
		return -ENOENT;
	}
	ret->file = below(dir, ret->name);
	free(dir);
	if (!ret->file)
		return MW_FLOOR_CANNOT;
	ret->name = strrchr(ret->file, '/') + 1;
	return 0;
}

/* Opens where the walk begins. Only what a descriptor is can be the task's own error. */
static int start(struct mw_walk *w, int dir, const char *path)
{
	char name[24];

	w->root = mw_tracee_open(w->tracee, "root", O_PATH | O_DIRECTORY);
	if (w->root < 0)
		return MW_FLOOR_CANNOT;
	if (*path == '/') {
		w->at = mw_walk_duplicate(w->root);
		return w->at < 0 ? MW_FLOOR_CANNOT : 0;
	}
	if (dir == AT_FDCWD) {
		w->at = mw_tracee_open(w->tracee, "cwd", O_PATH | O_DIRECTORY);
		return w->at < 0 ? MW_FLOOR_CANNOT : 0;
	}
	if (dir < 0)
		return -EBADF;
	snprintf(name, sizeof(name), "fd/%d", dir);
	w->at = mw_tracee_open(w->tracee, name, *path ? O_PATH | O_DIRECTORY : O_PATH);
	if (w->at == -ENOENT)
		return -EBADF;
	return w->at == -ENOTDIR ? -ENOTDIR : w->at < 0 ? MW_FLOOR_CANNOT : 0;
}

static int walk(struct mw_walk *w, const char *path)
{
	int fd;

	w->ret->target = name_target(w, path);
	if (!w->ret->target)
		return MW_FLOOR_CANNOT;
	if (*path)
		return mw_walk(w);
	fd = w->at;
	w->at = -1;
	return mw_walk_finish(w, fd, MW_LAST_FILE);
}

int mw_floor_path(const struct mw_tracee *tracee, int dir, const char *path, int flags,
                  struct mw_floor_path *ret)
{
	struct mw_walk w = {.tracee = tracee, .flags = flags, .root = -1, .at = -1, .ret = ret};
	int error;

	*ret = (struct mw_floor_path){.parent = -1, .entry = -1, .name = ""};
	if (!*path && !(flags & MW_FLOOR_EMPTY))
		return -ENOENT;
	w.text = w.rest = strdup(path);
	error = w.text ? start(&w, dir, path) : MW_FLOOR_CANNOT;
	if (!error)
		error = walk(&w, path);
	if (!error)
		error = describe(&w);
	if (error)
		mw_floor_path_close(ret);
	if (w.root >= 0)
		close(w.root);
	if (w.at >= 0)
		close(w.at);
	free(w.text);
	return error;
}

void mw_floor_path_close(struct mw_floor_path *path)
{
	if (path->parent >= 0)
		close(path->parent);
	if (path->entry >= 0)
		close(path->entry);
	free(path->file);
	free(path->target);
	*path = (struct mw_floor_path){.parent = -1, .entry = -1, .name = ""};
}
