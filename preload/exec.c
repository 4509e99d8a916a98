/* Programs: judged in an active thread, and always started with the shim in their environment. The
 * wrappers run in vfork children, on the parent's stack and memory: nothing here allocates. */
#undef _FORTIFY_SOURCE
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "wrap.h"

#define TEXT_SIZE 8192
#define ENV_MAX 8192
#define ARGV_MAX 65536

/* The environment to hand over, in memory of the calling frame. */
#define KEPT(env)                                                                                  \
	mw_env_keep(env, alloca(room(env) * sizeof(char *)), room(env), alloca(TEXT_SIZE),         \
	            TEXT_SIZE)

static size_t room(char *const *env)
{
	size_t n = mw_env_count(env);

	return n < ENV_MAX ? n + MW_ENV_EXTRA : 0;
}

#define REFUSED(path, search, argv, env)                                                           \
	(mw_unlikely(mw_thread.active) &&                                                          \
	 mw_refuse_program(__func__, path, search, argv, env, MW_CALLER))

MW_REAL(int, execve, (const char *, char *const[], char *const[]));
MW_REAL(int, execvpe, (const char *, char *const[], char *const[]));
MW_REAL(int, fexecve, (int, char *const[], char *const[]));
MW_REAL(int, execveat, (int, const char *, char *const[], char *const[], int));

MW_EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	if (REFUSED(path, false, argv, env))
		return -1;
	mw_unlimit_program();
	return real_execve(path, argv, (char *const *)KEPT(env));
}

MW_EXPORT int execv(const char *path, char *const argv[])
{
	if (REFUSED(path, false, argv, NULL))
		return -1;
	mw_unlimit_program();
	return real_execve(path, argv, (char *const *)KEPT(environ));
}

MW_EXPORT int execvp(const char *path, char *const argv[])
{
	if (REFUSED(path, true, argv, NULL))
		return -1;
	mw_unlimit_program();
	return real_execvpe(path, argv, (char *const *)KEPT(environ));
}

MW_EXPORT int execvpe(const char *path, char *const argv[], char *const env[])
{
	if (REFUSED(path, true, argv, env))
		return -1;
	mw_unlimit_program();
	return real_execvpe(path, argv, (char *const *)KEPT(env));
}

static const char *fd_path(int fd, char out[static 40])
{
	snprintf(out, 40, "/proc/self/fd/%d", fd);
	return out;
}

MW_EXPORT int fexecve(int fd, char *const argv[], char *const env[])
{
	char path[40];

	if (REFUSED(fd_path(fd, path), false, argv, env))
		return -1;
	mw_unlimit_program();
	return real_fexecve(fd, argv, (char *const *)KEPT(env));
}

MW_EXPORT int execveat(int dir, const char *path, char *const argv[], char *const env[], int flags)
{
	char name[40];
	bool by_fd = flags & AT_EMPTY_PATH && !*path;

	if (REFUSED(by_fd ? fd_path(dir, name) : path, false, argv, env))
		return -1;
	mw_unlimit_program();
	return real_execveat(dir, path, argv, (char *const *)KEPT(env), flags);
}

/* Gathers the arguments of the execl family into an array of the calling frame; `more` is left
 * behind the terminating NULL, where execle() finds the environment. */
#define GATHER(argv, first, more)                                                                  \
	size_t argv##_count = 1;                                                                   \
	va_start(more, first);                                                                     \
	while (argv##_count < ARGV_MAX && va_arg(more, char *))                                    \
		argv##_count++;                                                                    \
	va_end(more);                                                                              \
	char **argv = alloca((argv##_count + 1) * sizeof(char *));                                 \
	argv[0] = (char *)(uintptr_t)first;                                                        \
	va_start(more, first);                                                                     \
	for (size_t i = 1; i <= argv##_count; i++)                                                 \
		argv[i] = va_arg(more, char *);                                                    \
	argv[argv##_count] = NULL

MW_EXPORT int execl(const char *path, const char *first, ...)
{
	va_list more;
	GATHER(argv, first, more);

	va_end(more);
	if (REFUSED(path, false, argv, NULL))
		return -1;
	mw_unlimit_program();
	return real_execve(path, argv, (char *const *)KEPT(environ));
}

MW_EXPORT int execlp(const char *path, const char *first, ...)
{
	va_list more;
	GATHER(argv, first, more);

	va_end(more);
	if (REFUSED(path, true, argv, NULL))
		return -1;
	mw_unlimit_program();
	return real_execvpe(path, argv, (char *const *)KEPT(environ));
}

MW_EXPORT int execle(const char *path, const char *first, ...)
{
	va_list more;
	GATHER(argv, first, more);
	char *const *env = va_arg(more, char *const *);

	va_end(more);
	if (REFUSED(path, false, argv, env))
		return -1;
	mw_unlimit_program();
	return real_execve(path, argv, (char *const *)KEPT(env));
}

MW_REAL(int, posix_spawn,
        (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
         char *const[], char *const[]));
MW_REAL(int, posix_spawnp,
        (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
         char *const[], char *const[]));

static int spawned(int error, const pid_t *pid)
{
	if (!error && pid)
		mw_unlimit_child(*pid);
	return error;
}

/* posix_spawn() returns its error; errno stays. */
MW_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, char *const argv[],
                          char *const env[])
{
	int saved = errno;

	if (REFUSED(path, false, argv, env)) {
		int error = errno;

		errno = saved;
		return error;
	}
	return spawned(
	        real_posix_spawn(pid, path, actions, attributes, argv, (char *const *)KEPT(env)),
	        pid);
}

MW_EXPORT int posix_spawnp(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attributes, char *const argv[],
                           char *const env[])
{
	int saved = errno;

	if (REFUSED(path, true, argv, env)) {
		int error = errno;

		errno = saved;
		return error;
	}
	return spawned(
	        real_posix_spawnp(pid, path, actions, attributes, argv, (char *const *)KEPT(env)),
	        pid);
}

static bool refuse_shell(const char *op, const char *command, const void *caller)
{
	char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
	                      (char *)(uintptr_t)command, NULL};

	return command && mw_refuse_program(op, "/bin/sh", false, argv, NULL, caller);
}

WRAP(int, system, (const char *command), (command), -1, refuse_shell(__func__, command, MW_CALLER))
WRAP(FILE *, popen, (const char *command, const char *type), (command, type), NULL,
     refuse_shell(__func__, command, MW_CALLER))
