/* The network: by what the kernel has copied, whoever asked for it: io_uring's workers too. */
#ifndef MW_EBPF_NETWORK_H
#define MW_EBPF_NETWORK_H

#include "refuse.h"

static __always_inline struct state *state_of_current(void)
{
	return state_of(BPF_CORE_READ(current_task(), pid));
}

/* What a program of a control group returns: whether it may be. The verifier has to see that this
 * is 0 or 1, whatever the compiler knows. */
static __always_inline int unless(bool refused)
{
	uint32_t may = !refused;

	MW_PY_KEEP(may);
	return may & 1;
}

struct address4 {
	uint16_t family, port;
	uint32_t address;
};

struct address6 {
	uint16_t family, port;
	uint32_t flow;
	uint32_t address[4];
	uint32_t scope;
};

/* Tells of it. Returns what the program has to: whether it may be. */
static __always_inline int tell_address(enum mw_k_hook hook, enum mw_class class,
                                        struct bpf_sock_addr *ctx, bool six)
{
	const struct subject on = {.class = class};
	struct state *st = state_of_current();
	bool refused = is_refused(st, &on);
	struct scratch *s = start(hook, MW_K_EFFECT, st);
	struct mw_k_effect *e;

	if (!s)
		return unless(refused);
	e = &s->effect;
	e->protocol = ctx->type << 16 | ctx->protocol;
	if (six) {
		struct address6 *to = (struct address6 *)e->address;

		to->family = AF_INET6;
		to->port = ctx->user_port;
		to->address[0] = ctx->user_ip6[0];
		to->address[1] = ctx->user_ip6[1];
		to->address[2] = ctx->user_ip6[2];
		to->address[3] = ctx->user_ip6[3];
		e->address_len = sizeof(*to);
	} else {
		struct address4 *to = (struct address4 *)e->address;

		to->family = AF_INET;
		to->port = ctx->user_port;
		to->address = ctx->user_ip4;
		e->address_len = 16;
	}
	e->prevented = refused;
	finish(s, st);
	return unless(refused);
}

SEC("?cgroup/connect4")
int connects4(struct bpf_sock_addr *ctx)
{
	return tell_address(MW_K_HOOK_CONNECT, MW_CONNECT, ctx, false);
}

SEC("?cgroup/connect6")
int connects6(struct bpf_sock_addr *ctx)
{
	return tell_address(MW_K_HOOK_CONNECT, MW_CONNECT, ctx, true);
}

SEC("?cgroup/sendmsg4")
int sends4(struct bpf_sock_addr *ctx)
{
	return tell_address(MW_K_HOOK_SEND, MW_SEND, ctx, false);
}

SEC("?cgroup/sendmsg6")
int sends6(struct bpf_sock_addr *ctx)
{
	return tell_address(MW_K_HOOK_SEND, MW_SEND, ctx, true);
}

SEC("?cgroup/bind4")
int binds4(struct bpf_sock_addr *ctx)
{
	return tell_address(MW_K_HOOK_BIND, MW_LISTEN, ctx, false);
}

SEC("?cgroup/bind6")
int binds6(struct bpf_sock_addr *ctx)
{
	return tell_address(MW_K_HOOK_BIND, MW_LISTEN, ctx, true);
}

/* Raw sockets; those of other families are seen by their system call. */
SEC("?cgroup/sock_create")
int makes_socket(struct bpf_sock *ctx)
{
	const struct subject on = {.class = MW_SEND};
	struct state *st;
	struct scratch *s;
	bool refused;

	if (ctx->type != 3) /* SOCK_RAW */
		return 1;
	st = state_of_current();
	refused = is_refused(st, &on);
	s = start(MW_K_HOOK_SOCKET, MW_K_EFFECT, st);
	if (!s)
		return unless(refused);
	s->effect.protocol = ctx->type << 16 | ctx->protocol;
	s->effect.number = ctx->family;
	s->effect.prevented = refused;
	finish(s, st);
	return unless(refused);
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *sock, int old, int now)
{
	struct state *st;
	struct scratch *s;
	struct mw_k_effect *e;

	if (now != TCP_LISTEN)
		return 0;
	st = state_of_current();
	s = start(MW_K_HOOK_LISTEN, MW_K_EFFECT, st);
	if (!s)
		return 0;
	e = &s->effect;
	e->number = now;
	if (BPF_CORE_READ(sock, __sk_common.skc_family) == AF_INET6) {
		struct address6 *to = (struct address6 *)e->address;

		to->family = AF_INET6;
		to->port = bpf_htons(BPF_CORE_READ(sock, __sk_common.skc_num));
		bpf_probe_read_kernel(
		        to->address, sizeof(to->address),
		        __builtin_preserve_access_index(&sock->__sk_common.skc_v6_rcv_saddr));
		e->address_len = sizeof(*to);
	} else {
		struct address4 *to = (struct address4 *)e->address;

		to->family = AF_INET;
		to->port = bpf_htons(BPF_CORE_READ(sock, __sk_common.skc_num));
		to->address = BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr);
		e->address_len = 16;
	}
	finish(s, st);
	return 0;
}

/* What is asked of a ring: the names are the kernel's copies. */
static __always_inline int tell_request(struct io_kiocb *request)
{
	struct state *st = state_of_current();
	struct scratch *s = start(MW_K_HOOK_URING, MW_K_EFFECT, st);
	struct filename *names[2] = {0};
	struct mw_k_effect *e;
	uint32_t from;

	if (!s)
		return 0;
	e = &s->effect;
	e->number = BPF_CORE_READ(request, opcode);
	/* A command's own data begins with the file and two numbers; names follow. */
	bpf_probe_read_kernel(names, sizeof(names),
	                      __builtin_preserve_access_index(&request->cmd.data[16]));
	switch (e->number) {
	case 18: /* OPENAT */
	case 28: /* OPENAT2 */
		bpf_probe_read_kernel(&e->args[2],
		                      sizeof(e->args[2]), /* the flags, behind the name */
		                      __builtin_preserve_access_index(&request->cmd.data[24]));
		e->other = e->args[2];
		names[1] = NULL;
		break;
	case 36: /* UNLINKAT */
	case 37: /* MKDIRAT */
		names[1] = NULL;
		break;
	case 35: /* RENAMEAT */
	case 38: /* SYMLINKAT */
	case 39: /* LINKAT */
		break;
	default:
		names[0] = names[1] = NULL;
	}
	from = s->used;
	if (names[0]) {
		int len = append(s, BPF_CORE_READ(names[0], name), 256);

		e->path.at = from;
		e->path.len = len > 0 ? len - 1 : 0;
	}
	from = s->used;
	if (names[1]) {
		int len = append(s, BPF_CORE_READ(names[1], name), 256);

		e->path2.at = from;
		e->path2.len = len > 0 ? len - 1 : 0;
	}
	finish(s, st);
	return 0;
}

SEC("?tp_btf/io_uring_submit_req")
int BPF_PROG(submitted, struct io_kiocb *request)
{
	return tell_request(request);
}

/* By its older name. */
SEC("?tp_btf/io_uring_submit_sqe")
int BPF_PROG(submitted_entry, struct io_kiocb *request)
{
	return tell_request(request);
}

#endif
