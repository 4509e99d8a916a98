#include "floor_errors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>

int mw_floor_flag_error(const struct mw_floor_file_call *call, const struct mw_floor_row *row)
{
	unsigned flags = call->flags;

	if (call->act == MW_FLOOR_RENAME)
		return (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) ||
		                       ((flags & RENAME_EXCHANGE) &&
		                        (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		               ? -EINVAL
		               : 0;
	if (call->act == MW_FLOOR_OPEN) /* what it does depends on the kernel's version */
		return (flags & O_CREAT) && (flags & O_DIRECTORY) ? MW_FLOOR_CANNOT : 0;
	if (row->flags < 0 || call->act == MW_FLOOR_SETXATTR)
		return 0;
	return flags & ~row->valid ? -EINVAL : 0;
}

/* A name that is to be made must be one, and free. */
static int new_error(const struct mw_floor_path *path)
{
	return path->exists ? -EEXIST : 0;
}

int mw_floor_old_error(const struct mw_floor_path *path)
{
	if (!path->exists)
		return -ENOENT;
	return path->slash && !S_ISDIR(path->st.st_mode) ? -ENOTDIR : 0;
}

static int open_error(const struct mw_floor_file_call *call)
{
	const struct mw_floor_path *at = &call->at;
	bool create = call->flags & O_CREAT;

	if (create && at->slash && at->last == MW_LAST_NAME)
		return -EISDIR;
	if (create && (call->flags & O_EXCL) && at->exists)
		return -EEXIST;
	if (!create && mw_floor_old_error(at))
		return mw_floor_old_error(at);
	if (!at->exists)
		return 0;
	if (S_ISDIR(at->st.st_mode))
		return -EISDIR;
	if (call->flags & O_DIRECTORY)
		return -ENOTDIR;
	return S_ISLNK(at->st.st_mode) ? -ELOOP : 0;
}

static int unlink_error(const struct mw_floor_file_call *call)
{
	const struct mw_floor_path *at = &call->at;
	bool dir = call->flags & AT_REMOVEDIR;

	if (at->last != MW_LAST_NAME)
		return !dir                         ? -EISDIR
		       : at->last == MW_LAST_ROOT   ? -EBUSY
		       : at->last == MW_LAST_DOTDOT ? -ENOTEMPTY
		                                    : -EINVAL;
	if (mw_floor_old_error(at))
		return mw_floor_old_error(at);
	if (S_ISDIR(at->st.st_mode))
		return dir ? 0 : -EISDIR;
	return dir ? -ENOTDIR : 0;
}

static int rename_error(const struct mw_floor_file_call *call)
{
	const struct mw_floor_path *at = &call->at, *to = &call->at2;

	if (at->last != MW_LAST_NAME)
		return -EBUSY;
	if (to->last != MW_LAST_NAME)
		return call->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (mw_floor_old_error(at))
		return mw_floor_old_error(at);
	if ((call->flags & RENAME_NOREPLACE) && to->exists)
		return -EEXIST;
	return (call->flags & RENAME_EXCHANGE) && !to->exists ? -ENOENT : 0;
}

int mw_floor_own_error(const struct mw_floor_file_call *call)
{
	switch (call->act) {
	case MW_FLOOR_OPEN:
		return open_error(call);
	case MW_FLOOR_MKDIR:
	case MW_FLOOR_MKNOD:
	case MW_FLOOR_SYMLINK:
		return new_error(&call->at);
	case MW_FLOOR_UNLINK:
		return unlink_error(call);
	case MW_FLOOR_RENAME:
		return rename_error(call);
	case MW_FLOOR_LINK:
		return new_error(&call->at2);
	default:
		return mw_floor_old_error(&call->at);
	}
}
