/* The probes in interpreters and in libtorch: loads that begin, and what they fetch. On entry only.
 */
#ifndef MW_EBPF_ENTRIES_H
#define MW_EBPF_ENTRIES_H

#include "readers.h"

#define LENGTH 16 /* of a string object: how long it is ... */
#define TEXT 40   /* ... and its characters, where it is compact and ASCII */
#define TEXT_BEFORE_3_12 48
#define STATE_BITS 32    /* of a string object: where `ascii` is among them, see is_ascii() */
#define DEEP_FRAMES 1024 /* of a Python stack that are gone through; a recursion has 1000 */
#define PURE_FRAMES 8    /* between sys.audit() and load() */
#define AUDIT_FIND_CLASS "pickle.find_class"
#define TUPLE 24 /* of a tuple: its first item */
#define TORCH_FILE "/torch/serialization.py"

/* What is read of the context, once: the verifier follows no pointer into the middle of one. */
struct called {
	uint64_t sp, ip, di, si, dx;
};

static __always_inline uint64_t argument(const struct called *ctx, const struct mw_k_site *site,
                                         uint32_t which)
{
	uint64_t list = site->convention == MW_K_BY_METHOD ? ctx->dx : ctx->si;

	return site->convention == MW_K_BY_OBJECT ? ctx->si : word_at(list + 8 * which);
}

static __always_inline bool is_ascii(uint64_t string)
{
	return word_at(string + STATE_BITS) >> 6 & 1;
}

/* Bytes from a compact ASCII string object to its characters, in this process's interpreter: the
 * file that a probe is in may serve more than one. */
static __always_inline uint32_t text_of(const struct mw_k_site *site)
{
	struct mw_k_process *process = process_of(bpf_get_current_pid_tgid() >> 32);
	struct mw_py_offsets *o = process ? bpf_map_lookup_elem(&pythons, &process->python) : NULL;

	return o ? o->text_ascii : site->text;
}

/* Of an interpreter of which nobody knows the version yet: up to 3.11 a string has an address
 * there, which is none as long as it is ASCII. */
static __always_inline uint32_t text_in(uint64_t string, uint32_t known)
{
	if (known)
		return known;
	return word_at(string + TEXT) || !word_at(string + LENGTH) ? TEXT : TEXT_BEFORE_3_12;
}

static __always_inline int read_text(char *out, uint32_t size, uint64_t string, uint32_t text)
{
	if (!is_ascii(string)) {
		out[0] = '?';
		out[1] = '\0';
		return 2;
	}
	return bpf_probe_read_user_str(out, size, (void *)(string + text_in(string, text)));
}

/* Every part of it is spelt as a class is: Net, _Net, Outer.Inner. */
static __always_inline bool is_class_name(const char *name)
{
	bool begins = true, is = true;

	for (uint32_t i = 0; i < MW_K_GLOBAL_NAME && name[i]; i++) {
		if (name[i] == '.') {
			is &= !begins;
			begins = true;
		} else if (begins && name[i] != '_') {
			is &= name[i] >= 'A' && name[i] <= 'Z';
			begins = false;
		}
	}
	return is && !begins;
}

/* Whether it stands for more than data, where that is certain by its name: what is refused hangs on
 * that. The daemon knows more cases of it. */
__attribute__((noinline)) int judge_global(struct state *st, uint32_t module_len)
{
	char key[MW_K_GLOBAL] = {0}, name[MW_K_GLOBAL_NAME] = {0};
	const char *from;
	uint32_t *known;
	uint64_t len = module_len;

	if (!st)
		return 0;
	from = st->global[st->global_count % MW_K_GLOBALS];
	bpf_probe_read_kernel_str(key, sizeof(key), from);
	known = bpf_map_lookup_elem(&names, key);
	if (!known) {
		__builtin_memset(key, 0, sizeof(key));
		MW_PY_KEEP(len);
		if (len >= MW_K_GLOBAL - MW_K_GLOBAL_NAME)
			return 0;
		bpf_probe_read_kernel(key, len, from);
		known = bpf_map_lookup_elem(&names, key);
		bpf_probe_read_kernel_str(name, sizeof(name), from + len + 1);
		if (!is_class_name(name))
			st->fetched |= MW_K_FETCHED_CALL;
	}
	if (known)
		st->fetched |= *known;
	return 0;
}

