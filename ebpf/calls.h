/* System calls: looked at when they begin, told of when they have succeeded. */
#ifndef MW_EBPF_CALLS_H
#define MW_EBPF_CALLS_H

#include "capture.h"

#define WRITES 03     /* O_WRONLY | O_RDWR */
#define CHANGES 01100 /* O_CREAT | O_TRUNC */
#define EINPROGRESS_ 115

#define TS_COMPAT 2
#define EXECVE 59
#define EXECVEAT 322

static __always_inline bool is_compat(void)
{
	return BPF_CORE_READ(current_task(), thread_info.status) & TS_COMPAT;
}

/* Calls of 32-bit programs, and by their entry, have numbers of their own. */
static __always_inline struct mw_k_call *call_of(int64_t number, bool compat)
{
	uint32_t key = number;

	if (key >= MW_K_CALLS)
		return NULL;
	if (compat)
		key += MW_K_CALLS;
	return bpf_map_lookup_elem(&calls, &key);
}

static __always_inline uint32_t keep_string(char *to, uint64_t from)
{
	int len = bpf_probe_read_user_str(to, 256, (void *)from);

	if (len < 0)
		count(MW_K_HOOK_SYSCALL, MW_K_USER_READ);
	return len > 0 ? len : 0;
}

static __always_inline void keep_address(struct begun *begun, int8_t where)
{
	uint64_t at = begun->args[where & 7], len = begun->args[(where + 1) & 7];

	if (where == MW_K_IN_MESSAGE) {
		at = word_at(begun->args[1]);
		len = begun->compat ? at >> 32 : (uint32_t)word_at(begun->args[1] + 8);
		if (begun->compat)
			at = (uint32_t)at;
	}
	if (len > sizeof(begun->address))
		len = sizeof(begun->address);
	MW_PY_KEEP(len);
	if (len > sizeof(begun->address))
		return;
	if (at && !bpf_probe_read_user(begun->address, len, (void *)at))
		begun->address_len = len;
}

static __always_inline void keep_arguments(struct begun *begun, const struct pt_regs *regs)
{
	if (begun->compat) {
		begun->args[0] = (uint32_t)regs->bx;
		begun->args[1] = (uint32_t)regs->cx;
		begun->args[2] = (uint32_t)regs->dx;
		begun->args[3] = (uint32_t)regs->si;
		begun->args[4] = (uint32_t)regs->di;
		begun->args[5] = (uint32_t)regs->bp;
		return;
	}
	begun->args[0] = regs->di;
	begun->args[1] = regs->si;
	begun->args[2] = regs->dx;
	begun->args[3] = regs->r10;
	begun->args[4] = regs->r8;
	begun->args[5] = regs->r9;
}

static __always_inline void fetch_arguments(struct begun *begun, uint64_t from)
{
	for (uint64_t i = 0; i < 6; i++) {
		uint32_t word = 0;

		/* Behind the last one there may be nothing. */
		bpf_probe_read_user(&word, sizeof(word), (void *)(from + 4 * i));
		begun->args[i] = word;
	}
}

/* Which call a number of socketcall(2) stands for; negative: none that is looked at. */
static __always_inline int64_t socket_call(uint64_t number)
{
	switch (number) {
	case 2:
		return MW_K_BIND;
	case 3:
		return MW_K_CONNECT;
	case 9: /* send(2): sendto(2) without an address */
	case 11:
		return MW_K_SENDTO;
	case 16:
		return MW_K_SENDMSG;
	case 20:
		return MW_K_SENDMMSG;
	default:
		return -1;
	}
}

/* Spells a 32-bit call out that has another one behind it. Returns the number of that. */
static __always_inline int64_t spell_out(struct begun *begun, int64_t number)
{
	uint64_t which = begun->args[0];

	switch (number) {
	case MW_K_OLD_MMAP:
		fetch_arguments(begun, begun->args[0]);
		return number;
	case MW_K_SOCKETCALL:
		fetch_arguments(begun, begun->args[1]);
		if (which == 9)
			begun->args[4] = begun->args[5] = 0;
		return socket_call(which);
	case MW_K_IPC:
		if ((which & 0xffff) != MW_K_IPC_SHMAT)
			return -1;
		begun->args[0] = begun->args[1];
		begun->args[1] = begun->args[4];
		return MW_K_SHMAT; /* its flags are where they were */
	default:
		return number;
	}
}

/* Where nobody can tell of a program right before it runs, which loads were open is known now only.
 */
static __always_inline bool is_exec(int64_t number)
{
	return number == EXECVE || number == EXECVEAT;
}

/* Only what it needs of its arguments is kept: they may be gone when the call returns. */
static __always_inline void call_begins(const struct pt_regs *regs, int64_t number)
{
	struct state *st = state_of((uint32_t)bpf_get_current_pid_tgid());
	const struct mw_k_call *call;
	struct begun *begun;

	if (!st || (!st->depth && !st->scope))
		return;
	begun = &st->begun;
	begun->number = -1;
	begun->refused = 0;
	begun->compat = is_compat();
	if (is_exec(number) && !begun->compat) {
		still_open(st, regs->sp);
		st->prepared = EXEC_IS_ASKED;
	}
	keep_arguments(begun, regs);
	if (begun->compat)
		number = spell_out(begun, number);
	call = call_of(number, begun->compat);
	if (!call || !call->watched)
		return;
	if (call->test >= 0 && !mw_k_is_looked_at(call, begun->args[call->test & 7]))
		return;
	begun->path_len =
	        call->path >= 0 ? keep_string(begun->path, begun->args[call->path & 3]) : 0;
	begun->path2_len =
	        call->path2 >= 0 ? keep_string(begun->path2, begun->args[call->path2 & 3]) : 0;
	begun->address_len = 0;
	if (call->address >= 0)
		keep_address(begun, call->address);
	begun->number = number;
}

