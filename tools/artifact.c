#include "artifact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

/* Copies the name at `s` up to the next slash, with "--" for a slash when `dashes`. False when it
 * is empty or too long. */
static bool take_name(const char *s, bool dashes, char out[static MW_MODEL_TEXT])
{
	size_t len = strcspn(s, "/"), used = 0;

	if (!len || len >= MW_MODEL_TEXT)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool slash = dashes && s[i] == '-' && s[i + 1] == '-';

		out[used++] = slash ? '/' : s[i];
		i += slash;
	}
	out[used] = '\0';
	return true;
}

void mw_model_of(const char *path, struct mw_model *ret)
{
	static const char repo[] = "/models--", snapshots[] = "/snapshots/";
	const char *at = strstr(path, repo), *rest;

	*ret = (struct mw_model){0};
	if (!at || !take_name(at + sizeof(repo) - 1, true, ret->repo)) {
		ret->repo[0] = '\0';
		return;
	}
	ret->hub = "huggingface";
	rest = strchr(at + 1, '/');
	if (rest && !strncmp(rest, snapshots, sizeof(snapshots) - 1) &&
	    !take_name(rest + sizeof(snapshots) - 1, false, ret->revision))
		ret->revision[0] = '\0';
}

static void find_path(pid_t pid, struct mw_str path, char out[static PATH_MAX])
{
	char link[64];
	ssize_t n = 0;

	out[0] = '\0';
	if (!path.s || !path.len || memchr(path.s, '\0', path.len))
		return;
	if (*path.s != '/') {
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
		n = readlink(link, out, PATH_MAX - 1);
		if (n <= 0 || (size_t)n + 1 + path.len >= PATH_MAX)
			n = 0; /* as it stands: better than nothing, and no invention */
		else if (out[n - 1] != '/')
			out[n++] = '/';
		for (; n && path.len > 1 && path.s[0] == '.' && path.s[1] == '/'; path.len -= 2)
			path.s += 2;
	}
	snprintf(out + n, PATH_MAX - (size_t)n, "%.*s", (int)path.len, path.s);
}

/* A path with ".." in it reads better without; its last part stays, because a model cache names
 * files by symbolic links. Only where the process and this one have the same root. */
static void tidy_path(pid_t pid, char path[static PATH_MAX])
{
	char link[64], resolved[PATH_MAX], *slash = strrchr(path, '/');
	struct stat own, root;
	size_t len, rest;

	snprintf(link, sizeof(link), "/proc/%d/root", (int)pid);
	if (!strstr(path, "/../") || stat("/", &own) || stat(link, &root) ||
	    own.st_dev != root.st_dev || own.st_ino != root.st_ino)
		return;
	*slash = '\0';
	if (!realpath(path, resolved))
		resolved[0] = '\0';
	*slash = '/';
	len = strlen(resolved);
	rest = strlen(slash) + 1;
	if (!len || len + rest > PATH_MAX)
		return;
	memmove(path + len, slash, rest);
	memcpy(path, resolved, len);
}

void mw_artifact_open(pid_t pid, const struct mw_record_load *load, struct mw_artifact *ret)
{
	find_path(pid, load->path, ret->path);
	tidy_path(pid, ret->path);
	mw_model_of(ret->path, &ret->model);
	ret->fd = mw_stream_open(pid, load, &ret->status);
}

void mw_artifact_close(struct mw_artifact *artifact)
{
	if (artifact->fd >= 0)
		close(artifact->fd);
	artifact->fd = -1;
}
