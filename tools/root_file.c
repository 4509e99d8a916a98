#include "root_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_ours(int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != type)
		return false;
	return (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

int mw_root_directory(const char *root, const char *path)
{
	char name[PATH_MAX];
	int fd;

	if (snprintf(name, sizeof(name), "%s%s", root, path) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (is_ours(fd, S_IFDIR))
		return fd;
	close(fd);
	return -EPERM;
}

static char *read_all(int fd, size_t max, size_t *ret_len)
{
	char *text = malloc(max + 1), *fit;
	size_t len = 0;
	ssize_t n = text ? 1 : 0;

	while (n > 0 && len <= max) {
		n = read(fd, text + len, max + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (!text || n < 0 || len > max || !len) {
		free(text);
		return NULL;
	}
	fit = realloc(text, len);
	*ret_len = len;
	return fit ? fit : text;
}

json_t *mw_root_json(int directory, const char *name, size_t max)
{
	const struct open_how how = {
	        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
	char *text = NULL;
	json_t *json;
	size_t len;

	if (fd < 0)
		return NULL;
	if (is_ours(fd, S_IFREG))
		text = read_all(fd, max, &len);
	close(fd);
	json = text ? json_loadb(text, len, 0, NULL) : NULL;
	free(text);
	return json;
}
