#include "installed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const places[] = {"", "../lib/modelwatch/"};

int mw_installed(const char *name, char ret[static PATH_MAX])
{
	char self[PATH_MAX], path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return -errno;
	self[len] = '\0';
	*(strrchr(self, '/') + 1) = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int used = snprintf(path, sizeof(path), "%s%s%s", self, places[i], name);

		if (used < 0 || (size_t)used >= sizeof(path))
			return -ENAMETOOLONG;
		if (!access(path, R_OK))
			return realpath(path, ret) ? 0 : -errno;
	}
	return -ENOENT;
}
