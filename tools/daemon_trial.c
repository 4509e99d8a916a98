#include "daemon_trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "daemon_trial_parts.h"

#define RING_BYTES 65536

struct btf *mw_trial_types(void)
{
	return btf__load_vmlinux_btf();
}

int mw_trial_mount(const char *name)
{
	int fs = (int)syscall(SYS_fsopen, name, FSOPEN_CLOEXEC), mount = -1, error = 0;

	if (fs < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		error = -errno;
	if (!error) {
		mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
		error = mount < 0 ? -errno : 0;
	}
	close(fs);
	return error ? error : mount;
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

/* Its map has a value of 4 bytes, described by types of its own: the kernel asks for them. */
static int storage_map(void)
{
	struct btf *types = btf__new_empty();
	int number = types ? btf__add_int(types, "int", 4, BTF_INT_SIGNED) : -ENOMEM, map = -1;

	if (number > 0 && !btf__load_into_kernel(types)) {
		struct bpf_map_create_opts options = {.sz = sizeof(options),
		                                      .btf_fd = (uint32_t)btf__fd(types),
		                                      .btf_key_type_id = (uint32_t)number,
		                                      .btf_value_type_id = (uint32_t)number,
		                                      .map_flags = BPF_F_NO_PREALLOC};

		map = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "mw_trial", 4, 4, 0, &options);
	}
	if (map < 0)
		map = number < 0 ? number : -errno;
	btf__free(types);
	return map;
}

int mw_trial_task_storage(const struct btf *types)
{
	int map = storage_map(), error;
	const struct bpf_insn program[] = {
	        MW_BPF_CALL(BPF_FUNC_get_current_task_btf),
	        MW_BPF_MOVE(2, 0),
	        MW_BPF_MAP(1, map),
	        MW_BPF_SET(3, 0),
	        MW_BPF_SET(4, 0),
	        MW_BPF_CALL(BPF_FUNC_task_storage_get),
	        MW_BPF_SET(0, 0),
	        MW_BPF_EXIT,
	};

	if (map < 0)
		return map;
	error = try_tracepoint(types, "sched_process_exec", program, MW_BPF_COUNT(program));
	close(map);
	return error;
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

int mw_trial_fentry(const struct btf *types)
{
	const struct bpf_insn program[] = {MW_BPF_SET(0, 0), MW_BPF_EXIT};
	int target = btf__find_by_name_kind(types, "vfs_open", BTF_KIND_FUNC);

	return try_tracing(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, target, program,
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
	int root = mw_trial_mount("cgroup2"), program, link = -1, error;

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
