#include "courier_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#include "../courier/shared.h"
#include "installed.h"

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

static int prepare(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *files, int end,
                   int memory)
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
	if (!error)
		error = posix_spawn_file_actions_adddup2(files, end, STDIN_FILENO);
	if (!error && memory >= 0)
		error = posix_spawn_file_actions_adddup2(files, memory, MW_SHARED_FD);
	return error;
}

static pid_t spawn(const char *path, int end, int memory)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL}, **env = environment();
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	pid_t pid = -1;
	int error = env ? 0 : ENOMEM;

	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&files);
	if (!error)
		error = prepare(&attributes, &files, end, memory);
	if (!error)
		error = posix_spawn(&pid, path, &files, &attributes, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	free(env);
	return error ? -error : pid;
}

int mw_courier_start(struct mw_courier_process *ret, int memory)
{
	char path[PATH_MAX];
	int ends[2], error = mw_installed("modelwatch-courier", path);
	pid_t pid;

	*ret = (struct mw_courier_process){.pidfd = -1, .fd = -1};
	if (error)
		return error;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	pid = spawn(path, ends[1], memory);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return (int)pid;
	}
	*ret = (struct mw_courier_process){
	        .pid = pid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0), .fd = ends[0]};
	return 0;
}

bool mw_courier_ended(struct mw_courier_process *process)
{
	struct pollfd event = {.fd = process->pidfd, .events = POLLIN};

	if (!process->pid)
		return true;
	if (process->pidfd >= 0 && poll(&event, 1, 0) <= 0)
		return false;
	/* Whoever waits for all children may have been first. */
	if (waitpid(process->pid, NULL, WNOHANG) == 0)
		return false;
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
	process->pid = 0;
	return true;
}

static void end(const struct mw_courier_process *process)
{
	if (process->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
}

static void close_socket(struct mw_courier_process *process)
{
	if (process->fd >= 0)
		close(process->fd);
	process->fd = -1;
}

void mw_courier_left_alone(struct mw_courier_process *process)
{
	close_socket(process);
	if (process->pidfd >= 0)
		close(process->pidfd);
	*process = (struct mw_courier_process){.pidfd = -1, .fd = -1};
}

void mw_courier_left_add(struct mw_courier_left *left, struct mw_courier_process *process,
                         bool kill)
{
	for (size_t i = 0; i < left->count; i++)
		end(&left->processes[i]);
	close_socket(process);
	if (kill)
		end(process);
	mw_courier_left_reap(left);
	/* So many hang that the first of them is reaped after our own end. */
	if (left->count == MW_COURIER_LEFT) {
		mw_courier_left_alone(&left->processes[0]);
		left->processes[0] = left->processes[--left->count];
	}
	left->processes[left->count++] = *process;
	*process = (struct mw_courier_process){.pidfd = -1, .fd = -1};
}

bool mw_courier_left_reap(struct mw_courier_left *left)
{
	for (size_t i = left->count; i-- > 0;)
		if (mw_courier_ended(&left->processes[i]))
			left->processes[i] = left->processes[--left->count];
	return !left->count;
}

void mw_courier_left_close(struct mw_courier_left *left)
{
	mw_courier_left_reap(left);
	for (; left->count; left->count--) {
		end(&left->processes[left->count - 1]);
		mw_courier_left_alone(&left->processes[left->count - 1]);
	}
}
