/* What an event of the kernel is as an effect: the class, what it is called and what it is on. Its
 * cause and its load are found elsewhere. */
#include <linux/audit.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "daemon_matter.h"
#include "floor_calls.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define NARROW AUDIT_ARCH_I386
#else
#define NATIVE AUDIT_ARCH_AARCH64
#define NARROW AUDIT_ARCH_ARM
#endif

/* What is asked for by a ring is like the system call, and has its arguments. */
static const struct {
	uint8_t opcode;
	int number;
} rings[] = {
        {17, SYS_fallocate}, {18, SYS_openat},    {28, 437 /* openat2 */}, {16, SYS_connect},
        {9, SYS_sendmsg},    {26, SYS_sendto},    {47, SYS_sendto},        {48, SYS_sendmsg},
        {35, SYS_renameat2}, {36, SYS_unlinkat},  {37, SYS_mkdirat},       {38, SYS_symlinkat},
        {39, SYS_linkat},    {55, SYS_ftruncate}, {56, SYS_bind},          {57, SYS_listen},
        {42, SYS_setxattr},  {41, SYS_fsetxattr},
};

static bool network_effect(struct mw_daemon_matter *m)
{
	const struct mw_k_effect *k = m->k;
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	char text[MW_SOCKNAME] = "";

	memcpy(&address, k->address,
	       k->address_len < sizeof(address) ? k->address_len : sizeof(address));
	if (k->address_len >= sizeof(sa_family_t)) {
		if (address.ss_family == AF_NETLINK)
			return false; /* asks the kernel */
		if (m->effect.class == MW_CONNECT && address.ss_family == AF_UNSPEC)
			return false; /* dissolves an association */
		m->effect.facts |= mw_sockname((struct sockaddr *)&address, k->address_len, text);
		m->effect.target = mw_daemon_text(m, (struct mw_str){text, (uint32_t)strlen(text)});
	}
	m->effect.number = k->hook == MW_K_HOOK_SYSCALL ? (int)k->args[0] : 0;
	return true;
}

/* Raw, packet and VM sockets: the socket itself is what reaches out. */
static bool socket_effect(struct mw_daemon_matter *m)
{
	const struct mw_k_effect *k = m->k;
	char text[80];
	int n = snprintf(text, sizeof(text), "family %lld, type %u, protocol %u",
	                 (long long)k->number, k->protocol >> 16, k->protocol & 0xffff);

	m->effect.class = MW_SEND;
	m->effect.op = "socket";
	m->effect.target = mw_daemon_text(m, (struct mw_str){text, (uint32_t)n});
	return true;
}

/* Signals that a task sends to others. */
static bool signal_effect(struct mw_daemon_matter *m)
{
	const struct mw_k_effect *k = m->k;
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)k->other);

	if (k->other == k->head.tgid || !k->number)
		return false;
	m->effect.class = MW_TAMPER;
	m->effect.op = "kill";
	m->effect.number = k->number;
	m->effect.target = mw_daemon_text(m, (struct mw_str){text, (uint32_t)n});
	return true;
}

/* Asking is harmless; so is what another of the task's own limits is set to. */
static bool limit_counts(const struct mw_k_effect *k)
{
	pid_t whose = (pid_t)k->args[0];
	bool own = !whose || whose == (pid_t)k->head.tgid;

	return k->args[2] && (!own || (int)k->args[1] == RLIMIT_MSGQUEUE);
}

static bool tamper_effect(struct mw_daemon_matter *m)
{
	const struct mw_k_effect *k = m->k;
	struct mw_effect *effect = &m->effect;
	bool of_thread = k->number == SYS_tgkill || k->number == SYS_rt_tgsigqueueinfo;

	effect->number = (int)k->args[0];
	effect->target = mw_daemon_text(m, mw_k_text(k, k->path));
	switch (k->number) {
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal:
		effect->number = (int)k->args[of_thread ? 2 : 1];
		return effect->number && (pid_t)k->args[0] != (pid_t)k->head.tgid &&
		       (pid_t)k->args[0] != (pid_t)k->head.tid;
	case SYS_fcntl:
	case SYS_ioctl:
		effect->number = (int)k->args[1];
		return true;
	case SYS_prlimit64:
		return limit_counts(k);
	default:
		return true;
	}
}

