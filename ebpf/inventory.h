/* Loads that begin to read a file, for the inventory of the daemon. Nothing here runs unless
 * somebody wants one. */
#ifndef MW_EBPF_INVENTORY_H
#define MW_EBPF_INVENTORY_H

#include "objects.h"

static __always_inline bool is_in_memory(uint64_t object)
{
	struct type_name type;

	name_of_type(object, &type);
	return IS(&type, "_io.BytesIO") || IS(&type, "bytes") || IS(&type, "mmap.mmap");
}

/* TorchScript reads several streams through one reader. */
static __always_inline bool is_first_of_reader(struct state *st)
{
	if (!st->reader_len || st->told_reader == st->reader)
		return false;
	st->told_reader = st->reader;
	return true;
}

/* Whether what it reads may be a file that is open, though by an object of a kind that is not
 * known. Buffers over what is no file (a socket), and bytes, are not. */
static __always_inline bool reads_unknown(struct state *st, struct open_load *load)
{
	uint64_t object = load->object;

	if (load->entry == MW_K_UNPICKLER)
		object = file_of_unpickler(st, object);
	return !object || (!is_buffered(st, object) && !is_in_memory(object));
}

static __always_inline bool is_regular(const struct open_load *load)
{
	struct dentry *dentry = (struct dentry *)load->dentry;

	return (BPF_CORE_READ(dentry, d_inode, i_mode) & S_IFMT) == S_IFREG;
}

static __always_inline bool reads_file(struct state *st, struct open_load *load)
{
	if (load->entry == MW_K_PICKLE_LOADS)
		return false;
	if (load->entry == MW_K_TORCHSCRIPT)
		return is_first_of_reader(st);
	if (load->file)
		return is_regular(load);
	return reads_unknown(st, load);
}

static __always_inline void name_reader(struct scratch *s, const struct state *st,
                                        struct mw_k_begun *to)
{
	if (s->used > MW_K_STRINGS - 256)
		return;
	to->reader.at = s->used;
	to->reader.len = st->reader_len & 0xff;
	bpf_probe_read_kernel(&s->effect.strings[s->used & (MW_K_STRINGS - 1)], 256,
	                      st->reader_path);
	s->used += st->reader_len & 0xff;
}

/* Which file, or where it may be found. */
__attribute__((noinline)) int describe_begun(struct scratch *s, struct state *st)
{
	struct open_load *load;

	if (!s || !st)
		return 0;
	load = &st->load[0];
	if (load->file) {
		name_file(s, load, &s->load.file);
	} else if (st->reader_len &&
	           (load->entry == MW_K_TORCHSCRIPT || load->entry == MW_K_TORCH)) {
		name_reader(s, st, &s->load);
	} else {
		bpf_probe_read_kernel(s->effect.open, sizeof(s->effect.open), NULL); /* zeroes */
		open_files(s);
		bpf_probe_read_kernel(s->load.open, sizeof(s->load.open), s->effect.open);
	}
	return 0;
}

/* Nobody is woken while the ring is more than empty: who reads it takes all there is. */
__attribute__((noinline)) int send_begun(struct scratch *s)
{
	uint32_t len;

	if (!s)
		return 0;
	len = s->used;
	MW_PY_KEEP(len);
	if (len > MW_K_STRINGS)
		return 0;
	s->load.strings_len = len;
	if (len)
		bpf_probe_read_kernel(s->load.strings, len, s->effect.strings);
	if (bpf_ringbuf_output(&loads_begun, &s->load,
	                       __builtin_offsetof(struct mw_k_begun, strings) + len, 0))
		count(MW_K_HOOK_ENTRY, MW_K_UNTOLD);
	return 0;
}

__attribute__((noinline)) int tell_load(struct state *st)
{
	struct task_struct *task = current_task();
	struct open_load *load;
	struct mw_k_begun *to;
	struct scratch *s;
	int len;

	if (!st || st->depth != 1)
		return 0;
	load = &st->load[0];
	if (!reads_file(st, load))
		return 0;
	s = claim_one();
	if (!s) {
		count(MW_K_HOOK_ENTRY, MW_K_UNTOLD);
		return 0;
	}
	to = &s->load;
	bpf_probe_read_kernel(to, __builtin_offsetof(struct mw_k_begun, strings),
	                      NULL); /* zeroes */
	s->used = 0;
	fill_head(&to->head, MW_K_BEGUN, load->id);
	to->head.cgroup = bpf_get_current_cgroup_id();
	to->load = load->id;
	to->start = load->file ? load->start : 0;
	to->entry = load->entry;
	to->uid = BPF_CORE_READ(task, cred, uid.val);
	to->fd = load->file ? load->fd : -1;
	to->comm.at = 0;
	len = append(s, __builtin_preserve_access_index(&task->comm), 16);
	to->comm.len = len > 0 ? len - 1 : 0;
	describe_begun(s, st);
	send_begun(s);
	release(s);
	return 0;
}

#endif
