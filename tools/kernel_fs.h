/* File systems of the kernel, whether this machine has mounted them or not. */
#ifndef MW_TOOLS_KERNEL_FS_H
#define MW_TOOLS_KERNEL_FS_H

/* Opens the root of `type` ("tracefs", "cgroup2") by a mount that nobody else sees and that is gone
 * with its descriptor. Returns a descriptor of the directory, which the caller closes, or a
 * negative errno. Needs CAP_SYS_ADMIN. */
int mw_kernel_fs(const char *type);

#endif