/* "module name" of what a find_class is asked for. */
static __always_inline void keep_global(struct state *st, uint64_t module, uint64_t name,
                                        uint32_t text)
{
	char *to = st->global[st->global_count % MW_K_GLOBALS];
	int got = read_text(to, MW_K_GLOBAL - MW_K_GLOBAL_NAME, module, text);
	uint64_t len = got > 1 ? got - 1 : 0; /* without the NUL */

	MW_PY_KEEP(len);
	if (len >= MW_K_GLOBAL - MW_K_GLOBAL_NAME)
		len = 0;
	to[len] = ' ';
	if (read_text(to + len + 1, MW_K_GLOBAL_NAME, name, text) < 0)
		to[len + 1] = '\0';
	if (enforces)
		judge_global(st, len);
	st->global_count++;
}

/* Whether the frame is on the Python stack of the current thread, and runs that code: another call
 * may have its place. What cannot be told does. */
__attribute__((noinline)) int runs_code(struct state *st, uint64_t wanted, uint64_t code)
{
	struct mw_k_process *process = process_of(BPF_CORE_READ(current_task(), tgid));
	struct mw_py_offsets *o = process ? bpf_map_lookup_elem(&pythons, &process->python) : NULL;
	uint64_t thread, frame;

	if (!st || !o)
		return 0;
	thread = python_thread(st, process, o);
	frame = thread ? mw_py_top(o, thread) : 0;
	for (int i = 0; i < DEEP_FRAMES && frame; i++) {
		if (frame == wanted)
			return word_at(frame + o->frame_code) == code;
		if (bpf_probe_read_user(&frame, sizeof(frame), (void *)(frame + o->frame_back)))
			return 1;
	}
	return frame != 0;
}

/* Drops the loads that are told by their frames, and over. */
__attribute__((noinline)) int drop_by_frame(struct state *st)
{
	if (!st)
		return 0;
	for (int i = 0; i < MW_K_LOADS; i++) {
		uint32_t top = st->depth - 1;

		if (top >= MW_K_LOADS || !mw_k_by_frame(st->load[top].entry) ||
		    runs_code(st, st->load[top].frame, st->load[top].code))
			break;
		st->depth = top;
	}
	return 0;
}

/* Which loads are over is seen when an effect is. The inventory has to know it when another one
 * begins: those inside of one are no loads of their own. */
__attribute__((noinline)) int drop_over(struct state *st, uint64_t sp)
{
	if (!st)
		return 0;
	still_open(st, sp);
	drop_by_frame(st);
	return still_open(st, sp);
}

static __always_inline const struct mw_py_offsets *offsets_of_current(void)
{
	struct mw_k_process *process = process_of(bpf_get_current_pid_tgid() >> 32);

	return process ? bpf_map_lookup_elem(&pythons, &process->python) : NULL;
}

/* Where a frame is in its code; 0 where that is not known. Some versions keep more right behind. */
static __always_inline uint64_t instruction_of(uint64_t frame)
{
	const struct mw_py_offsets *o = offsets_of_current();

	return o && frame ? (uint32_t)word_at(frame + o->frame_at) : 0;
}

/* Loads whose place on the stack the new one takes are over. */
static __always_inline void make_room(struct state *st, uint64_t sp)
{
	for (int i = 0; i < MW_K_LOADS; i++) {
		uint32_t top = st->depth - 1;

		if (top >= MW_K_LOADS)
			return;
		if (mw_k_by_frame(st->load[top].entry)
		            ? runs_code(st, st->load[top].frame, st->load[top].code)
		            : st->load[top].sp > sp)
			return;
		st->depth = top;
	}
}

/* Whether what is denied is refused to who is in the current task's group. */
__attribute__((noinline)) int is_bound(void)
{
	if (!group_count)
		return 1;
	for (int level = 0; level < MW_K_LEVELS; level++) {
		uint64_t id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id)
			break;
		for (uint32_t i = 0; i < MW_K_GROUPS; i++)
			if (i < group_count && groups[i] == id)
				return 1;
	}
	return 0;
}

