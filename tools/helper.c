#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A job that is watched from outside must not carry the shim into what is ours. */
static char **environment(void)
{
	size_t count = 0, used = 0;
	char **out;

	while (environ[count])
		count++;
	out = calloc(count + 1, sizeof(*out));
	for (size_t i = 0; out && i < count; i++)
		if (strncmp(environ[i], "LD_", 3) != 0)
			out[used++] = environ[i];
	return out;
}

/* Each of them has a number that is none of the new ones yet: dup2() would not undo what has it
 * closed on exec, or would close one that is still to come. */
static int number_anew(posix_spawn_file_actions_t *files, const int *fds, size_t count)
{
	int error = 0;

	for (size_t i = 0; !error && i < count; i++)
		error = posix_spawn_file_actions_adddup2(files, fds[i], STDERR_FILENO + 1 + (int)i);
	return error;
}

static int prepare(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	error = posix_spawnattr_setsigmask(attributes, &none);
	if (!error)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	if (!error)
		error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID |
		                                                     POSIX_SPAWN_SETSIGMASK |
		                                                     POSIX_SPAWN_SETSIGDEF);
	return error;
}

static pid_t spawn(const char *path, const char *name, int end, int out, const int *fds,
                   size_t count)
{
	char *argv[] = {(char *)(uintptr_t)name, NULL}, **env = environment();
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	pid_t pid = -1;
	int error = env ? 0 : ENOMEM;

	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&files);
	if (!error)
		error = prepare(&attributes);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, end, STDIN_FILENO);
	if (!error && out >= 0) /* first: it may be in the place of one of the others */
		error = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	if (!error)
		error = number_anew(&files, fds, count);
	if (!error)
		error = posix_spawn(&pid, path, &files, &attributes, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	free(env);
	return error ? -error : pid;
}

#define ABOVE (STDERR_FILENO + 1 + MW_HELPER_FDS)

int mw_helper_start(struct mw_helper *ret, const char *path, const char *name, int out,
                    const int *fds, size_t count)
{
	int ends[2], moved[MW_HELPER_FDS] = {-1, -1}, error = 0;
	size_t have = 0;
	pid_t pid;

	*ret = (struct mw_helper){.pidfd = -1, .fd = -1};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	for (; !error && have < count && have < MW_HELPER_FDS; have++) {
		moved[have] = fcntl(fds[have], F_DUPFD_CLOEXEC, ABOVE);
		error = moved[have] < 0 ? -errno : 0;
	}
	pid = error ? error : spawn(path, name, ends[1], out, moved, have);
	while (have--)
		if (moved[have] >= 0)
			close(moved[have]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return (int)pid;
	}
	*ret = (struct mw_helper){
	        .pid = pid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0), .fd = ends[0]};
	return 0;
}

bool mw_helper_ended(struct mw_helper *helper)
{
	struct pollfd event = {.fd = helper->pidfd, .events = POLLIN};

	if (!helper->pid)
		return true;
	if (helper->pidfd >= 0 && poll(&event, 1, 0) <= 0)
		return false;
	/* Whoever waits for all children may have been first. */
	if (waitpid(helper->pid, NULL, WNOHANG) == 0)
		return false;
	if (helper->pidfd >= 0)
		close(helper->pidfd);
	helper->pidfd = -1;
	helper->pid = 0;
	return true;
}

static void leave(struct mw_helper *helper, bool kill)
{
	if (helper->fd >= 0)
		close(helper->fd);
	helper->fd = -1;
	if (kill && helper->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, helper->pidfd, SIGKILL, NULL, 0);
}

void mw_helper_forget(struct mw_helper *helper)
{
	leave(helper, false);
	if (helper->pidfd >= 0)
		close(helper->pidfd);
	*helper = (struct mw_helper){.pidfd = -1, .fd = -1};
}

void mw_helpers_left_add(struct mw_helpers_left *left, struct mw_helper *helper, bool kill)
{
	for (size_t i = 0; i < left->count; i++)
		leave(&left->helpers[i], true);
	leave(helper, kill);
	mw_helpers_left_reap(left);
	/* So many hang that the first of them is reaped after our own end. */
	if (left->count == MW_HELPERS_LEFT) {
		mw_helper_forget(&left->helpers[0]);
		left->helpers[0] = left->helpers[--left->count];
	}
	left->helpers[left->count++] = *helper;
	*helper = (struct mw_helper){.pidfd = -1, .fd = -1};
}

bool mw_helpers_left_reap(struct mw_helpers_left *left)
{
	for (size_t i = left->count; i-- > 0;)
		if (mw_helper_ended(&left->helpers[i]))
			left->helpers[i] = left->helpers[--left->count];
	return !left->count;
}

void mw_helpers_left_close(struct mw_helpers_left *left)
{
	mw_helpers_left_reap(left);
	for (; left->count; left->count--) {
		leave(&left->helpers[left->count - 1], true);
		mw_helper_forget(&left->helpers[left->count - 1]);
	}
}
