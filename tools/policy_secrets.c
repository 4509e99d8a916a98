#include "policy_secrets.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/glob.h"
#include "../core/secret.h"

#define SPECIAL "*?\\["
#define ENTRIES_MAX 100000u

static int note_place(struct mw_policy_build *build, uint32_t at)
{
	size_t cap = build->secret_cap ? build->secret_cap * 2 : 128;
	uint32_t *bigger;

	if (build->secret_count == build->secret_cap) {
		bigger = realloc(build->secret, cap * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		build->secret = bigger;
		build->secret_cap = cap;
	}
	build->secret[build->secret_count++] = at;
	return 0;
}

/* Files are told by absolute paths: anything else would never match. */
static int take_secret(struct mw_source *s, const char *what, void *out)
{
	const char *text, *complaint;
	size_t len;
	int64_t at;
	int error = mw_source_scalar(s, what, &text, &len);

	(void)out;
	if (error)
		return error;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ')
			return mw_source_complain(s, "%s: a pattern has no control characters",
			                          what);
	if (!strspn(text + (*text == MW_EXCEPTION), "/{*"))
		return mw_source_complain(
		        s, "%s: a path starts with '/', '{home}', '{tmp}' or '**', after a '!'",
		        what);
	complaint = mw_glob_complaint(text);
	if (complaint)
		return mw_source_complain(s, "%s: bad pattern: %s", what, complaint);
	at = strstr(text, "{artifact_dir}") ? -EINVAL : mw_policy_path(s->build, text, len);
	if (at == -EINVAL)
		return mw_source_complain(s, "%s: only {tmp}, {home} and {cwd} can stand in braces",
		                          what);
	if (at >= 0)
		error = note_place(s->build, (uint32_t)at);
	return at < 0 || error ? mw_source_no_room(s, at < 0 ? at : error) : 0;
}

int mw_policy_secrets(struct mw_source *s)
{
	return mw_source_items(s, "secrets", take_secret, NULL);
}

static int add(struct mw_policy_build *build, const char *pattern)
{
	int64_t at = mw_policy_text(build, pattern, strlen(pattern));

	return at < 0 ? (int)at : 0;
}

/* A path taken literally: a character of it that means something in a pattern becomes '?'. */
static void make_literal(char *path)
{
	for (char *p = path; *p; p++)
		if (strchr(SPECIAL, *p) || (unsigned char)*p < ' ')
			*p = '?';
}

/* A history file that is a link to /dev/null makes no secret of that. */
static bool is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

/* Resolves the longest beginning of a path that is there: the first `*len` bytes of it are in
 * `real` then. */
static bool resolve(const char *path, size_t *len, char real[static PATH_MAX])
{
	char prefix[PATH_MAX];

	while (*len && *len < sizeof(prefix)) {
		memcpy(prefix, path, *len);
		prefix[*len] = '\0';
		if (realpath(prefix, real))
			return strcmp(real, prefix) && !is_device(real);
		while (*len && path[--*len] != '/')
			;
	}
	return false;
}

/* The pattern with what stands before the first wildcard resolved: `~/.ssh` may be a link. */
static int add_resolved(struct mw_policy_build *build, const char *pattern)
{
	bool except = *pattern == MW_EXCEPTION;
	char real[PATH_MAX], whole[2 * PATH_MAX];
	size_t len;

	pattern += except;
	len = strcspn(pattern, SPECIAL);
	if (pattern[len])
		while (len && pattern[len] != '/')
			len--;
	if (strlen(pattern) >= PATH_MAX || !resolve(pattern, &len, real))
		return 0;
	make_literal(real);
	snprintf(whole, sizeof(whole), "%s%s%s", except ? "!" : "", real, pattern + len);
	return add(build, whole);
}

/* How many more entries of directories are read: a pattern like a disk's whole tree is not looked
 * up for minutes. The functions that glob() calls get no context. */
static size_t entries_left;

static struct dirent *next_entry(void *directory)
{
	if (!entries_left)
		return NULL;
	entries_left--;
	return readdir(directory);
}

static void *open_directory(const char *path)
{
	return entries_left ? opendir(path) : NULL;
}

static void close_directory(void *directory)
{
	closedir(directory);
}

/* The files that there are of a pattern. To be freed when it returns true. */
static bool look_up(const char *pattern, glob_t *ret)
{
	*ret = (glob_t){.gl_opendir = open_directory,
	                .gl_readdir = next_entry,
	                .gl_closedir = close_directory,
	                .gl_stat = stat,
	                .gl_lstat = lstat};
	return !glob(pattern, GLOB_NOSORT | GLOB_ALTDIRFUNC, NULL, ret);
}

/* A file that the pattern names may itself be a link, to a place that no pattern names. */
static int add_links(struct mw_policy_build *build, const char *pattern)
{
	char real[PATH_MAX];
	glob_t found;
	int error = 0;

	if (pattern[0] != '/' || strstr(pattern, "**") || !strpbrk(pattern, SPECIAL) ||
	    !look_up(pattern, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc && !error; i++) {
		if (!realpath(found.gl_pathv[i], real) || mw_glob(pattern, real) || is_device(real))
			continue;
		make_literal(real);
		error = add(build, real);
	}
	globfree(&found);
	return error;
}

/* An empty pattern would end the list: {home} can be nothing. */
static int add_with_links(struct mw_policy_build *build, const char *pattern)
{
	int error = *pattern ? add(build, pattern) : 0;

	if (!error)
		error = add_resolved(build, pattern);
	return error ? error : add_links(build, pattern);
}

/* $HOME is not always where the user's keys lie: containers and wrappers set it anew. Empty when
 * the password file has no other. */
static void other_home(const struct mw_policy_build *build, char out[static PATH_MAX])
{
	char buffer[4096];
	struct passwd entry, *found = NULL;

	out[0] = '\0';
	getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found);
	if (!found || found->pw_dir[0] != '/' || !found->pw_dir[1] || !build->home[0] ||
	    strlen(found->pw_dir) >= PATH_MAX || !strcmp(found->pw_dir, build->home))
		return;
	strcpy(out, found->pw_dir);
	make_literal(out);
}

static int add_in_home(struct mw_policy_build *build, const char *pattern, const char *home)
{
	bool except = *pattern == MW_EXCEPTION;
	size_t len = strlen(build->home);
	char whole[2 * PATH_MAX];

	pattern += except;
	if (!*home || strncmp(pattern, build->home, len) != 0 || pattern[len] != '/')
		return 0;
	snprintf(whole, sizeof(whole), "%s%s%s", except ? "!" : "", home, pattern + len);
	return add_with_links(build, whole);
}

/* Those that are exceptions, or those that are not. The text moves when it grows: a pattern is
 * copied before more is added. */
static int add_kind(struct mw_policy_build *build, bool exceptions, const char *home)
{
	int error = 0;

	for (size_t i = 0; i < build->secret_count && !error; i++) {
		const char *stands = build->text.data + build->secret[i];
		char *pattern;

		if ((*stands == MW_EXCEPTION) != exceptions)
			continue;
		pattern = strdup(stands);
		error = pattern ? add_with_links(build, pattern) : -ENOMEM;
		if (!error)
			error = add_in_home(build, pattern, home);
		free(pattern);
	}
	return error;
}

int mw_policy_secrets_end(struct mw_policy_build *build)
{
	uint32_t list = (uint32_t)build->text.len;
	char home[PATH_MAX];
	int error;

	if (!build->secret_count)
		return 0;
	entries_left = ENTRIES_MAX;
	other_home(build, home);
	error = add_kind(build, true, home);
	if (!error)
		error = add_kind(build, false, home);
	if (!error)
		error = add(build, "");
	if (!error)
		build->secrets = list;
	return error;
}
