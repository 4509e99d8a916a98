#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tools/write.h"

#define LOCK_MS 5 /* between two tries */

void mw_log_file_close(struct mw_log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* That there is such a name is a matter of the folder. */
static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, error;

	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : -errno; /* it may be written, not read */
	error = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return error;
}

static int open_file(struct mw_log_file *file)
{
	struct stat st;
	int error;

	if (file->fd >= 0)
		return 0;
	file->fd = open(file->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
	                0600);
	if (file->fd < 0)
		return -errno;
	error = fstat(file->fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (!error)
		error = sync_folder(file->path);
	if (error)
		mw_log_file_close(file);
	return error;
}

static int lock(int fd, const struct mw_wait *wait)
{
	int error = 0;

	while (!error && flock(fd, LOCK_EX | LOCK_NB) < 0)
		error = errno == EWOULDBLOCK || errno == EINTR ? mw_wait_pause(wait, LOCK_MS)
		                                               : -errno;
	return error;
}

static bool has_the_name(const struct mw_log_file *file)
{
	struct stat ours, named;

	return !fstat(file->fd, &ours) && !stat(file->path, &named) &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* Opens and locks the file that has the name now. */
static int take(struct mw_log_file *file, const struct mw_wait *wait)
{
	for (;;) {
		int error = open_file(file);

		if (!error)
			error = lock(file->fd, wait);
		if (error || has_the_name(file))
			return error;
		mw_log_file_close(file);
		if (!mw_wait_left(wait))
			return -ETIMEDOUT;
	}
}

static int end_line(int fd)
{
	struct stat st;
	char last;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!st.st_size || pread(fd, &last, 1, st.st_size - 1) != 1 || last == '\n')
		return 0;
	return mw_write_quietly(fd, "\n", 1, NULL);
}

int mw_log_file_lock(struct mw_log_file *file, const struct mw_wait *wait)
{
	int error = take(file, wait);

	return error ? error : end_line(file->fd);
}

static bool is_too_large(const struct mw_log_file *file, size_t len)
{
	struct stat st;

	return file->max_bytes && !fstat(file->fd, &st) && st.st_size &&
	       (uint64_t)st.st_size + len > file->max_bytes;
}

static void older(const struct mw_log_file *file, int number, char ret[static PATH_MAX + 16])
{
	snprintf(ret, PATH_MAX + 16, number ? "%s.%d" : "%s", file->path, number);
}

/* The lock is ours until the last rename, which takes the name away: from then on others have a
 * file of their own to lock. */
static int rotate(struct mw_log_file *file)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];
	int error = 0;

	if (fdatasync(file->fd) < 0)
		return -errno;
	if (!file->keep)
		return unlink(file->path) < 0 ? -errno : 0;
	for (int i = file->keep; i > 0 && !error; i--) {
		older(file, i - 1, from);
		older(file, i, to);
		if (rename(from, to) < 0 && errno != ENOENT)
			error = -errno;
	}
	return error;
}

int mw_log_file_add(struct mw_log_file *file, const char *line, size_t len,
                    const struct mw_wait *wait)
{
	int error = 0;

	if (is_too_large(file, len)) {
		error = rotate(file);
		mw_log_file_close(file);
		if (!error)
			error = mw_log_file_lock(file, wait);
	}
	return error ? error : mw_write_quietly(file->fd, line, len, NULL);
}

int mw_log_file_unlock(struct mw_log_file *file)
{
	int error = file->fd < 0 ? -EIO : fdatasync(file->fd) < 0 ? -errno : 0;

	if (error)
		mw_log_file_close(file); /* its error is told once only */
	else
		flock(file->fd, LOCK_UN);
	return error;
}
