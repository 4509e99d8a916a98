#include "floor_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "floor_errors.h"
#include "floor_table.h"

#define TTY_MAJOR_MINOR makedev(5, 0) /* /dev/tty */

bool mw_floor_open_writes(unsigned flags)
{
	if ((flags & O_PATH) || (flags & O_TMPFILE) == O_TMPFILE)
		return false;
	return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
}

/* What an error of a look at the task is to it: what it gave us wrong is its own. */
static int look_error(int error)
{
	return error == -EFAULT || error == -ENAMETOOLONG || error >= 0 ? error : MW_FLOOR_CANNOT;
}

static unsigned argument(const struct mw_floor_file_call *call, int index)
{
	return index < 0 ? 0 : (unsigned)call->args[index];
}

static int directory(const struct mw_floor_file_call *call, int index)
{
	return index < 0 ? AT_FDCWD : (int)call->args[index];
}

static int resolve(const struct mw_tracee *tracee, const struct mw_floor_file_call *call, int dir,
                   int path, int how, struct mw_floor_path *ret)
{
	char text[PATH_MAX];
	int error = look_error(mw_tracee_string(tracee, call->args[path], text, sizeof(text)));

	return error ? error : mw_floor_path(tracee, directory(call, dir), text, how, ret);
}

/* How the first path is to be resolved. */
static int how_first(const struct mw_floor_file_call *call, const struct mw_floor_row *row)
{
	unsigned flags = call->flags;

	switch (call->act) {
	case MW_FLOOR_OPEN:
		return (flags & O_NOFOLLOW) || ((flags & O_CREAT) && (flags & O_EXCL))
		               ? 0
		               : MW_FLOOR_FOLLOW;
	case MW_FLOOR_LINK:
		return (flags & AT_SYMLINK_FOLLOW ? MW_FLOOR_FOLLOW : 0) |
		       (flags & AT_EMPTY_PATH ? MW_FLOOR_EMPTY : 0);
	case MW_FLOOR_CHMOD:
	case MW_FLOOR_CHOWN:
		return (row->nofollow || (flags & AT_SYMLINK_NOFOLLOW) ? 0 : MW_FLOOR_FOLLOW) |
		       (flags & AT_EMPTY_PATH ? MW_FLOOR_EMPTY : 0);
	case MW_FLOOR_TRUNCATE:
	case MW_FLOOR_SETXATTR:
	case MW_FLOOR_REMOVEXATTR:
		return row->nofollow ? 0 : MW_FLOOR_FOLLOW;
	default:
		return MW_FLOOR_NAME;
	}
}

static int take_paths(const struct mw_tracee *tracee, const struct mw_floor_row *row,
                      struct mw_floor_file_call *ret)
{
	int error = resolve(tracee, ret, row->dir, row->path, how_first(ret, row), &ret->at);

	if (error)
		return error;
	ret->target = ret->at.target;
	ret->file = ret->at.file;
	if (ret->act == MW_FLOOR_LINK) /* before the second path is looked at */
		error = mw_floor_old_error(&ret->at);
	if (!error && row->path2 >= 0)
		error = resolve(tracee, ret, row->dir2, row->path2, MW_FLOOR_NAME, &ret->at2);
	if (error)
		return error;
	ret->target2 = ret->at2.target;
	ret->file2 = ret->at2.file;
	ret->is_new = !(row->path2 >= 0 ? ret->at2.exists : ret->at.exists);
	return mw_floor_own_error(ret);
}

/* The task's own descriptor: what it was opened for decides what may be done with it. */
static int take_descriptor(const struct mw_tracee *tracee, const struct mw_floor_row *row,
                           struct mw_floor_file_call *ret)
{
	ret->fd = mw_tracee_take_fd(tracee, (int)ret->args[row->dir]);
	if (ret->fd < 0)
		return ret->fd == -EBADF ? -EBADF : MW_FLOOR_CANNOT;
	ret->at.file = mw_floor_path_of_fd(ret->fd);
	if (!ret->at.file || fstat(ret->fd, &ret->at.st) < 0)
		return MW_FLOOR_CANNOT;
	ret->at.exists = true;
	ret->at.last = MW_LAST_FILE;
	ret->target = ret->file = ret->at.file;
	return 0;
}

/* The name, and the value, of an extended attribute: setxattr(2) has the errors. */
static int take_attribute(const struct mw_tracee *tracee, const struct mw_floor_row *row,
                          struct mw_floor_file_call *ret)
{
	char name[XATTR_NAME_MAX + 1];
	int error;

	if (ret->act == MW_FLOOR_SETXATTR && (ret->flags & ~(XATTR_CREATE | XATTR_REPLACE)))
		return -EINVAL;
	error = look_error(mw_tracee_string(tracee, ret->args[row->text], name, sizeof(name)));
	if (error == -ENAMETOOLONG || (!error && !*name))
		return -ERANGE;
	if (error)
		return error;
	ret->text = strdup(name);
	if (!ret->text)
		return MW_FLOOR_CANNOT;
	if (ret->act == MW_FLOOR_REMOVEXATTR || !ret->args[row->text + 2])
		return 0;
	if (ret->args[row->text + 2] > XATTR_SIZE_MAX)
		return -E2BIG;
	ret->size = ret->args[row->text + 2];
	ret->value = malloc(ret->size);
	if (!ret->value)
		return MW_FLOOR_CANNOT;
	return look_error(mw_tracee_read(tracee, ret->args[row->text + 1], ret->value, ret->size));
}

