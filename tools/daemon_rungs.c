#include "daemon_rungs.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "daemon_trial.h"

/* From 6.7 on; older headers lack it. */

struct trial {
	const struct btf *types;
	struct mw_rung_found *found;
};

__attribute__((format(printf, 2, 3))) static void say(struct trial *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->found->detail, sizeof(t->found->detail), format, args);
	va_end(args);
}

static int try_btf(struct trial *t)
{
	say(t, "the kernel describes its own types");
	return t->types ? 0 : -ENOENT;
}

static int try_ring(struct trial *t)
{
	say(t, "events come in order, from all CPUs");
	return mw_trial_ring();
}

static int try_lineage(struct trial *t)
{
	static const char *const names[] = {"sched_process_fork", "sched_process_exec",
	                                    "sched_process_exit"};
	int error = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !error; i++)
		error = mw_trial_tp_btf(t->types, names[i]);
	say(t, "tp_btf: fork, exec and exit");
	return error;
}

static int try_regs(struct trial *t)
{
	say(t, "bpf_task_pt_regs: where a task is in its own code");
	return mw_trial_task_regs(t->types);
}

static int try_uprobes(struct trial *t)
{
	double ns = 0;
	int error = mw_trial_uprobe(&ns);

	say(t, "a probe in an interpreter takes %.1f us here when it is hit", ns / 1000);
	return error;
}

static int try_sideband(struct trial *t)
{
	say(t, "perf tells of every file that is mapped");
	return mw_trial_sideband();
}

static int try_socket_address(struct trial *t, int first, int second, const char *names)
{
	int error = mw_trial_cgroup(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, first);

	say(t, "cgroup: %s", names);
	if (!error && second)
		error = mw_trial_cgroup(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, second);
	return error;
}

static int try_connect(struct trial *t)
{
	return try_socket_address(t, BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT,
	                          "connect4 and connect6");
}

static int try_send(struct trial *t)
{
	return try_socket_address(t, BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_SENDMSG,
	                          "sendmsg4 and sendmsg6");
}

static int try_bind(struct trial *t)
{
	return try_socket_address(t, BPF_CGROUP_INET4_BIND, BPF_CGROUP_INET6_BIND,
	                          "bind4 and bind6");
}

static int try_socket(struct trial *t)
{
	say(t, "cgroup: sock_create");
	return mw_trial_cgroup(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE);
}

static int try_point(struct trial *t, const char *name)
{
	say(t, "tp_btf: %s", name);
	return mw_trial_tp_btf(t->types, name);
}

static int try_listen(struct trial *t)
{
	return try_point(t, "inet_sock_set_state");
}

static int try_signal(struct trial *t)
{
	return try_point(t, "signal_generate");
}

static int try_prepare_exec(struct trial *t)
{
	int error = try_point(t, "sched_prepare_exec");

	if (error != -ENOENT)
		return error;
	say(t, "fentry: begin_new_exec");
	return mw_trial_fentry(t->types, "begin_new_exec");
}

static int try_uring(struct trial *t)
{
	int error = try_point(t, "io_uring_submit_req");

	return error == -ENOENT ? try_point(t, "io_uring_submit_sqe") : error;
}

static int try_syscalls(struct trial *t)
{
	double ns = 0;
	int error = mw_trial_syscalls(&ns);

	say(t, "tracepoint: every system call of every task takes %.0f ns more here", ns);
	return error;
}

static int try_call_probes(struct trial *t)
{
	say(t, "kprobe: system calls by their functions, without a tax on other calls");
	return mw_trial_kprobe();
}

static int try_lsm(struct trial *t)
{
	say(t, "LSM programs run");
	return mw_trial_lsm(t->types);
}

static const struct {
	const char *name;
	int (*attempt)(struct trial *t);
	bool needs_types;
	const char *cost;
} rungs[MW_RUNGS] = {
        [MW_RUNG_BTF] = {"kernel types", try_btf, false, "no daemon"},
        [MW_RUNG_RING] = {"ring buffer", try_ring, false, "no daemon"},
        [MW_RUNG_LINEAGE] = {"lineage", try_lineage, true, "no daemon"},
        [MW_RUNG_REGS] = {"task registers", try_regs, true, "no daemon"},
        [MW_RUNG_UPROBES] = {"uprobes", try_uprobes, false, "no daemon"},
        [MW_RUNG_SIDEBAND] = {"mapped files", try_sideband, false,
                              "interpreters are found by looking at /proc, and so later"},
        [MW_RUNG_CONNECT] = {"connect", try_connect, false, "connections are not seen"},
        [MW_RUNG_SEND] = {"send", try_send, false, "datagrams are not seen"},
        [MW_RUNG_BIND] = {"bind", try_bind, false, "datagram sockets that listen are not seen"},
        [MW_RUNG_SOCKET] = {"raw sockets", try_socket, false, "raw sockets are not seen"},
        [MW_RUNG_LISTEN] = {"listen", try_listen, true, "sockets that listen are not seen"},
        [MW_RUNG_SIGNAL] = {"signals", try_signal, true, "signals to other processes are not seen"},
        [MW_RUNG_PREPARE_EXEC] = {"before exec", try_prepare_exec, true,
                                  "of a load that runs a program in its process's place, the "
                                  "call is told, and neither artifact nor stacks"},
        [MW_RUNG_URING] = {"io_uring", try_uring, true, "what is done by io_uring is not seen"},
        [MW_RUNG_SYSCALLS] = {"system calls", try_syscalls, false,
                              "files are seen by call probes, or not at all"},
        [MW_RUNG_CALL_PROBES] = {"call probes", try_call_probes, false,
                                 "files are seen by tracepoints, which tax all system calls"},
        [MW_RUNG_LSM] = {"LSM", try_lsm, true, "nothing can be kept from happening"},
};

const char *mw_rung_name(enum mw_rung rung)
{
	return rungs[rung].name;
}

const char *mw_rung_cost(enum mw_rung rung)
{
	return rungs[rung].cost;
}

static const char *reason(int error)
{
	switch (error) {
	case -ENOENT:
	case -ESRCH:
		return "this kernel has no such thing";
	case -EPERM:
		return "refused: no privilege, or the kernel is locked down";
	case -EINVAL:
		return "this kernel does not know it";
	case -ENOTSUP:
		return "it loads, and does not run";
	default:
		return strerror(-error);
	}
}

void mw_rungs_try(struct mw_rungs *ret)
{
	libbpf_print_fn_t before = libbpf_set_print(NULL);
	struct btf *types = mw_trial_types();

	for (int i = 0; i < MW_RUNGS; i++) {
		struct trial t = {.types = types, .found = &ret->rung[i]};
		int error = rungs[i].needs_types && !types ? -ENOENT : rungs[i].attempt(&t);

		t.found->error = error;
		if (error)
			say(&t, "%s", reason(error));
	}
	btf__free(types);
	libbpf_set_print(before);
}
