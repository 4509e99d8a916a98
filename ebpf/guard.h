/* What watches is nothing that the watched may touch: the daemon and its helpers, its files, its
 * control socket, and bpf(2). No rule of a policy lets a load, or what one has started, through
 * here. */
#ifndef MW_EBPF_GUARD_H
#define MW_EBPF_GUARD_H

#include "calls.h"
#include "entries.h"
#include "refuse.h"

#define EPERM_ 1
#define MS_MOVE_ 0x2000

/* The state of the current thread, if it is in a load or comes from one. It is asked for before
 * anything else is looked at: for all others, which is nearly everybody, that is all that a program
 * costs. */
static __always_inline struct state *answerable(void)
{
	struct state *st = state_of((uint32_t)bpf_get_current_pid_tgid());

	return st && (st->depth || st->scope) ? st : NULL;
}

/* Told of with the call that it is part of, if that is looked at. */
static __always_inline int refuse(struct state *st)
{
	st->begun.refused = 1;
	count(MW_K_HOOK_LSM, MW_K_HITS);
	return -EPERM_;
}

/* Whether the current task answers for a load, whoever is to blame, and is kept off. */
__attribute__((noinline)) int is_kept_off(void)
{
	struct state *st = state_of((uint32_t)bpf_get_current_pid_tgid());

	if (!enforces || !st)
		return 0;
	if (!st->scope && (!st->depth || !drop_over(st, user_stack())))
		return 0;
	return refuse(st) < 0;
}

/* The kernel wants to see that it is an error or none. */
static __always_inline int keep_off(void)
{
	return is_kept_off() ? -EPERM_ : 0;
}

/* The daemon, and the helpers that it has started. */
static __always_inline bool is_daemon(struct task_struct *task)
{
	return guardian && (BPF_CORE_READ(task, tgid) == (int)guardian ||
	                    BPF_CORE_READ(task, group_leader, real_parent, tgid) == (int)guardian);
}

static __always_inline uint32_t kinds_of(struct inode *inode)
{
	const struct mw_k_program key = {.ino = BPF_CORE_READ(inode, i_ino),
	                                 .dev = BPF_CORE_READ(inode, i_sb, s_dev)};
	const struct mw_k_guarded *found = bpf_map_lookup_elem(&guarded, &key);

	return found ? found->kinds : 0;
}

/* Whether that would change what is guarded: the thing itself, what it lies in, what lies in it. */
__attribute__((noinline)) int is_guarded(uint64_t at)
{
	uint32_t wanted = MW_K_GUARD_ITSELF | MW_K_GUARD_ABOVE;
	struct dentry *dentry = (struct dentry *)at;

	for (int i = 0; i < MW_K_GUARD_LEVELS && dentry; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (kinds_of(BPF_CORE_READ(dentry, d_inode)) & wanted)
			return 1;
		if (parent == dentry)
			return 0;
		wanted = MW_K_GUARD_ITSELF;
		dentry = parent;
	}
	return 0;
}

/* Of what the kernel itself has handed over no address is a number yet: in memory it is one. */
__attribute__((noinline)) int touches_guarded(const struct subject *on)
{
	return on && (is_guarded(on->dentry) || is_guarded(on->second));
}

static __always_inline bool is_path_guarded(const struct path *path)
{
	return answerable() && is_guarded((uint64_t)BPF_CORE_READ(path, dentry));
}

SEC("?lsm/sb_mount")
int BPF_PROG(may_mount, const char *device, const struct path *path, const char *type,
             unsigned long flags)
{
	return flags & MS_MOVE_ || is_path_guarded(path) ? keep_off() : 0;
}

SEC("?lsm/move_mount")
int BPF_PROG(may_move_mount, const struct path *from, const struct path *to)
{
	return is_path_guarded(from) || is_path_guarded(to) ? keep_off() : 0;
}

SEC("?lsm/sb_umount")
int BPF_PROG(may_unmount, struct vfsmount *mount)
{
	return answerable() && is_guarded((uint64_t)BPF_CORE_READ(mount, mnt_root)) ? keep_off()
	                                                                            : 0;
}

/* The paths of all who have the old root would lead elsewhere. */
SEC("?lsm/sb_pivotroot")
int BPF_PROG(may_turn_root)
{
	return keep_off();
}

/* A limit can end a process, or leave it no descriptor. */
SEC("?lsm/task_setrlimit")
int BPF_PROG(may_limit, struct task_struct *task)
{
	return answerable() && is_daemon(task) ? keep_off() : 0;
}

/* Whoever makes the signal come need not be who has asked for it. The daemon asks for none. */
SEC("?lsm/file_send_sigiotask")
int BPF_PROG(may_signal_by_file, struct task_struct *task)
{
	return enforces && is_daemon(task) ? -EPERM_ : 0;
}

SEC("?lsm/unix_stream_connect")
int BPF_PROG(may_ask, struct sock *socket, struct sock *other)
{
	struct inode *inode;

	if (!answerable())
		return 0;
	inode = BPF_CORE_READ((struct unix_sock *)other, path.dentry, d_inode);
	return kinds_of(inode) & MW_K_GUARD_ITSELF ? keep_off() : 0;
}

/* Run by the daemon itself. The kernel's own numbers of a file are not those that a process is
 * told. */
SEC("?syscall")
int guard(struct mw_k_guard *ctx)
{
	struct mw_k_guarded value = {.kinds = ctx->kind, .round = ctx->round}, *known;
	struct file *file = ctx->fd < 0 ? NULL : file_of(ctx->fd);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	const struct mw_k_program key = {.ino = BPF_CORE_READ(inode, i_ino),
	                                 .dev = BPF_CORE_READ(inode, i_sb, s_dev)};

	guardian = bpf_get_current_pid_tgid() >> 32;
	if (!file)
		return 0;
	known = bpf_map_lookup_elem(&guarded, &key);
	if (known && known->round == ctx->round)
		value.kinds |= known->kinds;
	return (int)bpf_map_update_elem(&guarded, &key, &value, BPF_ANY);
}

#endif
