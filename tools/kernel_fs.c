#include "kernel_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By number: the C library's wrappers are newer than those that we build with. */
static int open_context(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

int mw_kernel_fs(const char *type)
{
	int context = open_context(type), mount = -1, root = -1, error = 0;

	if (context < 0)
		return -errno;
	if (!syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	if (mount >= 0)
		root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		error = -errno;
	if (mount >= 0)
		close(mount);
	close(context);
	return error ? error : root;
}
