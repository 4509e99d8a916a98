/* Effects that start a program. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/variables.h"
#include "shim.h"

#define PATH_TEXT 1024

/* The first program of that name along PATH, as execvp would find it. */
static bool search_path(const char *name, char out[static PATH_TEXT])
{
	const char *path = getenv("PATH");

	for (const char *p = path ? path : "/bin:/usr/bin"; p; p = strchr(p, ':')) {
		size_t len;

		p += *p == ':';
		len = strcspn(p, ":");
		if (len + strlen(name) + 2 > PATH_TEXT)
			continue;
		snprintf(out, PATH_TEXT, "%.*s%s%s", (int)len, p, len ? "/" : "", name);
		if (!access(out, X_OK))
			return true;
	}
	return false;
}

/* Only root can have put it there, and only root can change it. */
static bool is_pinned(const char *program)
{
	char dir[PATH_TEXT];
	const char *slash = strrchr(program, '/');
	struct stat st;

	if (program[0] != '/' || slash == program || (size_t)(slash - program) >= sizeof(dir))
		return false;
	memcpy(dir, program, (size_t)(slash - program));
	dir[slash - program] = '\0';
	return !stat(program, &st) && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
	       !stat(dir, &st) && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static uint64_t owner_of(const char *program)
{
	struct stat st;

	return stat(program, &st) ? 0 : (uint64_t)st.st_uid + 1;
}

static bool is_interpreter(const char *program)
{
	struct stat own, other;

	return !stat("/proc/self/exe", &own) && !stat(program, &other) &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/* Whether a program gets the variables of its loader as they are in this process, where changing
 * them is an effect. NULL: all of them. */
static bool keeps_environment(char *const *env)
{
	for (; env && *env; env++) {
		char name[64];
		const char *equals = strchr(*env, '='), *own;

		if (!equals || !mw_is_loaders(*env))
			continue;
		if ((size_t)(equals - *env) >= sizeof(name))
			return false;
		memcpy(name, *env, (size_t)(equals - *env));
		name[equals - *env] = '\0';
		own = getenv(name);
		if (!own || strcmp(own, equals + 1) != 0)
			return false;
	}
	return true;
}

static size_t count(char *const *argv)
{
	size_t n = 0;

	while (argv && argv[n])
		n++;
	return n;
}

bool mw_refuse_program(const char *op, const char *path, bool search, char *const *argv,
                       char *const *env, const void *caller)
{
	char found[PATH_TEXT];
	struct mw_effect effect = {.class = MW_EXEC, .op = op};

	if (!path || mw_announced(MW_EXEC, path))
		return false;
	if (search && !strchr(path, '/')) {
		if (!search_path(path, found)) {
			errno = ENOENT;
			return true;
		}
		path = found;
	} else if (access(path, F_OK)) {
		return true; /* errno says why it would have failed */
	}
	effect.target = effect.file = path;
	effect.owner = owner_of(path);
	effect.argv = (const char *const *)argv;
	effect.argc = count(argv);
	if (is_pinned(path) && keeps_environment(env))
		effect.facts |= MW_FACT_PINNED;
	if (is_interpreter(path))
		effect.facts |= MW_FACT_INTERPRETER;
	return mw_refused(&effect, true, caller);
}
