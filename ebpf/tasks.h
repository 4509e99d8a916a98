/* Who descends from a load, and the programs that are run. */
#ifndef MW_EBPF_TASKS_H
#define MW_EBPF_TASKS_H

#include "refuse.h"

static __always_inline void inherit_python(uint32_t parent, uint32_t child)
{
	struct mw_k_process *process = process_of(parent), copy;

	if (!process)
		return;
	copy = *process;
	if (bpf_map_update_elem(&processes, &child, &copy, BPF_ANY))
		count(MW_K_HOOK_FORK, MW_K_MAP_FULL);
}

/* A child with a copy of the memory goes on in the loads that its parent is in. */
static __always_inline void inherit_loads(const struct state *parent, struct state *child)
{
	bpf_probe_read_kernel(child, sizeof(*child) - sizeof(child->begun), parent);
	child->thread = 0;
	child->prepared = 0;
}

/* A thread that a library starts works for whoever needs it. */
static __always_inline uint32_t blame_for_child(struct state *parent, uint32_t tgid)
{
	uint32_t found = enforces ? blame(parent) : MW_K_NOBODY;

	return found == MW_K_BY_PYTHON && tgid == (uint32_t)BPF_CORE_READ(current_task(), tgid)
	               ? MW_K_NOBODY
	               : found;
}

/* Tells of the birth, with why, and puts the child in scope. */
static __always_inline void bear(struct state *parent, uint32_t tgid, uint32_t tid, bool copied)
{
	uint32_t to_blame = blame_for_child(parent, tgid);
	struct scratch *s = start(MW_K_HOOK_FORK, MW_K_BIRTH, parent);
	uint64_t birth, scope;
	struct open_load *load;
	struct state *st;

	if (!s)
		return;
	load = innermost(parent);
	birth = parent->birth;
	scope = parent->scope;
	if (load) {
		birth = s->effect.head.id;
		scope = load->id;
	}
	s->effect.number = tid;
	s->effect.other = tgid;
	finish(s, parent);
	st = make_state(tid, MW_K_HOOK_FORK);
	if (!st)
		return;
	if (copied)
		inherit_loads(parent, st);
	st->scope = scope;
	st->birth = birth;
	st->blame = to_blame;
	st->fetched = parent->fetched;
	st->bound = parent->bound;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
	uint32_t tgid = BPF_CORE_READ(child, tgid), tid = BPF_CORE_READ(child, pid);
	uint32_t from = BPF_CORE_READ(parent, tgid);
	struct state *st = state_of(BPF_CORE_READ(parent, pid));

	if (tgid != from)
		inherit_python(from, tgid);
	if (st && (st->depth || st->scope))
		bear(st, tgid, tid, BPF_CORE_READ(parent, mm) != BPF_CORE_READ(child, mm));
	return 0;
}

/* The programs may stay without it: then nobody lets a program go that they hold, and nobody reads
 * which loads begin. */
static __always_inline void daemon_has_gone(void)
{
	guardian = 0;
	hold_new = false;
	wants_loads = false;
}

/* What a task that is in scope by birth starts needs no telling: its evidence is the birth's. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
	uint32_t tid = BPF_CORE_READ(task, pid), tgid = BPF_CORE_READ(task, tgid);

	bpf_map_delete_elem(&tasks, &tid);
	if (tid == tgid)
		bpf_map_delete_elem(&processes, &tgid);
	if (tid == guardian)
		daemon_has_gone();
	return 0;
}

static __always_inline void describe_program(struct scratch *s, struct linux_binprm *program)
{
	struct file *file = BPF_CORE_READ(program, file);
	uint32_t start = s->used;
	int len = append(s, BPF_CORE_READ(program, filename), 256);

	s->effect.path.at = start;
	s->effect.path.len = len > 0 ? len - 1 : 0;
	path_of_file(s, file, &s->effect.file);
}

/* Arguments of a call that is under way, from the caller's memory. */
__attribute__((noinline)) int read_arguments(struct scratch *s, uint64_t list)
{
	uint32_t begin;

	if (!s || !list)
		return 0;
	begin = s->used;
	for (int i = 0; i < 33; i++) {
		uint64_t at = 0;

		bpf_probe_read_user(&at, sizeof(at), (void *)(list + 8 * i));
		if (!at || s->used - begin > 3072)
			break;
		if (!append_user(s, at, 256).len && s->used <= MW_K_STRINGS - 256)
			s->effect.strings[s->used++ & (MW_K_STRINGS - 1)] = '\0';
	}
	s->effect.argv.at = begin;
	s->effect.argv.len = s->used - begin;
	return 0;
}

/* Arguments of a program that is there, as the kernel laid them out. */
__attribute__((noinline)) int copy_arguments(struct scratch *s)
{
	struct mm_struct *mm = BPF_CORE_READ(current_task(), mm);
	uint64_t from = BPF_CORE_READ(mm, arg_start), to = BPF_CORE_READ(mm, arg_end);
	uint32_t len = to - from, used;

	if (!s || !mm || to <= from)
		return 0;
	used = s->used;
	if (to - from > 4095)
		len = 4095;
	if (used > MW_K_STRINGS - 4096 || len > 4095 ||
	    bpf_probe_read_user(&s->effect.strings[used], len, (void *)from))
		return 0;
	s->effect.argv.at = used;
	s->effect.argv.len = len;
	s->used = used + len;
	return 0;
}

