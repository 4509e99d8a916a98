#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "unpack.h"
#include "zip.h"

/* Looks before it opens: opening a device or a pipe can have effects of its own. `look` is closed.
 */
static int open_regular(int look, struct stat *ret)
{
	char self[64];
	int fd, result;

	if (look < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", look);
	if (fstat(look, ret) < 0) {
		result = -errno;
	} else if (!S_ISREG(ret->st_mode)) {
		result = -EINVAL;
	} else {
		fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		result = fd < 0 ? -errno : fd;
	}
	close(look);
	return result;
}

/* Whether it is the file that the load reads, where that is known. */
static int check_file(int fd, const struct mw_record_load *load, const struct stat *st)
{
	if (fd < 0 || !load->ino)
		return fd;
	if (st->st_ino == load->ino && major(st->st_dev) == load->dev >> 20 &&
	    minor(st->st_dev) == (load->dev & 0xfffff))
		return fd;
	close(fd);
	return -ESTALE;
}

/* Links lead where they lead the process: not out of its root, and not to what is ours in /proc. */
static int look_below(pid_t pid, const char *path)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC,
	                             .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char link[32];
	int root, look;

	snprintf(link, sizeof(link), "/proc/%d/root", (int)pid);
	root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1;
	look = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	close(root);
	return look;
}

/* By its path, as the process sees it; when that has gone, as we do, if it is the same file. */
static int open_path(pid_t pid, const struct mw_record_load *load, struct stat *ret)
{
	char path[PATH_MAX];
	bool absolute = *load->path.s == '/';
	int len, fd;

	len = absolute ? snprintf(path, sizeof(path), "%.*s", (int)load->path.len, load->path.s)
	               : snprintf(path, sizeof(path), "/proc/%d/cwd/%.*s", (int)pid,
	                          (int)load->path.len, load->path.s);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open_regular(absolute ? look_below(pid, path) : open(path, O_PATH | O_CLOEXEC), ret);
	fd = check_file(fd, load, ret);
	if (fd >= 0 || !load->ino || !absolute)
		return fd;
	return check_file(open_regular(open(path, O_PATH | O_CLOEXEC), ret), load, ret);
}

int mw_stream_open(pid_t pid, const struct mw_record_load *load, struct stat *ret)
{
	char path[40];
	int fd = -ENODATA;

	if (load->fd >= 0) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, load->fd);
		fd = check_file(open_regular(open(path, O_PATH | O_CLOEXEC), ret), load, ret);
	}
	if (fd >= 0 || !load->path.s || !load->path.len)
		return fd;
	return memchr(load->path.s, '\0', load->path.len) ? -EINVAL : open_path(pid, load, ret);
}

/* A mapping, not the heap: its pages go back to the kernel at once. */
static uint8_t *get_room(size_t len)
{
	void *room = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return room == MAP_FAILED ? NULL : room;
}

static ssize_t read_memory(pid_t pid, uint64_t address, uint8_t *out, size_t len)
{
	size_t got = 0;

	while (got < len) {
		struct iovec to = {out + got, len - got};
		struct iovec from = {(void *)(uintptr_t)(address + got), len - got};
		ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

		if (n < 0 && !got)
			return -errno;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* What was copied of it at the time comes first: the process may have put something else in its
 * place since, or have gone. */
static ssize_t read_stream(pid_t pid, const struct mw_record_load *load, uint8_t *out, size_t len)
{
	size_t copied = load->copy ? load->copy_len : 0;
	ssize_t got;

	if (copied > len)
		copied = len;
	if (copied)
		memcpy(out, load->copy, copied);
	if (copied == len)
		return (ssize_t)copied;
	got = read_memory(pid, load->data + copied, out + copied, len - copied);
	return got > 0 ? got + (ssize_t)copied : copied ? (ssize_t)copied : got;
}

static ssize_t read_file(int fd, uint64_t start, uint8_t *out, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, out + got, len - got, (off_t)(start + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !got)
			return -errno;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* Puts what the bytes unpack to in their place, when they are packed. */
static int unpack(size_t limit, struct mw_stream *stream)
{
	struct mw_unpacked_bytes unpacked = {0};
	uint8_t *room;

	if (!mw_is_packed(stream->bytes, stream->len))
		return 0;
	room = get_room(limit);
	if (room)
		mw_unpack(stream->bytes, stream->len, room, limit, &unpacked);
	mw_stream_free(stream);
	if (!room)
		return -ENOMEM;
	*stream = (struct mw_stream){room, unpacked.len, unpacked.cut, limit};
	return 0;
}

/* Opens what a load reads from a file. Returns a descriptor, with where its stream is. */
static int open_stream(pid_t pid, const struct mw_record_load *load, uint64_t *ret_start,
                       uint64_t *ret_size)
{
	struct stat st = {0};
	int error = 0, fd = mw_stream_open(pid, load, &st);
	uint64_t size = fd < 0 ? 0 : (uint64_t)st.st_size;

	*ret_start = load->start;
	*ret_size = size > load->start ? size - load->start : 0;
	if (fd >= 0 && load->archive)
		error = mw_zip_pickle(fd, size, ret_start, ret_size);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

int mw_stream_read(pid_t pid, const struct mw_record_load *load, size_t limit,
                   struct mw_stream *ret)
{
	uint8_t *room;
	uint64_t start = 0, size;
	size_t len;
	ssize_t got;
	int fd = -1;

	if (load->data) {
		size = load->data_len;
	} else {
		fd = open_stream(pid, load, &start, &size);
		if (fd < 0)
			return fd;
	}
	if (limit > MW_STREAM_MAX)
		limit = MW_STREAM_MAX;
	len = size < limit ? (size_t)size : limit;
	room = len ? get_room(len) : NULL;
	if (!len)
		got = -ENODATA;
	else if (!room)
		got = -ENOMEM;
	else if (load->data)
		got = read_stream(pid, load, room, len);
	else
		got = read_file(fd, start, room, len);
	if (fd >= 0)
		close(fd);
	if (got < 0) {
		if (room)
			munmap(room, len);
		return (int)got;
	}
	*ret = (struct mw_stream){room, (size_t)got, (size_t)got == len && size > len, len};
	if (load->data && load->copy && (size_t)got < len)
		ret->cut = true;
	return load->data ? 0 : unpack(limit, ret);
}

void mw_stream_free(struct mw_stream *stream)
{
	if (stream->bytes)
		munmap((void *)(uintptr_t)stream->bytes, stream->room);
	*stream = (struct mw_stream){0};
}
