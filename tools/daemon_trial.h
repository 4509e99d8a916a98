/* Tries what the kernel lets a daemon do, by doing it once: tiny programs, attached for a moment
 * and filtered to this very process where that can be. All return 0 or a negative errno. Needs
 * root. */
#ifndef MW_TOOLS_DAEMON_TRIAL_H
#define MW_TOOLS_DAEMON_TRIAL_H

#include <stdint.h>

struct btf;

/* The kernel's own types, or NULL with errno. Free with btf__free(). */
struct btf *mw_trial_types(void);

/* A BTF tracepoint, by its name. */
int mw_trial_tp_btf(const struct btf *types, const char *tracepoint);

/* The same, with a program that calls these helpers. */
int mw_trial_task_regs(const struct btf *types);

/* A function of the kernel. */
int mw_trial_kprobe(void);

/* The entry of a function of the kernel, by its name. */
int mw_trial_fentry(const struct btf *types, const char *function);

/* An LSM program, which has to run too. -ENOTSUP: it is loaded and never called. */
int mw_trial_lsm(const struct btf *types);

int mw_trial_ring(void);

/* A program for the cgroup at the root: a type and an attach type of bpf(2). */
int mw_trial_cgroup(int type, int attach);

/* A probe in a function of this program, which has to run; `*ret_ns` is what a hit costs. */
int mw_trial_uprobe(double *ret_ns);

/* A tracepoint of one system call; `*ret_ns` is what it costs any other system call. */
int mw_trial_syscalls(double *ret_ns);

/* News of mapped files. */
int mw_trial_sideband(void);

#endif
