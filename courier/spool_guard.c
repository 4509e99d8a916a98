/* The file beside the spool that is locked, a byte for each purpose: by one while he opens the
 * spool, by all who have it open, by all who put something in. The locks belong to the descriptor
 * (F_OFD_SETLK), and end with the process. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "spool_place.h"

#define WAIT_MS 60000 /* somebody checks a large one */
#define STEP_MS 5

enum { OPENING, IN_USE, PUTTING };

/* What is known of the spool is how long the file is: that takes no room on a full disk. */
enum { NOTHING_YET, GOOD, SUSPECT };

static int lock(int fd, short type, off_t at)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &range) < 0 ? -errno : 0;
}

/* Whether somebody else has a lock on the byte. */
static bool is_locked(int fd, off_t at)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &range) < 0 || range.l_type != F_UNLCK;
}

static int await_turn(int fd)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	int error = lock(fd, F_WRLCK, OPENING);

	for (int ms = 0; error == -EAGAIN && ms < WAIT_MS; ms += STEP_MS) {
		nanosleep(&step, NULL);
		error = lock(fd, F_WRLCK, OPENING);
	}
	return error == -EAGAIN ? -EBUSY : error;
}

static int open_file(const char *path, bool is_there)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	char name[PATH_MAX + 8];
	int fd;

	snprintf(name, sizeof(name), "%s.guard", path);
	fd = open(name, is_there ? flags : flags | O_CREAT, 0600);
	if (fd < 0)
		return is_there && errno == ENOENT ? -EMEDIUMTYPE : -errno;
	return fd;
}

int mw_guard_enter(const char *path, bool is_there, struct mw_guard_view *ret)
{
	struct stat st;
	int fd = open_file(path, is_there), error;

	if (fd < 0)
		return fd;
	error = await_turn(fd);
	if (!error && fstat(fd, &st) < 0)
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	ret->first = !is_locked(fd, IN_USE);
	ret->is_new = st.st_size == NOTHING_YET;
	ret->suspect = st.st_size >= SUSPECT;
	lock(fd, F_RDLCK, IN_USE);
	return fd;
}

void mw_guard_leave(int guard)
{
	if (ftruncate(guard, GOOD) < 0)
		return; /* it is looked at once more */
	lock(guard, F_UNLCK, OPENING);
}

void mw_guard_suspect(int guard)
{
	if (ftruncate(guard, SUSPECT) < 0)
		return; /* whoever is the first to open it will look */
}

void mw_guard_put(int guard)
{
	lock(guard, F_RDLCK, PUTTING);
}

bool mw_guard_done(int guard)
{
	lock(guard, F_UNLCK, PUTTING);
	return !is_locked(guard, PUTTING);
}
