#include "daemon_trial.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "daemon_trial_parts.h"
#include "kernel_fs.h"

#define RING_BYTES 65536
#if defined(__x86_64__)
#define MW_TRIAL_CALL "__x64_sys_getppid"
#else
#define MW_TRIAL_CALL "__arm64_sys_getppid"
#endif

struct btf *mw_trial_types(void)
{
	return btf__load_vmlinux_btf();
}

int mw_trial_load(int type, int attach, uint32_t target, const struct bpf_insn *program,
                  size_t count)
{
	struct bpf_prog_load_opts options = {.sz = sizeof(options),
	                                     .expected_attach_type = (enum bpf_attach_type)attach,
	                                     .attach_btf_id = target};
	int fd = bpf_prog_load((enum bpf_prog_type)type, "mw_trial", "GPL", program, count,
	                       &options);

	return fd < 0 ? -errno : fd;
}

/* Loads, attaches and takes away a program for the function or tracepoint `target`. */
static int try_tracing(int type, int attach, int target, const struct bpf_insn *program,
                       size_t count)
{
	int fd, link, error;

	if (target < 0)
		return target;
	fd = mw_trial_load(type, attach, (uint32_t)target, program, count);
	if (fd < 0)
		return fd;
	link = bpf_raw_tracepoint_open(NULL, fd);
	error = link < 0 ? -errno : 0;
	if (link >= 0)
		close(link);
	close(fd);
	return error;
}

static int tracepoint(const struct btf *types, const char *name)
{
	char type[128];

	if ((size_t)snprintf(type, sizeof(type), "btf_trace_%s", name) >= sizeof(type))
		return -ENAMETOOLONG;
	return btf__find_by_name_kind(types, type, BTF_KIND_TYPEDEF);
}

static int try_tracepoint(const struct btf *types, const char *name, const struct bpf_insn *program,
                          size_t count)
{
	return try_tracing(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, tracepoint(types, name),
	                   program, count);
}

int mw_trial_tp_btf(const struct btf *types, const char *name)
{
	const struct bpf_insn program[] = {MW_BPF_SET(0, 0), MW_BPF_EXIT};

	return try_tracepoint(types, name, program, MW_BPF_COUNT(program));
}

int mw_trial_task_regs(const struct btf *types)
{
	const struct bpf_insn program[] = {
	        MW_BPF_CALL(BPF_FUNC_get_current_task_btf),
	        MW_BPF_MOVE(1, 0),
	        MW_BPF_CALL(BPF_FUNC_task_pt_regs),
	        MW_BPF_SET(0, 0),
	        MW_BPF_EXIT,
	};

	return try_tracepoint(types, "sched_process_exec", program, MW_BPF_COUNT(program));
}

/* Of the kernel's bpf.h, which may be older here. */
#define TRACE_KPROBE_MULTI 42

struct multi {
	uint32_t program, target, type, flags;
	uint32_t multi_flags, count;
	uint64_t symbols, addresses, cookies;
};

int mw_trial_kprobe(void)
{
	const struct bpf_insn program[] = {MW_BPF_SET(0, 0), MW_BPF_EXIT};
	const char *symbol = MW_TRIAL_CALL;
	struct multi attr = {
	        .type = TRACE_KPROBE_MULTI, .count = 1, .symbols = (uint64_t)(uintptr_t)&symbol};
	int fd = mw_trial_load(BPF_PROG_TYPE_KPROBE, TRACE_KPROBE_MULTI, 0, program,
	                       MW_BPF_COUNT(program));
	int link, error;

	if (fd < 0)
		return fd;
	attr.program = (uint32_t)fd;
	link = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	error = link < 0 ? -errno : 0;
	if (link >= 0)
		close(link);
	close(fd);
	return error;
}

int mw_trial_fentry(const struct btf *types, const char *function)
{
	const struct bpf_insn program[] = {MW_BPF_SET(0, 0), MW_BPF_EXIT};

	return try_tracing(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY,
	                   btf__find_by_name_kind(types, function, BTF_KIND_FUNC), program,
	                   MW_BPF_COUNT(program));
}

int mw_trial_flag(void)
{
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mw_trial", 4, 8, 1, NULL);

	return map < 0 ? -errno : map;
}

int mw_trial_flag_is_set(int map)
{
	uint64_t value = 0;
	uint32_t key = 0;

	return !bpf_map_lookup_elem(map, &key, &value) && value;
}

static int run_lsm(int program, int flag)
{
	int link = bpf_raw_tracepoint_open(NULL, program), error = link < 0 ? -errno : 0;

	if (error)
		return error;
	getsid(getpid());
	close(link);
	return mw_trial_flag_is_set(flag) ? 0 : -ENOTSUP;
}

/* Where `bpf` is not among the security modules, a program loads, attaches and is never called. */
int mw_trial_lsm(const struct btf *types)
{
	int target = btf__find_by_name_kind(types, "bpf_lsm_task_getsid", BTF_KIND_FUNC);
	int flag = target < 0 ? target : mw_trial_flag(), program, error;
	const struct bpf_insn code[] = {MW_BPF_RAISE(flag), MW_BPF_SET(0, 0), MW_BPF_EXIT};

	if (flag < 0)
		return flag;
	program = mw_trial_load(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, (uint32_t)target, code,
	                        MW_BPF_COUNT(code));
	error = program < 0 ? program : run_lsm(program, flag);
	if (program >= 0)
		close(program);
	close(flag);
	return error;
}

int mw_trial_ring(void)
{
	int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "mw_trial", 0, 0, RING_BYTES, NULL);

	if (map < 0)
		return -errno;
	close(map);
	return 0;
}

int mw_trial_cgroup(int type, int attach)
{
	const struct bpf_insn allow[] = {MW_BPF_SET(0, 1), MW_BPF_EXIT};
	int root = mw_kernel_fs("cgroup2"), program, link = -1, error;

	if (root < 0)
		return root;
	program = mw_trial_load(type, attach, 0, allow, MW_BPF_COUNT(allow));
	error = program < 0 ? program : 0;
	if (!error) {
		link = bpf_link_create(program, root, (enum bpf_attach_type)attach, NULL);
		error = link < 0 ? -errno : 0;
	}
	if (link >= 0)
		close(link);
	if (program >= 0)
		close(program);
	close(root);
	return error;
}