static __always_inline struct open_load *push(struct state *st, const struct called *ctx,
                                              uint32_t entry, uint32_t number, uint32_t skip)
{
	struct open_load *load;
	uint64_t depth;

	if (wants_loads && st->depth)
		drop_over(st, ctx->sp);
	make_room(st, ctx->sp);
	depth = st->depth;
	if (depth >= MW_K_LOADS) {
		st->deeper++;
		count(MW_K_HOOK_ENTRY, MW_K_TOO_DEEP);
		return NULL;
	}
	if (!depth) {
		st->global_count = st->fetched = 0;
		/* For good: what a load does can have the task be in another group. */
		st->bound = st->bound || is_bound();
	}
	MW_PY_KEEP(depth);
	load = &st->load[depth & (MW_K_LOADS - 1)];
	load->id = new_id();
	load->since = bpf_ktime_get_boot_ns();
	load->sp = ctx->sp;
	load->ret = word_at(ctx->sp);
	learn_process(load->ret);
	load->ip = ctx->ip - skip;
	load->globals = 0;
	load->object = 0;
	load->file = 0;
	load->reader = 0;
	load->files = 0;
	load->stream_len = 0;
	load->entry = entry;
	load->site = number;
	load->frame = top_frame(st);
	load->at = instruction_of(load->frame);
	st->depth++;
	return load;
}

/* Tells the inventory of the load that begins, if it reads a file. */
int tell_load(struct state *st);

