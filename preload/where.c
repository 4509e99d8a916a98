/* Where an address or a path belongs. Reads /proc/self/maps with a small buffer: dladdr() would
 * take the loader's lock, which another thread may hold while it waits for the lock our caller has.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/paths.h"
#include "shim.h"

#define TRUST_BYTES 262144 /* long search paths are common where a build tool makes them */

/* NUL-terminated directories one after the other. Written by one thread at interpreter start. */
static char trusted_dirs[TRUST_BYTES];
static size_t trusted_used;

static const char *const system_dirs[] = {"/usr/", "/lib/",  "/lib64/",     "/lib32/",    "/opt/",
                                          "/bin/", "/sbin/", "/nix/store/", "/gnu/store/"};

/* FNV-1a: only compares what one thread just said with what it does next. */
uint64_t mw_hash(const char *text)
{
	uint64_t h = 14695981039346656037u;

	while (text && *text)
		h = (h ^ (uint8_t)*text++) * 1099511628211u;
	return h | 1;
}

void mw_trust(const char *directory)
{
	size_t len = strlen(directory);

	if (!len || directory[0] != '/' || trusted_used + len + 2 > sizeof(trusted_dirs))
		return;
	memcpy(trusted_dirs + trusted_used, directory, len + 1);
	trusted_used += len + 1;
}

bool mw_is_entry(const char *directory)
{
	for (size_t i = 0; i < trusted_used; i += strlen(trusted_dirs + i) + 1)
		if (!strcmp(directory, trusted_dirs + i))
			return true;
	return false;
}

bool mw_trusted(const char *path)
{
	if (path[0] != '/' || strstr(path, "/../") || mw_is_in_model_cache(path))
		return false;
	for (size_t i = 0; i < sizeof(system_dirs) / sizeof(*system_dirs); i++)
		if (!strncmp(path, system_dirs[i], strlen(system_dirs[i])))
			return true;
	for (size_t i = 0; i < trusted_used; i += strlen(trusted_dirs + i) + 1)
		if (mw_path_inside(path, trusted_dirs + i))
			return true;
	return false;
}

static bool parse_line(char *line, uintptr_t address, struct mw_place *ret)
{
	char *end;
	uintptr_t from = strtoul(line, &end, 16), to;
	const char *path;

	if (*end != '-')
		return false;
	to = strtoul(end + 1, &end, 16);
	if (address < from || address >= to)
		return false;
	path = strchr(end, '/');
	ret->executable = end[0] == ' ' && end[3] == 'x';
	ret->path[0] = '\0';
	if (path)
		strncat(ret->path, path, sizeof(ret->path) - 1);
	return true;
}

/* Lines longer than the buffer (a path near PATH_MAX) are passed over. */
bool mw_place_of(const void *address, struct mw_place *ret)
{
	char buf[4096];
	size_t have = 0;
	int saved = errno,
	    fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	bool found = false;
	ssize_t n;

	while (fd >= 0 && !found &&
	       (n = syscall(SYS_read, fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		char *line = buf, *newline;

		have += (size_t)n;
		buf[have] = '\0';
		while (!found && (newline = strchr(line, '\n'))) {
			*newline = '\0';
			found = parse_line(line, (uintptr_t)address, ret);
			line = newline + 1;
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
		if (have == sizeof(buf) - 1)
			have = 0;
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved;
	return found;
}

extern const char __ehdr_start[] MW_HIDDEN;
extern const char etext[] MW_HIDDEN;

/* The wrapped functions are what the loader knows by name. */
bool mw_is_own(const void *code)
{
	Dl_info info;

	if ((const char *)code < __ehdr_start || (const char *)code >= etext)
		return false;
	return !dladdr(code, &info) || info.dli_saddr != code;
}

static long parent_of(long pid)
{
	char path[40], text[512];
	const char *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = syscall(SYS_read, fd, text, sizeof(text) - 1);
	syscall(SYS_close, fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	end = strrchr(text, ')'); /* the name before it may hold anything */
	return end && end[1] && end[2] ? strtol(end + 3, NULL, 10) : -1;
}

bool mw_same_run(int pid)
{
	int saved = errno;
	long at = pid;

	if (mw_process.page->scopes)
		return false;
	for (int step = 0; step < 64 && at > 1 && at != (long)mw_process.monitor; step++)
		at = parent_of(at);
	errno = saved;
	return at == (long)mw_process.monitor;
}
