/* Which files hold code that the user has brought, and not the model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../core/paths.h"
#include "daemon_matter.h"
#include "when.h"

#define SECOND INT64_C(1000000000)

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

static const struct mw_given *given(const struct mw_daemon_matter *m)
{
	static const struct mw_given nothing = {
	        .exe = "", .cwd = "", .python_path = "", .pycache_prefix = ""};
	const struct mw_given *known = mw_given_of(m->givens, m->pid, m->k->head.start);

	return known ? known : &nothing;
}

/* Where the program's own code begins: the directory of the script, which the interpreter puts
 * first on sys.path; of what is not a file, the directory that it works in. */
static bool find_own_directory(const struct mw_daemon_matter *m, char ret[static PATH_MAX])
{
	const struct mw_daemon_frame *script =
	        m->frame_count ? &m->frame[m->frame_count - 1] : NULL;

	if (!script || m->frame_count <= m->inside || m->k->frames_cut)
		return false;
	if (!strcmp(script->function, "<module>") && is_absolute(script->file) &&
	    strlen(script->file) < PATH_MAX) {
		strcpy(ret, script->file);
		return cut_name(ret);
	}
	if (m->globals.makes_code || (strcmp(script->file, "<string>") != 0 &&
	                              strcmp(script->function, "_run_module_as_main") != 0))
		return false;
	snprintf(ret, PATH_MAX, "%s", given(m)->cwd);
	return ret[0] == '/';
}

static bool is_directory(const char *path, const char *directory)
{
	return mw_path_inside(path, directory) && mw_path_inside(directory, path);
}

/* Below a directory of the list in an environment variable; `exactly`: one itself. */
static bool is_in_list(const char *list, const char *path, bool exactly)
{
	for (; *list; list += *list == ':') {
		size_t len = strcspn(list, ":");
		char directory[PATH_MAX];

		if (*list == '/' && len < sizeof(directory)) {
			memcpy(directory, list, len);
			directory[len] = '\0';
			if (exactly ? is_directory(path, directory)
			            : mw_path_inside(path, directory))
				return true;
		}
		list += len;
	}
	return false;
}

static bool is_own(const struct mw_daemon_matter *m, const char *path)
{
	char directory[PATH_MAX];

	return is_in_list(given(m)->python_path, path, false) ||
	       (find_own_directory(m, directory) && mw_path_inside(path, directory));
}

/* A directory of the user's own may hold a model all the same; not so what lies below it, where
 * models are put. */
static bool is_own_entry(const struct mw_daemon_matter *m, const char *path)
{
	char directory[PATH_MAX];

	return is_in_list(given(m)->python_path, path, true) ||
	       (find_own_directory(m, directory) && is_directory(path, directory));
}

bool mw_daemon_is_bytecode(const struct mw_daemon_matter *m, const char *path)
{
	const char *prefix;

	if (mw_is_cached_bytecode(path))
		return true;
	prefix = is_absolute(path) ? given(m)->pycache_prefix : "";
	return prefix[0] == '/' && prefix[1] && mw_path_inside(path, prefix) &&
	       (mw_is_bytecode_name(path) || m->k->number == SYS_mkdir ||
	        m->k->number == SYS_mkdirat);
}

static bool came_with_model(const struct mw_daemon_matter *m, const char *path)
{
	char directory[PATH_MAX];

	if (!m->artifact[0])
		return false;
	memcpy(directory, m->artifact, sizeof(directory));
	if (!cut_name(directory) || !mw_path_inside(path, directory))
		return false;
	/* Who can have changed sys.path can have had it imported from there. */
	return !is_own_entry(m, directory) || (m->effect.class == MW_MAP && m->globals.makes_code);
}

static int64_t nanoseconds(struct timespec t)
{
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* The status of the file, or of the archive that it lies in, below `root`. */
static bool look_below(const char *root, const char *path, struct stat *ret)
{
	char text[PATH_MAX + 40];
	size_t len = strlen(root);

	snprintf(text, sizeof(text), "%s%s", root, path);
	while (stat(text, ret)) {
		char *slash = strrchr(text + len, '/');

		if (!slash || slash == text + len)
			return false;
		*slash = '\0';
	}
	return S_ISREG(ret->st_mode);
}

/* As the process sees it, or as we do when it has gone: of one that is only waited for there is no
 * root any more. */
static bool look(const struct mw_daemon_matter *m, const char *path, struct stat *ret)
{
	char root[40];
	struct stat st;

	snprintf(root, sizeof(root), "/proc/%d/root", (int)m->pid);
	if (strlen(path) >= PATH_MAX)
		return false;
	if (look_below(root, path, ret))
		return true;
	return stat(root, &st) && look_below("", path, ret);
}

/* Whether it is there, is root's or the user's own, and is older than the load. */
static bool is_kept(const struct mw_daemon_matter *m, const char *path)
{
	struct stat st;

	if (!look(m, path, &st) || (st.st_uid && st.st_uid != m->k->uid))
		return false;
	return !m->load || !m->load->since ||
	       nanoseconds(st.st_ctim) <= mw_when_since_boot(m->load->since);
}

/* The libraries two levels above the program: of a prefix such as a virtual environment. */
static bool is_in_prefix(const struct mw_daemon_matter *m, const char *path)
{
	char prefix[PATH_MAX + 8];

	snprintf(prefix, PATH_MAX, "%s", given(m)->exe);
	for (int level = 0; level < 2; level++)
		if (!cut_name(prefix))
			return false;
	if (!prefix[1])
		return false;
	strcat(prefix, "/lib");
	return !strncmp(path, prefix, strlen(prefix));
}

bool mw_daemon_is_installed(const struct mw_daemon_matter *m, const char *path)
{
	if (!is_absolute(path) || mw_is_in_model_cache(path) || came_with_model(m, path))
		return false;
	return mw_is_of_system(path) ||
	       ((is_package(path) || is_in_prefix(m, path) || is_own(m, path)) && is_kept(m, path));
}

bool mw_daemon_trusts(const struct mw_daemon_matter *m, const char *path)
{
	if (!strncmp(path, "<frozen ", 8))
		return true; /* who cannot make code cannot give it that name */
	if (!is_absolute(path) || mw_is_in_model_cache(path) || came_with_model(m, path))
		return false;
	return is_kept(m, path);
}