static __always_inline void count_load(uint32_t entry)
{
	uint64_t *n = bpf_map_lookup_elem(&loads, &entry);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __always_inline void begin(const struct called *ctx, const struct mw_k_site *site,
                                  uint32_t number)
{
	struct state *st = make_state((uint32_t)bpf_get_current_pid_tgid(), MW_K_HOOK_ENTRY);
	struct open_load *load = st ? push(st, ctx, site->kind, number, site->skip) : NULL;

	count_load(site->kind);
	if (!load)
		return;
	if (site->kind == MW_K_PICKLE_LOAD || site->kind == MW_K_PICKLE_LOADS)
		load->object = argument(ctx, site, 0);
	else
		load->object = ctx->di;
	if (site->kind == MW_K_PICKLE_LOAD)
		note_file(st, load, load->object);
	else if (site->kind == MW_K_UNPICKLER)
		note_file(st, load, file_of_unpickler(st, load->object));
	if (wants_loads)
		tell_load(st);
}

static __always_inline void fetch(const struct called *ctx, const struct mw_k_site *site,
                                  uint32_t number)
{
	struct state *st = state_of((uint32_t)bpf_get_current_pid_tgid());
	struct open_load *load;

	if (!st)
		return;
	make_room(st, ctx->sp);
	load = innermost(st);
	if (!load)
		return;
	load->globals++;
	st->find_sp = ctx->sp;
	st->find_ret = word_at(ctx->sp);
	st->find_ip = ctx->ip - site->skip;
	st->find_site = number;
	keep_global(st, argument(ctx, site, 0), argument(ctx, site, 1), text_of(site));
}

/* Whether a string object ends in a text of `size` bytes, its NUL with it, of 32 at most. */
static __always_inline bool ends_in(const struct mw_py_offsets *o, uint64_t string,
                                    const char *text, uint32_t size)
{
	uint64_t len = word_at(string + o->text_length);
	char end[32] = {0};

	return len >= size - 1 &&
	       !bpf_probe_read_user(end, size - 1,
	                            (void *)(string + o->text_ascii + len - (size - 1))) &&
	       is_text(end, text, size);
}

#define ENDS_IN(o, string, text) ends_in(o, string, text, sizeof(text))

/* From 3.11 on the name of its code is that of the class and the method. */
static __always_inline bool is_called_load(const struct mw_py_offsets *o, uint64_t code)
{
	uint64_t name = word_at(code + o->code_name);

	return ENDS_IN(o, name, ".load") ||
	       (word_at(name + o->text_length) == 4 && ENDS_IN(o, name, "load"));
}

/* The frame of the pure-Python unpickler's load() among the innermost frames of the thread, or 0.
 */
static __always_inline uint64_t pure_load(struct state *st, const struct mw_py_offsets *o)
{
	uint64_t frame = top_frame(st);

	for (int i = 0; i < PURE_FRAMES && frame; i++) {
		if (is_called_load(o, word_at(frame + o->frame_code)))
			return frame;
		frame = word_at(frame + o->frame_back);
	}
	return 0;
}

/* The frame of the torch.load() that is making a reader for itself, or 0: a method of its own
 * module does, which it has called. */
static __always_inline uint64_t torch_load(struct state *st, const struct mw_py_offsets *o)
{
	uint64_t frame = top_frame(st), back = frame ? word_at(frame + o->frame_back) : 0;
	uint64_t code = back ? word_at(back + o->frame_code) : 0;

	if (!code || !is_called_load(o, code) ||
	    !ENDS_IN(o, word_at(code + o->code_file), TORCH_FILE) ||
	    !ENDS_IN(o, word_at(word_at(frame + o->frame_code) + o->code_file), TORCH_FILE))
		return 0;
	return back;
}

static __always_inline struct open_load *push_by_frame(struct state *st, const struct called *ctx,
                                                       uint32_t entry, uint64_t frame,
                                                       const struct mw_py_offsets *o)
{
	struct open_load *load = push(st, ctx, entry, 0, 0);

	if (!load)
		return NULL;
	load->frame = frame;
	load->code = word_at(frame + o->frame_code);
	count_load(entry);
	return load;
}

/* The next one that is called from the same place has the same frame: it is told by its file. */
static __always_inline void tell_pure(struct state *st, struct open_load *load)
{
	uint64_t files = key_of_open_files(st);

	if (files == load->files)
		return;
	load->files = files;
	tell_load(st);
}

static __always_inline bool is_find_class(uint64_t event)
{
	char name[24] = {0};

	return !bpf_probe_read_user(name, sizeof(AUDIT_FIND_CLASS), (void *)event) &&
	       IS_TEXT(name, AUDIT_FIND_CLASS);
}

/* An unpickler written in Python says what it fetches. Its load is the frame called `load` among
 * those that led here; that it still runs is told by that frame. `items` is where the addresses of
 * module and name lie. */
static __always_inline void say(const struct called *ctx, const struct mw_k_site *site,
                                uint64_t items)
{
	struct state *st = make_state((uint32_t)bpf_get_current_pid_tgid(), MW_K_HOOK_ENTRY);
	const struct mw_py_offsets *o = offsets_of_current();
	struct open_load *load;
	uint64_t frame;

	if (!st)
		return;
	frame = o ? pure_load(st, o) : 0;
	load = innermost(st);
	if (!frame)
		return;
	if (!load || load->entry != MW_K_PURE || load->frame != frame)
		load = push_by_frame(st, ctx, MW_K_PURE, frame, o);
	if (!load)
		return;
	if (wants_loads)
		tell_pure(st, load);
	load->globals++;
	keep_global(st, word_at(items), word_at(items + 8), text_of(site));
}

/* Called from Python. */
static __always_inline void audit(const struct called *ctx, const struct mw_k_site *site)
{
	uint64_t event = argument(ctx, site, 0);

	if (!is_find_class(event + text_in(event, text_of(site))))
		return;
	learn_process(ctx->ip);
	say(ctx, site, ctx->si + 8);
}

static __always_inline uint64_t usdt_argument(const struct pt_regs *ctx,
                                              const struct mw_k_usdt *where)
{
	uint64_t value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (const char *)ctx + where->at);
	return where->in_memory ? word_at(value + where->distance) : value;
}

/* Everybody's events come by here, those raised in C as well. What an unpickler in Python says is
 * in a string of Python; what _pickle says its own probes have seen. */
static __always_inline void audit_usdt(const struct pt_regs *regs, const struct called *ctx,
                                       const struct mw_k_site *site)
{
	uint64_t event = usdt_argument(regs, &site->usdt[0]);
	struct type_name type;

	if (!is_find_class(event))
		return;
	learn_process(ctx->ip);
	name_of_type(event - text_of(site), &type);
	if (IS(&type, "str"))
		say(ctx, site, usdt_argument(regs, &site->usdt[1]) + TUPLE);
}