static int take_link_text(const struct mw_tracee *tracee, const struct mw_floor_row *row,
                          struct mw_floor_file_call *ret)
{
	char text[PATH_MAX];
	int error = look_error(mw_tracee_string(tracee, ret->args[row->text], text, sizeof(text)));

	if (error)
		return error;
	if (!*text)
		return -ENOENT;
	ret->text = strdup(text);
	return ret->text ? 0 : MW_FLOOR_CANNOT;
}

/* What we could not do as the task would: wait for the other end of a FIFO or for a medium, and
 * open a terminal that is another one to us. */
static int kind_error(const struct mw_tracee *tracee, const struct mw_floor_file_call *call)
{
	const struct stat *st = &call->at.st;

	if (call->act != MW_FLOOR_OPEN || !call->at.exists)
		return 0;
	if (S_ISFIFO(st->st_mode) || S_ISBLK(st->st_mode))
		return MW_FLOOR_CANNOT;
	if (S_ISCHR(st->st_mode) && st->st_rdev == TTY_MAJOR_MINOR)
		return getsid(tracee->pid) == getsid(0) ? 0 : MW_FLOOR_CANNOT;
	return 0;
}

static int take_text(const struct mw_tracee *tracee, const struct mw_floor_row *row,
                     struct mw_floor_file_call *ret)
{
	if (row->text < 0)
		return 0;
	return ret->act == MW_FLOOR_SYMLINK ? take_link_text(tracee, row, ret)
	                                    : take_attribute(tracee, row, ret);
}

/* What a walk with our credentials says of a task with others says nothing: only what it failed to
 * hand over is its own error then. */
static int take_operands(const struct mw_tracee *tracee, const struct mw_floor_row *row, bool alike,
                         struct mw_floor_file_call *ret)
{
	int error =
	        row->path < 0 ? take_descriptor(tracee, row, ret) : take_paths(tracee, row, ret);

	if (alike || error >= 0)
		return error;
	return error == -EFAULT ? error : MW_FLOOR_CANNOT;
}

/* Users mean others in another user namespace. */
static bool can_be_ours(const struct mw_floor_file_call *call)
{
	return call->stronger && call->act != MW_FLOOR_CHOWN && call->act != MW_FLOOR_SETXATTR;
}

static int take(const struct mw_tracee *tracee, const struct mw_floor_row *row,
                struct mw_floor_file_call *ret)
{
	struct mw_tracee_facts facts;
	int error, flags, text;

	if (row->act == MW_FLOOR_HANDLE || mw_tracee_facts(tracee, &facts) < 0)
		return MW_FLOOR_CANNOT;
	ret->umask = facts.umask;
	ret->stronger = facts.stronger;
	ret->elsewhere = facts.elsewhere;
	flags = mw_floor_flag_error(ret, row);
	if (flags < 0)
		return flags;
	if (ret->act == MW_FLOOR_OPEN && !mw_tracee_has_room(tracee, &facts))
		return -EMFILE;
	text = take_text(tracee, row, ret);
	if (text < 0)
		return text;
	error = take_operands(tracee, row, facts.alike, ret);
	if (error < 0)
		return error;
	ret->is_device = ret->at.exists && S_ISCHR(ret->at.st.st_mode);
	ret->is_fifo = ret->at.exists && S_ISFIFO(ret->at.st.st_mode);
	if (error || flags || text || !(facts.alike || can_be_ours(ret)))
		return MW_FLOOR_CANNOT;
	return kind_error(tracee, ret);
}

void mw_floor_file_none(struct mw_floor_file_call *ret)
{
	*ret = (struct mw_floor_file_call){
	        .at = {.parent = -1, .entry = -1}, .at2 = {.parent = -1, .entry = -1}, .fd = -1};
}

int mw_floor_file_take(const struct mw_tracee *tracee, int number, const uint64_t args[6],
                       struct mw_floor_file_call *ret)
{
	const struct mw_floor_row *row = mw_floor_row(number);
	int error;

	mw_floor_file_none(ret);
	if (!row) {
		ret->writes = true;
		return MW_FLOOR_CANNOT;
	}
	memcpy(ret->args, args, sizeof(ret->args));
	ret->number = number;
	ret->op = row->op;
	ret->act = row->act;
	ret->flags = argument(ret, row->flags) | row->fixed;
	ret->mode = argument(ret, row->mode);
	if (row->rest >= 0)
		memcpy(ret->rest, args + row->rest, sizeof(ret->rest));
	ret->writes = !(row->act == MW_FLOOR_OPEN || row->act == MW_FLOOR_HANDLE) ||
	              mw_floor_open_writes(ret->flags);
	if (!ret->writes)
		return 0;
	error = take(tracee, row, ret);
	return mw_tracee_valid(tracee) ? error : -ENOENT;
}

void mw_floor_file_drop(struct mw_floor_file_call *call)
{
	mw_floor_path_close(&call->at);
	mw_floor_path_close(&call->at2);
	if (call->fd >= 0)
		close(call->fd);
	free(call->text);
	free(call->value);
	mw_floor_file_none(call);
}
