#include "floor_table.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6; one number for all architectures */
#endif

#define NO (-1)

/* Columns: dir, path, dir2, path2, text, mode, flags, rest, fixed, valid, nofollow. */
static const struct mw_floor_row rows[] = {
#ifdef SYS_open
        {SYS_open, "open", MW_FLOOR_OPEN, NO, 0, NO, NO, NO, 2, 1, NO, 0, 0, false},
#endif
        {SYS_openat, "openat", MW_FLOOR_OPEN, 0, 1, NO, NO, NO, 3, 2, NO, 0, 0, false},
#ifdef SYS_creat
        {SYS_creat, "creat", MW_FLOOR_OPEN, NO, 0, NO, NO, NO, 1, NO, NO,
         O_CREAT | O_WRONLY | O_TRUNC, 0, false},
#endif
#ifdef SYS_mkdir
        {SYS_mkdir, "mkdir", MW_FLOOR_MKDIR, NO, 0, NO, NO, NO, 1, NO, NO, 0, 0, false},
#endif
        {SYS_mkdirat, "mkdirat", MW_FLOOR_MKDIR, 0, 1, NO, NO, NO, 2, NO, NO, 0, 0, false},
#ifdef SYS_mknod
        {SYS_mknod, "mknod", MW_FLOOR_MKNOD, NO, 0, NO, NO, NO, 1, NO, 2, 0, 0, false},
#endif
        {SYS_mknodat, "mknodat", MW_FLOOR_MKNOD, 0, 1, NO, NO, NO, 2, NO, 3, 0, 0, false},
#ifdef SYS_unlink
        {SYS_unlink, "unlink", MW_FLOOR_UNLINK, NO, 0, NO, NO, NO, NO, NO, NO, 0, 0, false},
#endif
        {SYS_unlinkat, "unlinkat", MW_FLOOR_UNLINK, 0, 1, NO, NO, NO, NO, 2, NO, 0, AT_REMOVEDIR,
         false},
#ifdef SYS_rmdir
        {SYS_rmdir, "rmdir", MW_FLOOR_UNLINK, NO, 0, NO, NO, NO, NO, NO, NO, AT_REMOVEDIR, 0,
         false},
#endif
#ifdef SYS_rename
        {SYS_rename, "rename", MW_FLOOR_RENAME, NO, 0, NO, 1, NO, NO, NO, NO, 0, 0, false},
#endif
#ifdef SYS_renameat
        {SYS_renameat, "renameat", MW_FLOOR_RENAME, 0, 1, 2, 3, NO, NO, NO, NO, 0, 0, false},
#endif
        {SYS_renameat2, "renameat2", MW_FLOOR_RENAME, 0, 1, 2, 3, NO, NO, 4, NO, 0, 0, false},
#ifdef SYS_link
        {SYS_link, "link", MW_FLOOR_LINK, NO, 0, NO, 1, NO, NO, NO, NO, 0, 0, false},
#endif
        {SYS_linkat, "linkat", MW_FLOOR_LINK, 0, 1, 2, 3, NO, NO, 4, NO, 0,
         AT_SYMLINK_FOLLOW | AT_EMPTY_PATH, false},
#ifdef SYS_symlink
        {SYS_symlink, "symlink", MW_FLOOR_SYMLINK, NO, 1, NO, NO, 0, NO, NO, NO, 0, 0, false},
#endif
        {SYS_symlinkat, "symlinkat", MW_FLOOR_SYMLINK, 1, 2, NO, NO, 0, NO, NO, NO, 0, 0, false},
#ifdef SYS_chmod
        {SYS_chmod, "chmod", MW_FLOOR_CHMOD, NO, 0, NO, NO, NO, 1, NO, NO, 0, 0, false},
#endif
        {SYS_fchmodat, "fchmodat", MW_FLOOR_CHMOD, 0, 1, NO, NO, NO, 2, NO, NO, 0, 0, false},
        {SYS_fchmodat2, "fchmodat2", MW_FLOOR_CHMOD, 0, 1, NO, NO, NO, 2, 3, NO, 0,
         AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, false},
        {SYS_fchmod, "fchmod", MW_FLOOR_CHMOD, 0, NO, NO, NO, NO, 1, NO, NO, 0, 0, false},
#ifdef SYS_chown
        {SYS_chown, "chown", MW_FLOOR_CHOWN, NO, 0, NO, NO, NO, NO, NO, 1, 0, 0, false},
#endif
#ifdef SYS_lchown
        {SYS_lchown, "lchown", MW_FLOOR_CHOWN, NO, 0, NO, NO, NO, NO, NO, 1, 0, 0, true},
#endif
        {SYS_fchownat, "fchownat", MW_FLOOR_CHOWN, 0, 1, NO, NO, NO, NO, 4, 2, 0,
         AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, false},
        {SYS_fchown, "fchown", MW_FLOOR_CHOWN, 0, NO, NO, NO, NO, NO, NO, 1, 0, 0, false},
        {SYS_truncate, "truncate", MW_FLOOR_TRUNCATE, NO, 0, NO, NO, NO, NO, NO, 1, 0, 0, false},
        {SYS_ftruncate, "ftruncate", MW_FLOOR_TRUNCATE, 0, NO, NO, NO, NO, NO, NO, 1, 0, 0, false},
        {SYS_setxattr, "setxattr", MW_FLOOR_SETXATTR, NO, 0, NO, NO, 1, NO, 4, NO, 0, 0, false},
        {SYS_lsetxattr, "lsetxattr", MW_FLOOR_SETXATTR, NO, 0, NO, NO, 1, NO, 4, NO, 0, 0, true},
        {SYS_fsetxattr, "fsetxattr", MW_FLOOR_SETXATTR, 0, NO, NO, NO, 1, NO, 4, NO, 0, 0, false},
        {SYS_removexattr, "removexattr", MW_FLOOR_REMOVEXATTR, NO, 0, NO, NO, 1, NO, NO, NO, 0, 0,
         false},
        {SYS_lremovexattr, "lremovexattr", MW_FLOOR_REMOVEXATTR, NO, 0, NO, NO, 1, NO, NO, NO, 0, 0,
         true},
        {SYS_fremovexattr, "fremovexattr", MW_FLOOR_REMOVEXATTR, 0, NO, NO, NO, 1, NO, NO, NO, 0, 0,
         false},
        {SYS_open_by_handle_at, "open_by_handle_at", MW_FLOOR_HANDLE, NO, NO, NO, NO, NO, NO, 2, NO,
         0, 0, false},
};

const struct mw_floor_row *mw_floor_row(int number)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].number == number)
			return &rows[i];
	return NULL;
}