/* Right before the point of no return: the old image, and so the evidence, is still there. */
static __always_inline int tell_program(struct linux_binprm *program, bool prevented)
{
	struct state *st = state_of((uint32_t)bpf_get_current_pid_tgid());
	struct scratch *s;

	if (st && !st->depth && !prevented)
		return 0; /* in scope by birth: the new image is told of, once it is there */
	s = start(MW_K_HOOK_EXEC, MW_K_EFFECT, st);
	if (!s)
		return 0;
	describe_program(s, program);
	/* execve(path, argv, envp), execveat(directory, path, argv, envp, flags) */
	read_arguments(s, s->regs.orig_ax == 59 ? s->regs.si : s->regs.dx);
	s->effect.prevented = prevented;
	finish(s, st);
	st->prepared = prevented ? EXEC_IS_UNKNOWN : EXEC_IS_TOLD;
	return 0;
}

SEC("?tp_btf/sched_prepare_exec")
int BPF_PROG(will_run, struct task_struct *task, struct linux_binprm *program)
{
	return tell_program(program, false);
}

/* The function that has this tracepoint, where it has it not yet. */
SEC("?fentry/begin_new_exec")
int BPF_PROG(begins_to_run, struct linux_binprm *program)
{
	return tell_program(program, false);
}

static __always_inline void hold(struct linux_binprm *program)
{
	struct mw_k_program key = {.ino = BPF_CORE_READ(program, file, f_inode, i_ino),
	                           .dev = BPF_CORE_READ(program, file, f_inode, i_sb, s_dev)};
	struct mw_k_exec *event;

	if (bpf_map_lookup_elem(&known_programs, &key))
		return;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(MW_K_HOOK_EXEC, MW_K_RING_FULL);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	fill_head(&event->head, MW_K_EXEC, 0);
	event->ino = key.ino;
	event->dev = key.dev;
	bpf_send_signal(19); /* SIGSTOP: it waits for somebody to have read this */
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
}

/* What was open in the program before, and where things lay in its memory. */
static __always_inline void forget_program(struct state *st)
{
	st->depth = st->deeper = 0;
	st->thread = st->reader = st->reader_len = 0;
	st->read_method = st->buffered_type = st->raw_type = st->other_type = 0;
}

static __always_inline void tell_after(struct state *st, struct linux_binprm *program)
{
	struct scratch *s = start(MW_K_HOOK_EXEC, MW_K_EFFECT, st);

	if (!s)
		return;
	describe_program(s, program);
	copy_arguments(s);
	finish(s, st);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ran, struct task_struct *task, int old_tid, struct linux_binprm *program)
{
	uint32_t tid = BPF_CORE_READ(task, pid), old = old_tid;
	struct state *st = state_of(old);

	bpf_map_delete_elem(&processes, &tid);
	if (hold_new)
		hold(program);
	if (!st)
		return 0;
	/* Nobody could tell of it in time: what is known of its loads is all that is left. */
	if (st->prepared == EXEC_IS_ASKED && st->depth) {
		st->replaced = 1;
		tell_after(st, program);
		st->replaced = 0;
		st->prepared = EXEC_IS_TOLD;
	}
	/* The thread that ran it becomes the process; what it had open is no more. */
	if (st->prepared && st->depth && !st->scope && innermost(st)) {
		st->scope = innermost(st)->id;
		st->birth = 0;
	}
	forget_program(st);
	st->blame = MW_K_NOBODY; /* it was let run: the daemon judges it */
	if (st->prepared != EXEC_IS_TOLD)
		tell_after(st, program);
	st->prepared = 0;
	if (old != tid) {
		struct state *leader = make_state(tid, MW_K_HOOK_EXEC);

		if (leader) {
			forget_program(leader);
			leader->prepared = 0;
			leader->scope = st->scope;
			leader->birth = st->birth;
			leader->blame = MW_K_NOBODY;
		}
		bpf_map_delete_elem(&tasks, &old);
	}
	return 0;
}

static __always_inline void tell_signal(struct state *st, int signal, int to, int result)
{
	struct scratch *s = start(MW_K_HOOK_SIGNAL, MW_K_EFFECT, st);

	if (!s)
		return;
	s->effect.number = signal;
	s->effect.result = result;
	s->effect.other = to;
	s->effect.prevented = result < 0;
	finish(s, st);
}

/* A signal to somebody else, by the sender: not one that the kernel makes. */
SEC("?tp_btf/signal_generate")
int BPF_PROG(signalled, int signal, struct kernel_siginfo *info, struct task_struct *task,
             int group, int result)
{
	struct task_struct *sender = current_task();
	int to = BPF_CORE_READ(task, tgid);
	struct state *st = state_of(BPF_CORE_READ(sender, pid));

	if (!st || (uint64_t)info < 2 || to == BPF_CORE_READ(sender, tgid) ||
	    (int)BPF_CORE_READ(info, si_code) > 0)
		return 0;
	tell_signal(st, signal, to, 0);
	return 0;
}

#endif
