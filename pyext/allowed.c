/* Which files may prove an import: those that were there before the load, in the directories that
 * whoever runs the job put on sys.path. What came with the model is not among them. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ext.h"

static bool is_installed(const char *path)
{
	return strstr(path, "/site-packages/") || strstr(path, "/dist-packages/") ||
	       !strncmp(path, "/usr/", 5) || !strncmp(path, "/opt/", 5);
}

static bool is_under(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return !strncmp(path, directory, len) && path[len] == '/';
}

/* A directory may be on sys.path and hold a model all the same: then it is the user's own. */
static bool came_with(const char *artifact, const char *path)
{
	char directory[PATH_MAX], *slash;

	if (!*artifact || !realpath(artifact, directory))
		return false;
	slash = strrchr(directory, '/');
	*(slash == directory ? slash + 1 : slash) = '\0';
	return is_under(path, directory) && !mw_shim->is_entry(directory);
}

static bool is_newer(const char *path, int64_t since)
{
	struct stat st;

	return !stat(path, &st) && st.st_ctime > since;
}

bool mw_is_allowed_file(const struct mw_load *load, const char *path, int64_t since)
{
	if (!mw_shim->trusted(path) || is_newer(path, since))
		return false;
	if (is_installed(path))
		return true;
	for (; load; load = load->outer)
		if (came_with(load->path, path))
			return false;
	return true;
}

/* The directory that holds `path` but for the packages that the dotted `name` leads through. */
static bool cut_packages(char *path, const char *name)
{
	char *slash = strrchr(path, '/');

	for (; slash; slash = strrchr(path, '/'), name = strchr(name, '.') + 1) {
		*slash = '\0';
		if (!strchr(name, '.'))
			return true;
	}
	return false;
}

bool mw_is_allowed_extension(const struct mw_load *load, const char *name, const char *path,
                             int64_t since)
{
	char directory[PATH_MAX];

	if (!mw_is_allowed_file(load, path, since))
		return false;
	if (is_installed(path))
		return true;
	if (strlen(path) >= sizeof(directory))
		return false;
	strcpy(directory, path);
	return cut_packages(directory, name) && mw_shim->is_entry(directory);
}
