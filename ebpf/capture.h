/* Telling of an effect: all of it at once, since the process may be gone when it is read. */
#ifndef MW_EBPF_CAPTURE_H
#define MW_EBPF_CAPTURE_H

#include "objects.h"

#define ABOVE 4096 /* bytes of stack above the outermost load: who asked for it */
#define PAGE 4096u

static __always_inline void read_registers(struct scratch *s)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	bpf_probe_read_kernel(&s->regs, sizeof(s->regs), (void *)bpf_task_pt_regs((void *)task));
}

/* Numbered as DWARF does. */
static __always_inline void fill_registers(const struct pt_regs *from, uint64_t *to)
{
	to[0] = from->ax;
	to[1] = from->dx;
	to[2] = from->cx;
	to[3] = from->bx;
	to[4] = from->si;
	to[5] = from->di;
	to[6] = from->bp;
	to[7] = from->sp;
	to[8] = from->r8;
	to[9] = from->r9;
	to[10] = from->r10;
	to[11] = from->r11;
	to[12] = from->r12;
	to[13] = from->r13;
	to[14] = from->r14;
	to[15] = from->r15;
	to[16] = from->ip;
}

/* The memory from `from` on, to the end of the page that `most` ends in, as far as it is there.
 * Returns the bytes. */
static __always_inline uint32_t copy_user(uint8_t *to, uint64_t from, uint32_t most)
{
	uint32_t done = PAGE - (from & (PAGE - 1));

	MW_PY_KEEP(done);
	if (done > PAGE || bpf_probe_read_user(to, done, (void *)from))
		return 0;
	for (int i = 0; i < (int)(MW_K_STACK / PAGE) - 1; i++) {
		if (done >= most || done > MW_K_STACK - PAGE ||
		    bpf_probe_read_user(to + done, PAGE, (void *)(from + done)))
			break;
		done += PAGE;
	}
	return done;
}

/* Sends the stack from the stack pointer to a little above the outermost load. */
__attribute__((noinline)) int send_stack(struct scratch *s, uint64_t outermost)
{
	struct mw_k_effect *e;
	uint64_t most;
	uint32_t len;

	if (!s)
		return 0;
	e = &s->effect;
	most = outermost > e->regs[7] ? outermost + ABOVE - e->regs[7] : ABOVE * 2;
	if (most > MW_K_STACK)
		most = MW_K_STACK;
	len = copy_user(s->stack.bytes, e->regs[7], (uint32_t)most);
	e->stack_at = e->regs[7];
	fill_head(&s->stack.head, MW_K_STACK_PART, e->head.id);
	if (!len)
		return 0;
	MW_PY_KEEP(len); /* else both ends become one comparison, of something else */
	if (len > MW_K_STACK)
		return 0;
	if (bpf_ringbuf_output(&events, &s->stack, sizeof(s->stack.head) + len, BPF_RB_NO_WAKEUP))
		count(e->hook, MW_K_RING_FULL);
	else
		e->stack_len = len;
	return 0;
}

/* Sends the beginning of a stream that is in memory: it may be nowhere else. */
__attribute__((noinline)) int send_stream(struct scratch *s, struct open_load *load, uint64_t data,
                                          uint64_t size)
{
	struct mw_k_effect *e;
	uint64_t first, done = 0;

	if (!s || !load || !data || !size)
		return 0;
	e = &s->effect;
	e->stream_at = data;
	e->stream_len = load->stream_len;
	if (e->stream_len)
		return 0;
	if (size > MW_K_STREAM)
		size = MW_K_STREAM;
	for (int i = 0; i <= (int)(MW_K_STREAM / PAGE); i++) {
		if (done >= size)
			break;
		first = PAGE - ((data + done) & (PAGE - 1));
		if (first > size - done)
			first = size - done;
		MW_PY_KEEP(first);
		MW_PY_KEEP(done);
		if (done > MW_K_STREAM - PAGE || first > PAGE)
			break;
		if (bpf_probe_read_user(s->stream.bytes + done, first, (void *)(data + done)))
			break;
		done += first;
	}
	fill_head(&s->stream.head, MW_K_STREAM_PART, e->head.id);
	if (!done)
		return 0;
	MW_PY_KEEP(done);
	if (done > MW_K_STREAM)
		return 0;
	if (bpf_ringbuf_output(&events, &s->stream, sizeof(s->stream.head) + done,
	                       BPF_RB_NO_WAKEUP))
		count(e->hook, MW_K_RING_FULL);
	else
		e->stream_len = load->stream_len = done;
	return 0;
}

