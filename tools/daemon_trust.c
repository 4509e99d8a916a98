/* Which files hold code that the user has brought, and not the model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/paths.h"
#include "daemon_matter.h"

#define SECOND 1000000000u

/* Where packages and the standard library are. */
static bool is_package(const char *path)
{
	return strstr(path, "/site-packages/") || strstr(path, "/dist-packages/") ||
	       strstr(path, "/lib/python3.") || strstr(path, "/lib64/python3.");
}

static bool is_absolute(const char *path)
{
	return path[0] == '/' && !strstr(path, "/../") && !strstr(path, "/./");
}

static bool cut_name(char path[static PATH_MAX])
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* Where the program's own code begins: the directory of the script, which the interpreter puts
 * first on sys.path. */
static bool is_beside_script(const struct mw_daemon_matter *m, const char *path)
{
	const struct mw_daemon_frame *script =
	        m->frame_count ? &m->frame[m->frame_count - 1] : NULL;
	char directory[PATH_MAX];

	if (!script || m->frame_count <= m->inside || m->k->frames_cut ||
	    strcmp(script->function, "<module>") != 0 || !is_absolute(script->file) ||
	    strlen(script->file) >= sizeof(directory))
		return false;
	strcpy(directory, script->file);
	return cut_name(directory) && mw_path_inside(path, directory);
}

static bool came_with_model(const struct mw_daemon_matter *m, const char *path)
{
	char directory[PATH_MAX];

	if (!m->artifact[0])
		return false;
	memcpy(directory, m->artifact, sizeof(directory));
	return cut_name(directory) && mw_path_inside(path, directory) && !is_beside_script(m, path);
}

static int64_t seconds_of(uint64_t boot_ns)
{
	struct timespec real, boot;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return real.tv_sec - boot.tv_sec + (int64_t)(boot_ns / SECOND);
}

/* The status of the file, or of the archive that it lies in. */
static bool look(const struct mw_daemon_matter *m, const char *path, struct stat *ret)
{
	char text[PATH_MAX + 40];
	int root = snprintf(text, sizeof(text), "/proc/%d/root", (int)m->pid);

	if (strlen(path) >= PATH_MAX)
		return false;
	strcpy(text + root, path);
	for (char *slash; stat(text, ret);) {
		slash = strrchr(text + root, '/');
		if (!slash || slash == text + root)
			return false;
		*slash = '\0';
	}
	return S_ISREG(ret->st_mode);
}

/* Whether it is there, is root's or the user's own, and is older than the load. */
static bool is_kept(const struct mw_daemon_matter *m, const char *path)
{
	struct stat st;

	if (!look(m, path, &st) || (st.st_uid && st.st_uid != m->k->uid))
		return false;
	return !m->load || !m->load->since || st.st_ctime <= seconds_of(m->load->since);
}

/* The libraries two levels above the program: of a prefix such as a virtual environment. */
static bool is_in_prefix(const struct mw_daemon_matter *m, const char *path)
{
	char link[40], prefix[PATH_MAX + 8];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)m->pid);
	len = readlink(link, prefix, PATH_MAX - 1);
	if (len <= 0)
		return false;
	prefix[len] = '\0';
	if (!cut_name(prefix) || !cut_name(prefix) || !prefix[1])
		return false;
	strcat(prefix, "/lib");
	return !strncmp(path, prefix, strlen(prefix));
}

bool mw_daemon_is_installed(const struct mw_daemon_matter *m, const char *path)
{
	if (!is_absolute(path) || mw_is_in_model_cache(path) || came_with_model(m, path))
		return false;
	return mw_is_of_system(path) ||
	       ((is_package(path) || is_in_prefix(m, path)) && is_kept(m, path));
}

bool mw_daemon_trusts(const struct mw_daemon_matter *m, const char *path)
{
	if (!strncmp(path, "<frozen ", 8))
		return true; /* who cannot make code cannot give it that name */
	if (!is_absolute(path) || mw_is_in_model_cache(path) || came_with_model(m, path))
		return false;
	return is_kept(m, path);
}
