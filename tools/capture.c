#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"

__attribute__((noreturn)) static void become(char *const argv[], const char *variable, int output)
{
	int input = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setsid();
	if (variable)
		putenv((char *)variable);
	if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(126);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Reads until the end or the deadline. What does not fit is read and dropped: the command must not
 * block on a full pipe. Returns 0 or -ETIMEDOUT. */
static int drain(int fd, int64_t deadline, char *out, size_t size)
{
	char piece[4096];
	size_t used = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - mw_clock_ms();
		size_t kept;
		ssize_t n;

		if (left <= 0 || !poll(&p, 1, (int)left))
			return -ETIMEDOUT;
		n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		kept = (size_t)n < size - used - 1 ? (size_t)n : size - used - 1;
		memcpy(out + used, piece, kept);
		used += kept;
		out[used] = '\0';
	}
}

/* The output may have ended long before the command does. */
static int await(pid_t child, int64_t deadline, int *status)
{
	while (waitpid(child, status, WNOHANG) == 0) {
		if (mw_clock_ms() >= deadline)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return 0;
}

int mw_capture(char *const argv[], const char *variable, int timeout_ms, char *out, size_t size)
{
	int64_t deadline = mw_clock_ms() + timeout_ms;
	int fds[2], status = 0, error;
	pid_t child;

	out[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (!child)
		become(argv, variable, fds[1]);
	error = child < 0 ? -errno : 0;
	close(fds[1]);
	if (!error)
		error = drain(fds[0], deadline, out, size);
	close(fds[0]);
	if (child > 0 && !error)
		error = await(child, deadline, &status);
	if (child > 0 && error) {
		kill(-child, SIGKILL);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	if (error)
		return error;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
