/* Which files may prove an import: those that were there before the load, in the directories that
 * whoever runs the job put on sys.path. What came with the model is not among them. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/paths.h"
#include "ext.h"

/* Below a directory of packages that was on sys.path, or of the system. */
static bool is_installed(const char *path)
{
	static const char *const names[] = {"/site-packages/", "/dist-packages/"};
	char directory[PATH_MAX];

	if (!strncmp(path, "/usr/", 5) || !strncmp(path, "/opt/", 5))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *at = strstr(path, names[i]);
		size_t len = at ? (size_t)(at - path) + strlen(names[i]) - 1 : 0;

		if (!at || len >= sizeof(directory))
			continue;
		memcpy(directory, path, len);
		directory[len] = '\0';
		if (mw_shim->is_entry(directory))
			return true;
	}
	return false;
}

/* A ZIP archive that is an entry of sys.path was packed by whoever put it there. */
static bool is_in_archive(const char *path)
{
	char archive[PATH_MAX], *slash;
	struct stat st;

	if (strlen(path) >= sizeof(archive))
		return false;
	strcpy(archive, path);
	while ((slash = strrchr(archive, '/')) && slash != archive) {
		*slash = '\0';
		if (!stat(archive, &st))
			return S_ISREG(st.st_mode) && mw_shim->is_entry(archive);
	}
	return false;
}

/* The user's own code lies in an entry of sys.path or in packages below it. Any directory is a
 * package of a kind, that of a downloaded model too: one without __init__.py does not count. */
static bool is_in_packages(const char *path)
{
	char directory[PATH_MAX], init[PATH_MAX + 16];
	char *slash;

	if (strlen(path) >= sizeof(directory))
		return false;
	strcpy(directory, path);
	while ((slash = strrchr(directory, '/')) && slash != directory) {
		*slash = '\0';
		if (mw_shim->is_entry(directory))
			return true;
		snprintf(init, sizeof(init), "%s/__init__.py", directory);
		if (access(init, F_OK))
			return false;
	}
	return false;
}

/* A directory may be on sys.path and hold a model all the same: then it is the user's own. */
static bool came_with(const char *artifact, const char *path)
{
	char directory[PATH_MAX], *slash;

	if (!*artifact || !realpath(artifact, directory))
		return false;
	slash = strrchr(directory, '/');
	*(slash == directory ? slash + 1 : slash) = '\0';
	return mw_path_inside(path, directory) && !mw_shim->is_entry(directory);
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
	return is_in_packages(path) || is_in_archive(path);
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

/* sys.pycache_prefix as the interpreter started. */
static char pycache_prefix[PATH_MAX];

void mw_allowed_init(void)
{
	PyObject *prefix = PySys_GetObject("pycache_prefix");
	const char *text =
	        prefix && PyUnicode_Check(prefix) ? PyUnicode_AsUTF8AndSize(prefix, NULL) : NULL;

	PyErr_Clear();
	if (text && strlen(text) < sizeof(pycache_prefix))
		strcpy(pycache_prefix, text);
}

/* Only reached below a proved import. The import system computes the path, from values that a
 * payload may have changed. */
bool mw_is_bytecode_path(const char *target)
{
	size_t len = strlen(pycache_prefix);

	if (!strchr(target, '/') || strstr(target, "/../"))
		return false;
	if (len && !strncmp(target, pycache_prefix, len))
		return mw_is_bytecode_name(target) || !strchr(strrchr(target, '/'), '.');
	return mw_is_cached_bytecode(target);
}
