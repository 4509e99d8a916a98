#include "daemon_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon_config.h"
#include "say.h"

int mw_daemon_lock(pid_t *ret_other)
{
	char text[24] = "";
	int fd, error = 0;

	*ret_other = 0;
	if (mkdir(MW_DAEMON_RUN, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(MW_DAEMON_RUN "/daemon.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (read(fd, text, sizeof(text) - 1) > 0)
		*ret_other = (pid_t)strtol(text, NULL, 10);
	close(fd);
	return error;
}

void mw_daemon_sign(int lock)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	/* Only whoever finds the lock taken reads it, and can do without. */
	if (ftruncate(lock, 0) < 0 || pwrite(lock, text, (size_t)len, 0) < 0)
		return;
}

/* Ends with the status that comes through the pipe. */
static _Noreturn void wait_for(int fd)
{
	unsigned char status = MW_EXIT_OWN;
	ssize_t n;

	do
		n = read(fd, &status, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 ? status : MW_EXIT_OWN);
}

int mw_daemon_go(void)
{
	int ends[2], error = 0;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child > 0) {
		close(ends[1]);
		wait_for(ends[0]);
	}
	close(ends[0]);
	if (child < 0 || setsid() < 0)
		error = -errno;
	child = error ? 0
	              : fork(); /* no leader of a session: a terminal can never become its own */
	if (child > 0)
		_exit(0);
	if (child < 0)
		error = -errno;
	if (!error && chdir("/") < 0)
		error = -errno;
	if (!error)
		return ends[1];
	close(ends[1]);
	return error;
}

void mw_daemon_settle(int fd)
{
	const unsigned char status = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	while (write(fd, &status, 1) < 0 && errno == EINTR)
		continue;
	close(fd);
	for (int i = 0; null >= 0 && i <= STDERR_FILENO; i++)
		dup2(null, i);
	if (null > STDERR_FILENO)
		close(null);
}