/* Sends the strings, no further than they go. */
__attribute__((noinline)) int send_strings(struct scratch *s)
{
	struct mw_k_head *head;
	uint32_t len;

	if (!s)
		return 0;
	len = s->used;
	if (!len)
		return 0;
	MW_PY_KEEP(len);
	if (len > MW_K_STRINGS)
		return 0;
	head = &s->strings.head;
	fill_head(head, MW_K_STRINGS_PART, s->effect.head.id);
	bpf_probe_read_kernel(s->strings.bytes, len, s->effect.strings);
	if (bpf_ringbuf_output(&events, &s->strings, sizeof(*head) + len, BPF_RB_NO_WAKEUP))
		count(s->effect.hook, MW_K_RING_FULL);
	return 0;
}

__attribute__((noinline)) int copy_globals(struct scratch *s, const struct state *st)
{
	uint64_t from;

	if (!s || !st)
		return 0;
	s->effect.global_count = st->global_count < MW_K_GLOBALS ? st->global_count : MW_K_GLOBALS;
	from = st->global_count - s->effect.global_count;
	s->effect.globals_cut = from != 0;
	for (uint32_t i = 0; i < MW_K_GLOBALS; i++) {
		if (i >= s->effect.global_count)
			break;
		bpf_probe_read_kernel(s->effect.global[i], MW_K_GLOBAL,
		                      st->global[(from + i) % MW_K_GLOBALS]);
		s->effect.global[i][MW_K_GLOBAL - 1] = '\0';
	}
	return 0;
}

/* The Python stack. */
__attribute__((noinline)) int walk_python(struct scratch *s, struct state *st)
{
	struct mw_k_process *process = process_of(BPF_CORE_READ(current_task(), tgid));
	struct mw_py_offsets *offsets =
	        process ? bpf_map_lookup_elem(&pythons, &process->python) : NULL;
	uint64_t thread = 0;

	if (!s || !st)
		return 0;
	if (offsets)
		thread = python_thread(st, process, offsets);
	if (thread)
		mw_py_walk(offsets, thread, &s->effect, &s->used);
	return 0;
}

static __always_inline struct mw_k_program program_of(struct task_struct *task)
{
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	return (struct mw_k_program){.ino = BPF_CORE_READ(inode, i_ino),
	                             .dev = BPF_CORE_READ(inode, i_sb, s_dev)};
}

/* So that nobody's flood drowns what others do: nobody may have more in the ring than
 * MW_K_SHARE times what is left of it, which is the less the more of them there are. */
static __always_inline bool has_share(uint32_t tgid)
{
	uint64_t unread = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	uint64_t most = MW_K_SHARE * (bpf_ringbuf_query(&events, BPF_RB_RING_SIZE) - unread);
	struct share *share;

	if (unread <= most)
		return true;
	share = bpf_map_lookup_elem(&shares, &tgid);
	return !share || share->bytes <= most ||
	       share->end <= bpf_ringbuf_query(&events, BPF_RB_CONS_POS);
}

static __always_inline void take_share(uint32_t tgid, uint64_t bytes)
{
	struct share *known = bpf_map_lookup_elem(&shares, &tgid), share = {0};

	if (known && known->end > bpf_ringbuf_query(&events, BPF_RB_CONS_POS))
		share.bytes = known->bytes;
	share.bytes += bytes;
	share.end = bpf_ringbuf_query(&events, BPF_RB_PROD_POS);
	bpf_map_update_elem(&shares, &tgid, &share, BPF_ANY);
}

/* Starts an event about the current thread, when it is in scope. Returns NULL when it is not; then
 * nothing has to be done. Otherwise the caller fills in what it knows and calls finish(). */
static __always_inline struct scratch *start(enum mw_k_hook hook, enum mw_k_kind kind,
                                             struct state *st)
{
	struct mw_k_effect *e;
	struct scratch *s;

