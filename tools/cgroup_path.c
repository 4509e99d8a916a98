#include "cgroup_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT 256           /* a power of two */
#define KERNFS_HANDLE 0xfe /* FILEID_KERNFS: the handle is the number */

struct kept {
	uint64_t id; /* 0: empty */
	char *path;
};

struct mw_cgroup_paths {
	int mount;
	size_t root_len;
	char root[PATH_MAX];
	size_t next;
	struct kept kept[KEPT];
};

/* The first mount of version 2, whose root is the whole hierarchy. */
static int find_mount(char root[static PATH_MAX])
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int error = -ENODEV;

	if (!in)
		return -errno;
	while (error && getline(&line, &size, in) > 0) {
		const char *type = strstr(line, " - ");

		if (type && !strncmp(type, " - cgroup2 ", 11) &&
		    sscanf(line, "%*s %*s %*s / %4095s", root) == 1)
			error = 0;
	}
	free(line);
	fclose(in);
	return error;
}

int mw_cgroup_paths_open(struct mw_cgroup_paths **ret)
{
	struct mw_cgroup_paths *paths = calloc(1, sizeof(*paths));
	int error = paths ? find_mount(paths->root) : -ENOMEM;

	if (!error) {
		paths->root_len = strlen(paths->root);
		paths->mount = open(paths->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		error = paths->mount < 0 ? -errno : 0;
	}
	if (error) {
		free(paths);
		return error;
	}
	*ret = paths;
	return 0;
}

void mw_cgroup_paths_close(struct mw_cgroup_paths *paths)
{
	if (!paths)
		return;
	for (size_t i = 0; i < KEPT; i++)
		free(paths->kept[i].path);
	close(paths->mount);
	free(paths);
}

static const char *find(const struct mw_cgroup_paths *paths, uint64_t id)
{
	for (size_t i = 0; i < KEPT; i++)
		if (paths->kept[i].id == id)
			return paths->kept[i].path;
	return NULL;
}

static void keep(struct mw_cgroup_paths *paths, uint64_t id, const char *path)
{
	struct kept *kept = &paths->kept[paths->next];
	char *text = strdup(path);

	if (!text)
		return;
	free(kept->path);
	*kept = (struct kept){.id = id, .path = text};
	paths->next = (paths->next + 1) % KEPT;
}

/* The name of an open directory, less the mount's; empty when it has gone. */
static int name_of(const struct mw_cgroup_paths *paths, int fd, char ret[static PATH_MAX])
{
	char link[40];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, PATH_MAX - 1);
	if (n < (ssize_t)paths->root_len || strncmp(ret, paths->root, paths->root_len) != 0)
		return -ENOENT;
	ret[n] = '\0';
	if (fstat(fd, &st) < 0 || !st.st_nlink)
		return -ESTALE;
	memmove(ret, ret + paths->root_len, (size_t)n - paths->root_len + 1);
	if (!*ret)
		memcpy(ret, "/", 2);
	return 0;
}

static int ask_kernel(const struct mw_cgroup_paths *paths, uint64_t id, char ret[static PATH_MAX])
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + sizeof(id)];
	} of = {.handle = {.handle_bytes = sizeof(id), .handle_type = KERNFS_HANDLE}};
	int fd, error;

	memcpy(of.bytes + sizeof(of.handle), &id, sizeof(id));
	fd = open_by_handle_at(paths->mount, &of.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = name_of(paths, fd, ret);
	close(fd);
	return error;
}

int mw_cgroup_path(struct mw_cgroup_paths *paths, uint64_t id, char *ret, size_t size)
{
	char path[PATH_MAX];
	const char *known = id ? find(paths, id) : NULL;
	int error = known ? 0 : id ? ask_kernel(paths, id, path) : -ESTALE;

	if (error)
		return error;
	if (!known) {
		keep(paths, id, path);
		known = path;
	}
	return snprintf(ret, size, "%s", known) < (int)size ? 0 : -ENAMETOOLONG;
}

void mw_cgroup_paths_note(struct mw_cgroup_paths *paths, const char *path)
{
	struct stat st;

	/* The root is known anyway; what is outside of it has no name here. */
	if (path[0] != '/' || !path[1] || !strncmp(path, "/..", 3))
		return;
	if (fstatat(paths->mount, path + 1, &st, AT_SYMLINK_NOFOLLOW) < 0 || find(paths, st.st_ino))
		return;
	keep(paths, st.st_ino, path);
}
