/* The file beside the spool that is locked. Two kinds of lock, which do not see each other: an open
 * file description's (F_OFD_SETLK) while somebody opens the spool, flock() while it is in use. Both
 * end with the process. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "spool_place.h"

#define WAIT_MS 60000 /* somebody checks a large one */
#define STEP_MS 5

static int lock(int fd, short type)
{
	struct flock all = {.l_type = type, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &all) < 0 ? -errno : 0;
}

static int await_turn(int fd)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	int error = lock(fd, F_WRLCK);

	for (int ms = 0; (error == -EAGAIN || error == -EACCES) && ms < WAIT_MS; ms += STEP_MS) {
		nanosleep(&step, NULL);
		error = lock(fd, F_WRLCK);
	}
	return error == -EAGAIN || error == -EACCES ? -EBUSY : error;
}

int mw_guard_enter(const char *path, bool *ret_first, bool *ret_suspect)
{
	char name[PATH_MAX + 8];
	struct stat st;
	int fd, error;

	snprintf(name, sizeof(name), "%s.guard", path);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	error = await_turn(fd);
	if (!error && fstat(fd, &st) < 0)
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	*ret_first = !flock(fd, LOCK_EX | LOCK_NB);
	*ret_suspect = st.st_size > 0;
	flock(fd, LOCK_SH);
	return fd;
}

void mw_guard_leave(int guard)
{
	if (ftruncate(guard, 0) < 0)
		return; /* it is looked at once more */
	lock(guard, F_UNLCK);
}

void mw_guard_suspect(int guard)
{
	if (ftruncate(guard, 1) < 0)
		return; /* whoever is the first to open it will look */
}
