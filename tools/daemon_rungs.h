/* The ladder: what of the kernel's means of watching is to be had here, each by a trial. */
#ifndef MW_TOOLS_DAEMON_RUNGS_H
#define MW_TOOLS_DAEMON_RUNGS_H

#include <stdbool.h>
#include <stddef.h>

enum mw_rung {
	MW_RUNG_BTF, /* the first five are what the daemon cannot do without */
	MW_RUNG_RING,
	MW_RUNG_LINEAGE, /* tp_btf: sched_process_fork, _exec and _exit */
	MW_RUNG_REGS,    /* of tasks, in user space */
	MW_RUNG_UPROBES,
	MW_RUNG_SIDEBAND,
	MW_RUNG_CONNECT, /* cgroup programs */
	MW_RUNG_SEND,
	MW_RUNG_BIND,
	MW_RUNG_SOCKET,
	MW_RUNG_LISTEN, /* tp_btf: inet_sock_set_state */
	MW_RUNG_SIGNAL, /* tp_btf: signal_generate */
	MW_RUNG_PREPARE_EXEC,
	MW_RUNG_URING,       /* tp_btf: io_uring_submit_req, or what it was called before */
	MW_RUNG_SYSCALLS,    /* tracepoints */
	MW_RUNG_CALL_PROBES, /* kprobe.multi on the functions of system calls */
	MW_RUNG_LSM,
	MW_RUNGS
};

#define MW_RUNGS_NEEDED (MW_RUNG_UPROBES + 1)

struct mw_rung_found {
	int error;       /* 0: it works; or a negative errno */
	char detail[96]; /* how it works or why it does not, a phrase */
};

struct mw_rungs {
	struct mw_rung_found rung[MW_RUNGS];
};

/* Tries all, which takes some tenths of a second. Without root, each fails with -EPERM. */
void mw_rungs_try(struct mw_rungs *ret);

/* Its name, a few words; and what is not seen without it, a phrase. */
const char *mw_rung_name(enum mw_rung rung);
const char *mw_rung_cost(enum mw_rung rung);

#endif
