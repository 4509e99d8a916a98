#include "mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int mw_mapped_find_here(const struct mw_map *map, const char *path, struct stat *st)
{
	int fd;

	if (*path != '/')
		return -ENOENT;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0 || !mw_map_is_file(map, st)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

/* The kernel's own link to the mapped file works for deleted files and across mount namespaces,
 * but needs CAP_CHECKPOINT_RESTORE. */
int mw_mapped_find(pid_t pid, const struct mw_map *map, const char *path, struct stat *st)
{
	char link[4096 + 64];
	int fd;

	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
	         map->start, map->end);
	fd = mw_mapped_find_here(map, link, st);
	if (fd >= 0)
		return fd;
	if (snprintf(link, sizeof(link), "/proc/%d/root%s", (int)pid, path) >= (int)sizeof(link))
		return -ENAMETOOLONG;
	return mw_mapped_find_here(map, link, st);
}

int mw_mapped_open(int path_fd)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}