static __always_inline struct mw_k_str put(struct scratch *s, const char *text, uint32_t len)
{
	struct mw_k_str ret = {.at = s->used, .len = 0};

	if (len < 2 || !append(s, text, 256))
		return ret;
	ret.len = len - 1;
	return ret;
}

static __always_inline bool inet(const struct begun *begun)
{
	uint16_t family = *(const uint16_t *)begun->address;

	return begun->address_len < 2 ? false : family == AF_INET || family == AF_INET6;
}

/* Connections and datagrams over IP have hooks of their own, which see the kernel's copy. */
static __always_inline bool is_seen_elsewhere(const struct mw_k_call *call,
                                              const struct begun *begun)
{
	return (call->kind == MW_K_CALL_CONNECT || call->kind == MW_K_CALL_SEND) && inet(begun);
}

/* Fills in the file that the call is about. False: it opened a file to read, which is no secret. */
static __always_inline bool describe_file(struct scratch *s, const struct mw_k_call *call,
                                          const struct begun *begun, int64_t result)
{
	struct mw_k_effect *e = &s->effect;
	bool opens = call->kind >= MW_K_CALL_OPEN && call->kind <= MW_K_CALL_OPEN_NEW;
	int fd = opens ? (int)result : call->fd >= 0 ? (int)begun->args[call->fd & 7] : -1;
	struct file *file = fd >= 0 ? file_of(fd) : NULL;
	uint64_t flags = 0;

	if (file) {
		path_of_file(s, file, &e->file);
		e->is_new = opens && BPF_CORE_READ(file, f_mode) & FMODE_CREATED;
	}
	if (!opens)
		return true;
	if (call->kind == MW_K_CALL_OPEN)
		flags = begun->args[call->fd & 3];
	else if (call->kind == MW_K_CALL_OPEN_NEW)
		flags = WRITES | CHANGES;
	else
		bpf_probe_read_user(&flags, sizeof(flags), (void *)begun->args[2]);
	e->other = flags;
	return flags & (WRITES | CHANGES) || !file || s->secret;
}

static __always_inline void describe_start(struct scratch *s, const struct mw_k_call *call,
                                           const struct begun *begun)
{
	struct mw_k_effect *e = &s->effect;
	struct task_struct *task = current_task();
	int fd = call->directory >= 0 ? (int)begun->args[call->directory & 3] : -100;
	struct file *file;

	if (call->path < 0 || (begun->path_len && begun->path[0] == '/'))
		return;
	file = fd >= 0 ? file_of(fd) : NULL;
	if (file)
		path_of_file(s, file, &e->directory);
	else
		path_of(s, __builtin_preserve_access_index(&task->fs->pwd), &e->directory);
}

#define ENOSYS_ 38

/* An attempt that fails for its own reasons is no effect. */
static __always_inline bool has_failed(const struct mw_k_call *call, int64_t result)
{
	if (result >= 0 || result < -4095 || result == -EINPROGRESS_)
		return false;
	return !call->attempts || result == -ENOSYS_;
}

static __always_inline void call_ends(int64_t result)
{
	struct state *st = state_of((uint32_t)bpf_get_current_pid_tgid());
	const struct mw_k_call *call;
	struct mw_k_effect *e;
	struct scratch *s;
	int64_t number;

	if (!st)
		return;
	number = st->begun.number;
	if (number < 0)
		return;
	st->begun.number = -1;
	call = call_of(number, st->begun.compat);
	if (!call || (!st->begun.refused && has_failed(call, result)) ||
	    is_seen_elsewhere(call, &st->begun))
		return;
	s = start(MW_K_HOOK_SYSCALL, MW_K_EFFECT, st);
	if (!s)
		return;
	e = &s->effect;
	e->number = number;
	e->compat = st->begun.compat;
	e->result = result;
	e->prevented = st->begun.refused && result < 0;
	for (int i = 0; i < 6; i++)
		e->args[i] = st->begun.args[i];
	e->path = put(s, st->begun.path, st->begun.path_len);
	e->path2 = put(s, st->begun.path2, st->begun.path2_len);
	if (st->begun.address_len <= sizeof(e->address)) {
		bpf_probe_read_kernel(e->address, sizeof(e->address), st->begun.address);
		e->address_len = st->begun.address_len;
	}
	describe_start(s, call, &st->begun);
	if (describe_file(s, call, &st->begun, result))
		finish(s, st);
	else
		release(s);
}

/* Both run for every call of every task, so what does not concern them ends at once: by the number,
 * which for most calls is in no table. */
static __always_inline bool is_watched(uint64_t number)
{
	if (number >= MW_K_CALLS)
		return false;
	MW_PY_KEEP(number);
	return watched_calls[number & (MW_K_CALLS - 1)];
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(call_begun, struct pt_regs *regs, long number)
{
	if (is_watched(number))
		call_begins(regs, number);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(call_ended, struct pt_regs *regs, long result)
{
	if (is_watched(regs->orig_ax))
		call_ends(result);
	return 0;
}

/* The same without the tax on all calls, where the kernel lets its own functions be probed: one
 * program for all entries and one for all returns of the functions that are the calls. */
SEC("?kprobe.multi")
int call_entered(struct pt_regs *ctx)
{
	struct pt_regs regs;

	bpf_probe_read_kernel(&regs, sizeof(regs), (void *)ctx->di);
	call_begins(&regs, (uint32_t)regs.orig_ax);
	return 0;
}

SEC("?kretprobe.multi")
int call_left(struct pt_regs *ctx)
{
	call_ends(ctx->ax);
	return 0;
}

#endif
