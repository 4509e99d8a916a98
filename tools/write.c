#include "write.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"

static int wait_for_room(int fd, int64_t until, int stop)
{
	struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT}, {.fd = stop, .events = POLLIN}};
	int64_t left = until - mw_clock_ms();
	int n = poll(fds, 2, left > 0 ? (int)left : 0);

	if (n < 0)
		return -errno;
	return fds[1].revents ? -ECANCELED : n ? 0 : -EAGAIN;
}

/* Files have room; what could not be written without waiting has to wait for the disk. */
static bool is_file(int fd)
{
	struct stat status;

	return !fstat(fd, &status) && S_ISREG(status.st_mode);
}

/* Some of it, not waiting beyond `until` for who reads: others write to the same pipe, so that
 * there was room does not say that there is. A terminal cannot be asked. */
static ssize_t write_some(int fd, const char *data, size_t len, int64_t until, int stop)
{
	struct iovec part = {(void *)(uintptr_t)data, len < PIPE_BUF ? len : PIPE_BUF};
	int error = wait_for_room(fd, until, stop);
	ssize_t n;

	if (error)
		return error;
	n = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
	if (n < 0 && (errno == EOPNOTSUPP || (errno == EAGAIN && is_file(fd))))
		n = write(fd, part.iov_base, part.iov_len);
	return n < 0 ? -errno : n;
}

static ssize_t write_any(int fd, const char *data, size_t len)
{
	ssize_t n = write(fd, data, len);

	return n < 0 ? -errno : n;
}

/* SIGPIPE is for the thread that writes: it is blocked there and taken away again. */
static int write_all(int fd, const char *data, size_t len, const struct mw_patience *patience,
                     size_t *ret_done)
{
	const struct timespec now = {0};
	const int64_t until = mw_clock_ms() + patience->ms;
	sigset_t pipe_signal, pending, before;
	size_t done = 0;
	int error = 0;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	while (done < len && !error) {
		ssize_t n = patience->ms < 0 ? write_any(fd, data + done, len - done)
		                             : write_some(fd, data + done, len - done, until,
		                                          patience->stop);

		if (n > 0)
			done += (size_t)n;
		else if (n != -EINTR)
			error = n ? (int)n : -EIO;
	}
	if (error == -EPIPE && !sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe_signal, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret_done)
		*ret_done = done;
	return error;
}

static const struct mw_patience endless = {.ms = -1, .stop = -1};

int mw_write_quietly(int fd, const char *data, size_t len, size_t *ret_done)
{
	return write_all(fd, data, len, &endless, ret_done);
}

int mw_write_patiently(int fd, const char *data, size_t len, int ms)
{
	return write_all(fd, data, len, &(struct mw_patience){.ms = ms, .stop = -1}, NULL);
}

int mw_lines_out_add(struct mw_lines_out *out, const char *line, size_t len,
                     const struct mw_patience *patience)
{
	size_t done = 0;
	int error = 0;

	if (out->torn)
		error = write_all(out->fd, "\n", 1, patience, NULL);
	if (error)
		return error;
	out->torn = false;
	error = write_all(out->fd, line, len, patience, &done);
	if (error && done)
		out->torn = write_all(out->fd, "\n", 1, &(struct mw_patience){0, -1}, NULL) != 0;
	return error;
}
