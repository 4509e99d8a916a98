/* What keeps effects from happening: programs that the kernel asks before it does something. A
 * refused system call is told of by who looks at system calls, when it returns. */
#ifndef MW_EBPF_LSM_H
#define MW_EBPF_LSM_H

#include "calls.h"
#include "guard.h"
#include "refuse.h"
#include "tasks.h"

#define S_IFCHR 0020000
#define S_IFBLK 0060000
#define PROT_EXEC_ 4
#define ATTACH 2 /* PTRACE_MODE_ATTACH: not for looking only */

/* What nobody would tell of happens: a call that is not looked at, what the kernel does on its own
 * account, and what a ring asks for. */
static __always_inline int verdict_of(struct state *st, const struct subject *on)
{
	if (!st)
		return 0;
	if (touches_guarded(on))
		return keep_off();
	return st->begun.number >= 0 && is_refused(st, on) ? refuse(st) : 0;
}

static __always_inline int changes(struct state *st, const struct vfsmount *mount, uint64_t dentry,
                                   uint64_t second)
{
	const struct subject on = {
	        .class = MW_WRITE, .mount = (uint64_t)mount, .dentry = dentry, .second = second};

	return verdict_of(st, &on);
}

/* What has no name is nobody's but who holds it open. */
static __always_inline int changes_path(const struct path *path)
{
	struct state *st = answerable();

	if (!st || !BPF_CORE_READ(path, dentry, d_inode, i_nlink))
		return 0;
	return changes(st, BPF_CORE_READ(path, mnt), (uint64_t)BPF_CORE_READ(path, dentry), 0);
}