/* An adapter of libtorch's to a file object of Python: behind the address of its methods it keeps
 * the object. */
static __always_inline uint64_t adapted(const struct called *ctx, const struct mw_k_site *site)
{
	return site->takes_path ? 0 : word_at(word_at(ctx->si) + 8);
}

/* One that had the same frame is over when its reader has gone. */
static __always_inline void drop_closed(struct state *st, uint64_t frame)
{
	for (uint32_t i = 0; i < MW_K_LOADS; i++) {
		const struct open_load *load = &st->load[i];

		if (i < st->depth && load->entry == MW_K_TORCH && load->frame == frame &&
		    !load->reader)
			st->depth = i;
	}
}

/* A load of torch's own unpickler, which is written in Python and says nothing of itself: that its
 * torch.load() makes a reader is all that is heard of it. The reader may live on; the load is open
 * while the frame runs. */
static __always_inline void begin_torch(struct state *st, const struct called *ctx,
                                        const struct mw_k_site *site)
{
	const struct mw_py_offsets *o = offsets_of_current();
	uint64_t frame = o ? torch_load(st, o) : 0;
	struct open_load *load;
	bool again;

	if (!frame)
		return;
	make_room(st, ctx->sp);
	drop_closed(st, frame);
	load = innermost(st);
	again = load && load->entry == MW_K_TORCH && load->frame == frame;
	if (!again)
		load = push_by_frame(st, ctx, MW_K_TORCH, frame, o);
	if (!load)
		return;
	load->reader = ctx->di;
	load->object = adapted(ctx, site);
	note_file(st, load, load->object);
	if (wants_loads && !again)
		tell_load(st);
}

static __always_inline void open_reader(const struct called *ctx, const struct mw_k_site *site)
{
	struct state *st = make_state((uint32_t)bpf_get_current_pid_tgid(), MW_K_HOOK_ENTRY);
	int len = 0;

	if (!st)
		return;
	st->reader = ctx->di;
	st->told_reader = 0;
	if (site->takes_path)
		len = bpf_probe_read_user_str(st->reader_path, sizeof(st->reader_path),
		                              (void *)word_at(ctx->si));
	st->reader_len = len > 1 ? len - 1 : 0;
	begin_torch(st, ctx, site);
}

static __always_inline void close_reader(const struct called *ctx)
{
	struct state *st = state_of((uint32_t)bpf_get_current_pid_tgid());
	struct open_load *load = st ? innermost(st) : NULL;

	if (st && st->reader == ctx->di)
		st->reader = st->reader_len = 0;
	if (load && load->entry == MW_K_TORCH && load->reader == ctx->di)
		st->depth--;
	for (uint32_t i = 0; st && i < MW_K_LOADS; i++)
		if (i < st->depth && st->load[i].entry == MW_K_TORCH &&
		    st->load[i].reader == ctx->di)
			st->load[i].reader = 0;
}

SEC("uprobe")
int entry(struct pt_regs *ctx)
{
	uint32_t number = bpf_get_attach_cookie(ctx);
	struct mw_k_site *site = bpf_map_lookup_elem(&sites, &number);
	const struct called called = {ctx->sp, ctx->ip, ctx->di, ctx->si, ctx->dx};

	if (!site)
		return 0;
	switch (site->kind) {
	case MW_K_PICKLE_LOAD:
	case MW_K_PICKLE_LOADS:
	case MW_K_UNPICKLER:
	case MW_K_TORCHSCRIPT:
		begin(&called, site, number);
		break;
	case MW_K_FIND_CLASS:
		fetch(&called, site, number);
		break;
	case MW_K_SYS_AUDIT:
		if (site->convention == MW_K_BY_USDT)
			audit_usdt(ctx, &called, site);
		else
			audit(&called, site);
		break;
	case MW_K_READER_OPEN:
		open_reader(&called, site);
		break;
	case MW_K_READER_CLOSE:
		close_reader(&called);
		break;
	}
	return 0;
}

#endif
