/* What a path leads to, by the kernel's word: rules are about files, not about how they are
 * spelled. It is what it is at this moment; that nobody changes it before the call needs a floor
 * below libc.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

#define LINKS_MAX 8

/* Opens without a wrapper in between: a look changes nothing, not even of a device. */
static bool look(const char *path, int flags, char out[static MW_FILE_TEXT])
{
	char link[40];
	ssize_t n = -1;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC | flags);

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, MW_FILE_TEXT - 1);
	syscall(SYS_close, fd);
	if (n <= 0 || n == MW_FILE_TEXT - 1 || out[0] != '/')
		return false;
	out[n] = '\0';
	return true;
}

static bool is_step(const char *name)
{
	return !*name || !strcmp(name, ".") || !strcmp(name, "..");
}

/* The directory as the kernel has it, with the last part of the path behind it. */
static bool look_at_entry(const char *path, char out[static MW_FILE_TEXT])
{
	char parent[MW_FILE_TEXT];
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = slash ? (size_t)(slash - path) : 0, n;

	if (is_step(name) || len >= sizeof(parent))
		return false;
	snprintf(parent, sizeof(parent), "%.*s", (int)len, path);
	if (!look(slash ? (len ? parent : "/") : ".", O_DIRECTORY, out))
		return false;
	n = strlen(out);
	if (n > 1)
		out[n++] = '/';
	if (n + strlen(name) >= MW_FILE_TEXT)
		return false;
	strcpy(out + n, name);
	return true;
}

/* A link that leads nowhere yet: what is written through it comes to be there. */
static bool follow(char path[static MW_FILE_TEXT])
{
	for (int i = 0; i < LINKS_MAX; i++) {
		char link[MW_FILE_TEXT], joined[2 * MW_FILE_TEXT];
		ssize_t n = readlink(path, link, sizeof(link) - 1);

		if (n <= 0)
			return true;
		link[n] = '\0';
		snprintf(joined, sizeof(joined), "%.*s%s",
		         link[0] == '/' ? 0 : (int)(strrchr(path, '/') + 1 - path), path, link);
		if (!look_at_entry(joined, path))
			return false;
	}
	return false;
}

bool mw_resolve_file(const char *path, bool entry, char out[static MW_FILE_TEXT])
{
	int saved = errno;
	bool found = (!entry && look(path, 0, out)) ||
	             (look_at_entry(path, out) && (entry || follow(out)));

	errno = saved;
	return found;
}
