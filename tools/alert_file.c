#include "alert_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "alert_parts.h"
#include "text.h"

/* Some of it, not waiting longer than `ms` (-1: as long as it takes) for who reads: others write to
 * the same pipe, so that there was room does not say that there is. A terminal cannot be asked. */
static ssize_t write_some(int fd, const char *data, size_t len, int ms)
{
	struct iovec part = {(void *)(uintptr_t)data, len < PIPE_BUF ? len : PIPE_BUF};
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	ssize_t n;

	if (ms < 0)
		return write(fd, data, len);
	n = poll(&room, 1, ms);
	if (n <= 0) {
		errno = n ? errno : EAGAIN;
		return -1;
	}
	n = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
	return n < 0 && errno == EOPNOTSUPP ? write(fd, part.iov_base, part.iov_len) : n;
}

/* SIGPIPE is for the thread that writes: it is blocked there and taken away again. */
static int write_all(int fd, const char *data, size_t len, int ms, size_t *ret_done)
{
	const struct timespec now = {0};
	sigset_t pipe_signal, pending, before;
	size_t done = 0;
	int error = 0;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	while (done < len && !error) {
		ssize_t n = write_some(fd, data + done, len - done, ms);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			error = n == 0 ? -EIO : -errno;
	}
	if (error == -EPIPE && !sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe_signal, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret_done)
		*ret_done = done;
	return error;
}

int mw_write_quietly(int fd, const char *data, size_t len, size_t *ret_done)
{
	return write_all(fd, data, len, -1, ret_done);
}

int mw_write_patiently(int fd, const char *data, size_t len, int ms)
{
	return write_all(fd, data, len, ms, NULL);
}

static void complain(struct mw_alert_file *file, int error)
{
	char line[600];
	struct mw_text t;

	file->error = -error;
	if (file->said)
		return;
	mw_text_start(&t, line, sizeof(line));
	mw_text_add(&t, "modelwatch: cannot write alerts to ");
	mw_text_tail(&t, file->path, strlen(file->path), 400);
	mw_text_add(&t, ": %s; enforcement goes on\n", strerror(-error));
	mw_write_patiently(STDERR_FILENO, line, t.len, MW_PATIENCE_MS);
	file->said = true;
}

static int open_file(struct mw_alert_file *file)
{
	if (file->fd < 0)
		file->fd = open(file->path,
		                O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		                0600);
	return file->fd < 0 ? -errno : 0;
}

int mw_alert_file_open(struct mw_alert_file *file, const char *path)
{
	int error;

	*file = (struct mw_alert_file){.fd = -1, .path = strdup(path)};
	if (!file->path)
		return -ENOMEM;
	error = open_file(file);
	if (error)
		complain(file, error);
	return 0;
}

/* A line that was cut short is ended first, so that the next one can be read. */
static int append(struct mw_alert_file *file, const char *line, size_t len)
{
	size_t done = 0;
	int error = 0;

	if (file->torn)
		error = mw_write_quietly(file->fd, "\n", 1, NULL);
	if (error)
		return error;
	file->torn = false;
	error = mw_write_quietly(file->fd, line, len, &done);
	if (error && done)
		file->torn = mw_write_quietly(file->fd, "\n", 1, NULL) != 0;
	return error;
}

static int write_loss(struct mw_alert_file *file)
{
	char id[40], now[40], line[256];
	int error, len;

	if (!file->lost)
		return 0;
	mw_alert_stamp(id, now);
	len = snprintf(line, sizeof(line),
	               "{\"schema\":\"modelwatch.loss/1\",\"id\":\"%s\",\"time\":\"%s\","
	               "\"lost\":%llu,\"reason\":\"%s\",\"version\":\"" MW_VERSION "\"}\n",
	               id, now, (unsigned long long)file->lost, strerror(file->error));
	error = append(file, line, (size_t)len);
	if (!error)
		file->lost = 0;
	return error;
}

void mw_alert_file_write(struct mw_alert_file *file, const char *line, size_t len)
{
	int error = open_file(file);

	if (!error)
		error = write_loss(file);
	if (!error)
		error = append(file, line, len);
	if (error) {
		file->lost++;
		complain(file, error);
	} else {
		file->said = false;
	}
}

void mw_alert_file_close(struct mw_alert_file *file)
{
	char line[160];
	int len;

	if (!file->path)
		return;
	if (file->lost && (open_file(file) || write_loss(file))) {
		len = snprintf(line, sizeof(line), "modelwatch: %llu alerts were not written: %s\n",
		               (unsigned long long)file->lost, strerror(file->error));
		mw_write_patiently(STDERR_FILENO, line, (size_t)len, MW_PATIENCE_MS);
	}
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	*file = (struct mw_alert_file){.fd = -1};
}
