/* Whether a thread is inside a load, told from where its stack stands: a load is pushed when its
 * entry point is called, and dropped when somebody looks and finds it over. Nothing is put on the
 * return (a return probe on a function that C++ exceptions pass through ends the process). */
#ifndef MW_EBPF_SCOPE_H
#define MW_EBPF_SCOPE_H

#include "state.h"

static __always_inline void fill_head(struct mw_k_head *head, uint32_t kind, uint64_t id)
{
	struct task_struct *task = current_task();

	head->kind = kind;
	head->cpu = bpf_get_smp_processor_id();
	head->id = id;
	head->time = bpf_ktime_get_boot_ns();
	head->tgid = BPF_CORE_READ(task, tgid);
	head->tid = BPF_CORE_READ(task, pid);
	head->start = BPF_CORE_READ(task, group_leader, start_boottime);
}

static __always_inline struct scratch *claim_one(void)
{
	uint32_t cpu = bpf_get_smp_processor_id() * 2;

	for (int i = 0; i < 2; i++) {
		uint32_t key = cpu + i;
		struct scratch *s = bpf_map_lookup_elem(&scratches, &key);

		if (s && !__sync_lock_test_and_set(&s->busy, 1))
			return s;
	}
	return NULL;
}

static __always_inline struct scratch *claim(enum mw_k_hook hook)
{
	struct scratch *s = claim_one();

	if (!s)
		count(hook, MW_K_NO_SCRATCH);
	return s;
}

static __always_inline void release(struct scratch *s)
{
	__sync_lock_test_and_set(&s->busy, 0);
}

/* The same return address in the same place is no proof: the next function called from the same
 * place has both. But while the load runs, one of the functions that it consists of has called
 * another, and how far below the return address of that lies is known by its frame. */
__attribute__((noinline)) int runs_body(uint64_t sp, uint64_t slot, uint64_t ip, uint32_t number)
{
	struct mw_k_site *site = bpf_map_lookup_elem(&sites, &number);
	uint32_t known = 0;

	if (!site)
		return 0;
	for (int i = 0; i < MW_K_BODIES; i++) {
		uint64_t low = ip + (int64_t)site->from[i];
		uint64_t size = (uint64_t)((int64_t)site->to[i] - site->from[i]);

		for (int j = 0; j < MW_K_BELOW; j++) {
			uint64_t at = slot - 8 * site->below[i][j], ret = 0;

			/* What lies below the stack pointer is left over from calls that are over.
			 */
			known |= site->below[i][j];
			if (at == slot || at < sp)
				continue;
			if (!bpf_probe_read_user(&ret, sizeof(ret), (void *)at) && ret - low < size)
				return 1;
		}
	}
	return !known;
}

/* Whether the load still runs, for a thread whose stack pointer is `sp`. */
static __always_inline bool is_open(const struct open_load *load, uint64_t sp)
{
	uint64_t ret = 0;

	if (mw_k_by_frame(load->entry))
		return true; /* drop_by_frame() looks, where the effect is told */
	if (sp >= load->sp || bpf_probe_read_user(&ret, sizeof(ret), (void *)load->sp) ||
	    ret != load->ret)
		return false;
	return runs_body(sp, load->sp, load->ip, load->site);
}

/* Drops the loads of the current thread that are over. Returns how many are left. */
__attribute__((noinline)) int still_open(struct state *st, uint64_t sp)
{
	if (!st)
		return 0;
	if (st->replaced)
		return st->depth; /* they were when that happened, as far as can be known */
	st->deeper = 0;
	for (int i = 0; i < MW_K_LOADS; i++) {
		uint32_t top = st->depth - 1;

		if (top >= MW_K_LOADS || is_open(&st->load[top], sp))
			break;
		st->depth = top;
	}
	return st->depth;
}

static __always_inline struct open_load *innermost(struct state *st)
{
	uint32_t depth = st->depth;

	return depth && depth <= MW_K_LOADS ? &st->load[(depth - 1) & (MW_K_LOADS - 1)] : NULL;
}

static __always_inline struct mw_k_process *process_of(uint32_t tgid)
{
	return bpf_map_lookup_elem(&processes, &tgid);
}

static long learn(struct task_struct *task, struct vm_area_struct *area, void *tgid)
{
	struct file *file = BPF_CORE_READ(area, vm_file);
	struct mw_k_program key = {.ino = BPF_CORE_READ(file, f_inode, i_ino),
	                           .dev = BPF_CORE_READ(file, f_inode, i_sb, s_dev)};
	struct mw_k_runtime *runtime = bpf_map_lookup_elem(&runtimes, &key);
	struct mw_k_process process = {0};

	if (!runtime)
		return 0;
	process.runtime = BPF_CORE_READ(area, vm_start) - (BPF_CORE_READ(area, vm_pgoff) << 12) +
	                  runtime->distance;
	process.python = runtime->python;
	bpf_map_update_elem(&processes, tgid, &process, BPF_NOEXIST);
	return 0;
}

/* A process may load before the daemon has heard of it. Whoever calls into the unpickler is its
 * interpreter: the file that `address` is code of tells where the runtime lies (Linux 5.17). */
static __always_inline void learn_process(uint64_t address)
{
	uint32_t tgid = bpf_get_current_pid_tgid() >> 32;

	if (!process_of(tgid) && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_find_vma))
		bpf_find_vma((void *)bpf_get_current_task_btf(), address, learn, &tgid, 0);
}

/* The interpreter's own state of the current thread, which is looked for once. */
static __always_inline uint64_t python_thread(struct state *st, const struct mw_k_process *process,
                                              const struct mw_py_offsets *offsets)
{
	uint64_t id = BPF_CORE_READ(current_task(), thread.fsbase);

	if (!st->thread || !mw_py_is_thread(offsets, st->thread, id))
		st->thread = mw_py_thread(offsets, process->runtime, id);
	return st->thread;
}

/* The Python frame that runs on top in the current thread, or 0. */
static __always_inline uint64_t top_frame(struct state *st)
{
	struct mw_k_process *process = process_of(bpf_get_current_pid_tgid() >> 32);
	struct mw_py_offsets *offsets =
	        process ? bpf_map_lookup_elem(&pythons, &process->python) : NULL;
	uint64_t thread = offsets ? python_thread(st, process, offsets) : 0;

	return thread ? mw_py_top(offsets, thread) : 0;
}

#endif