static __always_inline int changes_in(const struct path *folder, uint64_t dentry, uint64_t second)
{
	struct state *st = answerable();

	return st ? changes(st, BPF_CORE_READ(folder, mnt), dentry, second) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(may_open, struct file *file)
{
	struct state *st = answerable();
	struct subject on = {.class = MW_WRITE};
	uint32_t kind;

	if (!st || !(BPF_CORE_READ(file, f_mode) & FMODE_WRITE))
		return 0;
	kind = BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;
	if (kind != S_IFREG && kind != S_IFCHR && kind != S_IFBLK)
		return 0;
	on.facts = (kind == S_IFCHR ? MW_K_IS_DEVICE : 0) |
	           (BPF_CORE_READ(file, f_flags) & CHANGES ? 0 : MW_K_LOOKS_UP);
	on.mount = (uint64_t)BPF_CORE_READ(file, f_path.mnt);
	on.dentry = (uint64_t)BPF_CORE_READ(file, f_path.dentry);
	return verdict_of(st, &on);
}

/* Also what an open makes. */
SEC("?lsm/path_mknod")
int BPF_PROG(may_make, const struct path *folder, struct dentry *dentry)
{
	return changes_in(folder, (uint64_t)dentry, 0);
}

SEC("?lsm/path_mkdir")
int BPF_PROG(may_make_folder, const struct path *folder, struct dentry *dentry)
{
	return changes_in(folder, (uint64_t)dentry, 0);
}

SEC("?lsm/path_rmdir")
int BPF_PROG(may_remove_folder, const struct path *folder, struct dentry *dentry)
{
	return changes_in(folder, (uint64_t)dentry, 0);
}

SEC("?lsm/path_unlink")
int BPF_PROG(may_remove, const struct path *folder, struct dentry *dentry)
{
	return changes_in(folder, (uint64_t)dentry, 0);
}

SEC("?lsm/path_symlink")
int BPF_PROG(may_link_by_name, const struct path *folder, struct dentry *dentry)
{
	return changes_in(folder, (uint64_t)dentry, 0);
}

SEC("?lsm/path_link")
int BPF_PROG(may_link, struct dentry *old, const struct path *folder, struct dentry *dentry)
{
	return changes_in(folder, (uint64_t)dentry, (uint64_t)old);
}

SEC("?lsm/path_rename")
int BPF_PROG(may_rename, const struct path *from, struct dentry *old, const struct path *to,
             struct dentry *dentry)
{
	return changes_in(to, (uint64_t)dentry, (uint64_t)old);
}

/* Up to 6.1 by a descriptor, too. */
SEC("?lsm/path_truncate")
int BPF_PROG(may_truncate, const struct path *path)
{
	return changes_path(path);
}

SEC("?lsm/file_truncate")
int BPF_PROG(may_truncate_file, struct file *file)
{
	return changes_path(__builtin_preserve_access_index(&file->f_path));
}

SEC("?lsm/path_chmod")
int BPF_PROG(may_change_mode, const struct path *path)
{
	return changes_path(path);
}

SEC("?lsm/path_chown")
int BPF_PROG(may_change_owner, const struct path *path)
{
	return changes_path(path);
}

/* Of these the kernel says no place. */
static __always_inline int changes_dentry(struct dentry *dentry)
{
	return changes(answerable(), NULL, (uint64_t)dentry, 0);
}

SEC("?lsm/inode_setxattr")
int BPF_PROG(may_set_attribute, void *mapping, struct dentry *dentry)
{
	return changes_dentry(dentry);
}

SEC("?lsm/inode_removexattr")
int BPF_PROG(may_remove_attribute, void *mapping, struct dentry *dentry)
{
	return changes_dentry(dentry);
}

/* What a load has started maps what it needs to run. */
static __always_inline int makes_code(unsigned long protection)
{
	struct state *st = protection & PROT_EXEC_ ? answerable() : NULL;
	const struct subject on = {.class = MW_MAP};

	return st && st->depth ? verdict_of(st, &on) : 0;
}

SEC("?lsm/mmap_file")
int BPF_PROG(may_map, struct file *file, unsigned long wanted, unsigned long protection)
{
	return makes_code(protection);
}

SEC("?lsm/file_mprotect")
int BPF_PROG(may_protect, struct vm_area_struct *area, unsigned long wanted,
             unsigned long protection)
{
	return makes_code(protection);
}

/* Of sockets over IP the programs of control groups know more. */
static __always_inline int reaches(enum mw_class class, const struct sockaddr *address)
{
	struct state *st = answerable();
	struct subject on = {.class = class};
	uint16_t family;

	if (!st)
		return 0;
	family = BPF_CORE_READ(address, sa_family);
	if (family == AF_INET || family == AF_INET6 || !family || family == AF_NETLINK)
		return 0;
	if (family == AF_UNIX) {
		on.facts = MW_K_IS_UNIX;
		on.text = (uint64_t)address + 2;
	}
	return verdict_of(st, &on);
}

SEC("?lsm/socket_connect")
int BPF_PROG(may_connect, struct socket *socket, struct sockaddr *address)
{
	return reaches(MW_CONNECT, address);
}

SEC("?lsm/socket_bind")
int BPF_PROG(may_bind, struct socket *socket, struct sockaddr *address)
{
	return reaches(MW_LISTEN, address);
}

SEC("?lsm/ptrace_access_check")
int BPF_PROG(may_trace, struct task_struct *child, unsigned int mode)
{
	const struct subject on = {.class = MW_TAMPER};
	struct state *st = answerable();

	if (!st || !(mode & ATTACH))
		return 0;
	return is_daemon(child) && keep_off() ? -EPERM_ : verdict_of(st, &on);
}

/* Whatever the policy says: the programs could be taken off by it. */
SEC("?lsm/bpf")
int BPF_PROG(may_bpf)
{
	return answerable() ? keep_off() : 0;
}

SEC("?lsm/userns_create")
int BPF_PROG(may_make_namespace)
{
	const struct subject on = {.class = MW_TAMPER};

	return verdict_of(answerable(), &on);
}

/* What rings do is seen when it is asked for, and comes too late to be refused: there is none. */
SEC("?lsm/inode_init_security_anon")
int BPF_PROG(may_make_ring, struct inode *inode, const struct qstr *name)
{
	const struct subject on = {.class = MW_TAMPER};
	struct state *st = answerable();
	char text[16] = {0};

	if (!st)
		return 0;
	bpf_probe_read_kernel_str(text, sizeof(text), BPF_CORE_READ(name, name));
	return IS_TEXT(text, "[io_uring]") ? verdict_of(st, &on) : 0;
}

/* Datagrams; others have connected before. */
SEC("?lsm/unix_may_send")
int BPF_PROG(may_send)
{
	const struct subject on = {.class = MW_SEND, .facts = MW_K_IS_UNIX};

	return verdict_of(answerable(), &on);
}

/* Nobody else would tell of it: the signal is never made. */
SEC("?lsm/task_kill")
int BPF_PROG(may_signal, struct task_struct *task, struct kernel_siginfo *info, int signal)
{
	struct state *st = answerable();
	const struct subject on = {.class = MW_TAMPER};
	int to;

	if (!st || !signal || (uint64_t)info < 2)
		return 0;
	to = BPF_CORE_READ(task, tgid);
	if (to == BPF_CORE_READ(current_task(), tgid) ||
	    (!is_refused(st, &on) && !(is_daemon(task) && keep_off())))
		return 0;
	tell_signal(st, signal, to, -EPERM_);
	return -EPERM_;
}

static __always_inline uint32_t is_own_program(struct linux_binprm *program)
{
	struct mw_k_program own = program_of(current_task());
	struct inode *inode = BPF_CORE_READ(program, file, f_inode);

	return own.ino == BPF_CORE_READ(inode, i_ino) &&
	                       own.dev == BPF_CORE_READ(inode, i_sb, s_dev)
	               ? MW_K_IS_INTERPRETER
	               : 0;
}

/* The last name of a path that a program was called by; a longer path has none. */
__attribute__((noinline)) uint64_t last_name(uint64_t path)
{
	char text[128] = {0};
	int slash = -1;

	if (bpf_probe_read_kernel_str(text, sizeof(text), (void *)path) >= (int)sizeof(text))
		return path;
	for (int i = 0; i < (int)sizeof(text); i++)
		if (text[i] == '/')
			slash = i;
	return path + slash + 1;
}

SEC("?lsm/bprm_check_security")
int BPF_PROG(may_run, struct linux_binprm *program)
{
	struct state *st = answerable();
	struct subject on = {.class = MW_EXEC};
	struct file *file;

	if (!st)
		return 0;
	file = BPF_CORE_READ(program, file);
	on.text = last_name((uint64_t)BPF_CORE_READ(program, filename));
	on.facts = is_own_program(program);
	on.mount = (uint64_t)BPF_CORE_READ(file, f_path.mnt);
	on.dentry = (uint64_t)BPF_CORE_READ(file, f_path.dentry);
	if (!is_refused(st, &on))
		return 0;
	tell_program(program, true);
	return -EPERM_;
}

#endif