	if (!st || (!st->depth && !st->scope))
		return NULL;
	count(hook, MW_K_HITS);
	if (!has_share(bpf_get_current_pid_tgid() >> 32)) {
		count(hook, MW_K_RING_FULL);
		return NULL;
	}
	s = claim(hook);
	if (!s)
		return NULL;
	e = &s->effect;
	read_registers(s);
	if (!still_open(st, s->regs.sp) && !st->scope) {
		release(s);
		return NULL;
	}
	/* Fails, and leaves zeroes: a memset() of this size is more than the compiler does. */
	bpf_probe_read_kernel(e, __builtin_offsetof(struct mw_k_effect, frame), NULL);
	s->used = 0;
	s->replaced = st->replaced;
	fill_head(&e->head, kind, new_id());
	e->hook = hook;
	fill_registers(&s->regs, e->regs);
	e->program = program_of(s->replaced ? BPF_CORE_READ(current_task(), real_parent)
	                                    : current_task());
	if (!s->replaced) {
		drop_by_frame(st);
		walk_python(s, st);
	}
	if (!st->depth && !st->scope) {
		release(s);
		return NULL;
	}
	return s;
}

/* Whether a find_class of the load is running, by the same test as the load itself. */
static __always_inline bool is_fetching(uint64_t sp, const struct state *st,
                                        const struct open_load *load)
{
	uint64_t ret = 0;

	return st->find_sp > sp && st->find_sp < load->sp &&
	       !bpf_probe_read_user(&ret, sizeof(ret), (void *)st->find_sp) &&
	       ret == st->find_ret && runs_body(sp, st->find_sp, st->find_ip, st->find_site);
}

/* Ends and sends it. */
__attribute__((noinline)) int finish(struct scratch *s, struct state *st)
{
	struct mw_k_effect *e;
	struct task_struct *task = current_task();
	uint64_t size;
	int len;
	struct open_load *load;

	if (!s || !st)
		return 0;
	e = &s->effect;
	e->uid = BPF_CORE_READ(task, cred, uid.val);
	e->gid = BPF_CORE_READ(task, cred, gid.val);
	e->head.cgroup = bpf_get_current_cgroup_id();
	e->comm.at = s->used;
	len = append(s, __builtin_preserve_access_index(&task->comm), 16);
	e->comm.len = len > 0 ? len - 1 : 0;
	e->scope = st->scope;
	e->birth = st->birth;
	e->depth = st->depth < MW_K_LOADS ? st->depth : MW_K_LOADS;
	e->deeper = st->deeper;
	load = innermost(st);
	if (load) {
		e->fetching = is_fetching(s->regs.sp, st, load);
		for (uint32_t i = 0; i < MW_K_LOADS; i++)
			if (i < e->depth)
				describe_load(s, st, i);
		copy_globals(s, st);
		if (st->reader_len && s->used <= MW_K_STRINGS - 256) {
			e->reader.at = s->used;
			e->reader.len = st->reader_len & 0xff;
			bpf_probe_read_kernel(&e->strings[s->used & (MW_K_STRINGS - 1)], 256,
			                      st->reader_path);
			s->used += st->reader_len & 0xff;
		}
		if (e->load[(st->depth - 1) % MW_K_LOADS].fd < 0) {
			open_files(s);
			send_stream(s, load, e->load[(st->depth - 1) % MW_K_LOADS].data,
			            e->load[(st->depth - 1) % MW_K_LOADS].len);
		}
	}
	if (!s->replaced)
		send_stack(s, st->depth ? st->load[0].sp : 0);
	send_strings(s);
	size = __builtin_offsetof(struct mw_k_effect, frame) +
	       e->frame_count * sizeof(struct mw_k_frame);
	if (size > sizeof(*e))
		size = sizeof(*e);
	/* By itself the kernel wakes nobody while the parts before it wait to be read. */
	if (bpf_ringbuf_output(&events, e, size, BPF_RB_FORCE_WAKEUP))
		count(e->hook, MW_K_RING_FULL);
	else
		count(e->hook, MW_K_SENT);
	take_share(e->head.tgid, size + s->used + e->stack_len);
	release(s);
	return 0;
}

#endif
