/* What the programs need to know of the kernel: the fields that they read, and no more. CO-RE finds
 * out where they are when the programs are loaded, so neither order nor gaps matter here. */
#ifndef MW_EBPF_KERNEL_H
#define MW_EBPF_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
typedef __s8 int8_t;
typedef __s32 int32_t;
typedef __s64 int64_t;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#define PF_KTHREAD 0x00200000
#define PF_IO_WORKER 0x00000010
#define FMODE_READ 0x1u
#define FMODE_WRITE 0x2u
#define FMODE_CREATED 0x100000u
#define S_IFMT 0170000
#define S_IFREG 0100000
#define AF_UNIX 1
#define AF_NETLINK 16
#define AF_INET 2
#define AF_INET6 10
#define TCP_LISTEN 10

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct kuid {
	__u32 val;
};

struct kgid {
	__u32 val;
};

struct cred {
	struct kuid uid;
	struct kgid gid;
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned short i_mode;
	struct kuid i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	__u32 f_mode, f_flags;
	long long f_pos;
	struct path f_path;
	struct inode *f_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path pwd;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
};

struct thread_struct {
	unsigned long fsbase;
};

struct thread_info {
	__u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int pid, tgid;
	struct mm_struct *mm;
	struct task_struct *group_leader, *real_parent;
	__u64 start_boottime;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct thread_struct thread;
};

struct vm_area_struct {
	unsigned long vm_start, vm_pgoff;
	struct file *vm_file;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
};

struct in6_addr {
	__u8 any; /* sixteen of them, in a union */
};

struct sock_common {
	unsigned short skc_family;
	__u16 skc_num;
	__u32 skc_rcv_saddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
	__u16 sk_type;
};

struct unix_sock {
	struct path path;
};

struct sockaddr {
	unsigned short sa_family;
};

struct kernel_siginfo {
	int si_code;
};

struct filename {
	const char *name;
};

struct io_cmd_data {
	__u8 data[56];
};

struct io_kiocb {
	struct io_cmd_data cmd;
	__u8 opcode;
};

#pragma clang attribute pop

/* The user's registers: laid out by the ABI, the same everywhere. */
struct pt_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs,
	        flags, sp, ss;
};

#endif