static bool by_class(struct mw_daemon_matter *m, const struct mw_policy *policy, bool second)
{
	switch (m->effect.class) {
	case MW_WRITE:
		return mw_daemon_file_effect(m, policy, second);
	case MW_MAP:
		return !second && mw_daemon_map_effect(m);
	case MW_CONNECT:
	case MW_SEND:
	case MW_LISTEN:
		return !second && network_effect(m);
	default:
		return !second && tamper_effect(m);
	}
}

/* By another entry of the kernel than the program's own. */
static bool narrow_effect(struct mw_daemon_matter *m)
{
	enum mw_class class = m->effect.class;
	bool network = class == MW_CONNECT || class == MW_SEND || class == MW_LISTEN;
	bool counts = !network || network_effect(m);

	m->effect.number = m->k->number;
	return counts;
}

/* Reading is not on the floor's list; here an open for reading may be one of a secret. */
static bool is_open(const struct mw_k_effect *k)
{
#ifdef SYS_open
	if (k->number == SYS_open)
		return true;
#endif
	return k->number == SYS_openat || k->number == 437 || k->number == SYS_open_by_handle_at;
}

static bool call_effect(struct mw_daemon_matter *m, const struct mw_policy *policy, bool second)
{
	const struct mw_k_effect *k = m->k;
	const struct mw_floor_call *row =
	        k->compat ? mw_floor_call(NARROW, (int)k->number)
	                  : mw_floor_call_with(NATIVE, (int)k->number, k->args);

	if (!row && !k->compat && is_open(k))
		row = mw_floor_call(NATIVE, SYS_openat);
	if (!row || row->effect == MW_FLOOR_BIRTH || row->effect == MW_FLOOR_TALK ||
	    row->effect == MW_EXEC ||
	    (k->result < 0 && !k->prevented && row->effect != MW_CONNECT &&
	     row->effect != MW_TAMPER))
		return false;
	m->effect.op = row->name;
	m->effect.class = row->effect < MW_CLASS_COUNT ? (enum mw_class)row->effect : MW_TAMPER;
	if (!k->compat && is_open(k))
		m->effect.class = MW_WRITE;
	return k->compat ? !second && narrow_effect(m) : by_class(m, policy, second);
}

/* The same as a call, made by the kernel on the task's behalf. */
static bool ring_effect(struct mw_daemon_matter *m, const struct mw_policy *policy, bool second)
{
	struct mw_k_effect *as_call = &m->as_call;

	for (size_t i = 0; i < sizeof(rings) / sizeof(*rings); i++) {
		const struct mw_k_effect *k = m->k;
		bool found;

		if (rings[i].opcode != k->number)
			continue;
		memcpy(as_call, k, mw_k_size(k));
		as_call->number = rings[i].number;
		as_call->result = 0;
		m->k = as_call;
		found = call_effect(m, policy, second);
		m->k = k;
		if (found)
			m->effect.op = "io_uring";
		return found;
	}
	return false;
}

bool mw_daemon_effect(struct mw_daemon_matter *m, const struct mw_policy *policy, bool second)
{
	struct mw_effect *effect = &m->effect;

	*effect = (struct mw_effect){.sensor = MW_KERNEL};
	switch ((enum mw_k_hook)m->k->hook) {
	case MW_K_HOOK_EXEC:
		effect->class = MW_EXEC;
		effect->op = "execve";
		return !second && mw_daemon_program_effect(m);
	case MW_K_HOOK_SYSCALL:
		return call_effect(m, policy, second);
	case MW_K_HOOK_URING:
		return ring_effect(m, policy, second);
	case MW_K_HOOK_CONNECT:
		effect->class = MW_CONNECT;
		effect->op = "connect";
		return !second && network_effect(m);
	case MW_K_HOOK_SEND:
		effect->class = MW_SEND;
		effect->op = "sendmsg";
		return !second && network_effect(m);
	case MW_K_HOOK_BIND:
	case MW_K_HOOK_LISTEN:
		effect->class = MW_LISTEN;
		effect->op = m->k->hook == MW_K_HOOK_BIND ? "bind" : "listen";
		return !second && network_effect(m);
	case MW_K_HOOK_SOCKET:
		return !second && socket_effect(m);
	case MW_K_HOOK_SIGNAL:
		return !second && signal_effect(m);
	case MW_K_HOOK_ENTRY:
	case MW_K_HOOK_FORK:
	case MW_K_HOOK_EXIT:
	case MW_K_HOOK_LSM: /* the others tell of what it refused */
	case MW_K_HOOKS:
		break;
	}
	return false;
}
