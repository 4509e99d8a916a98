/* Python's own objects: what they are called, and the files behind those that read. Their layouts
 * are the same from CPython 3.9 to 3.13. */
#ifndef MW_EBPF_READERS_H
#define MW_EBPF_READERS_H

#include "files.h"

#define TYPE 8             /* of any object: its type ... */
#define TYPE_NAME 24       /* ... and the name of a type */
#define UNPICKLER_FIRST 16 /* word of an Unpickler that may be its bound read() ... */
#define UNPICKLER_WORDS 32 /* ... and the first that may not */

static __always_inline uint64_t word_at(uint64_t address)
{
	uint64_t value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

struct type_name {
	char text[32];
};

static __always_inline void name_of_type(uint64_t object, struct type_name *ret)
{
	uint64_t name = word_at(word_at(object + TYPE) + TYPE_NAME);

	__builtin_memset(ret, 0, sizeof(*ret));
	if (object)
		bpf_probe_read_user_str(ret->text, sizeof(ret->text), (void *)name);
}

#define IS(name, word) IS_TEXT((name)->text, word)

/* The object whose read() the word of an Unpickler is bound to, or 0. What was one before is known
 * by its address. */
static __always_inline uint64_t reader_at(struct state *st, uint64_t unpickler, uint32_t word)
{
	uint64_t bound = word_at(unpickler + 8 * word), method;
	struct type_name type;
	char name[8] = {0};

	if (bound < 4096)
		return 0;
	method = word_at(bound + 16);
	if (!method || method != st->read_method) {
		name_of_type(bound, &type);
		if (!IS(&type, "builtin_function_or_method"))
			return 0;
		bpf_probe_read_user_str(name, sizeof(name), (void *)word_at(method));
		if (!IS_TEXT(name, "read"))
			return 0;
		st->read_method = method;
	}
	return word_at(bound + 24);
}

/* An Unpickler keeps the bound methods of its file, one of which is called read: in the same place
 * as the one before did. */
static __always_inline uint64_t file_of_unpickler(struct state *st, uint64_t unpickler)
{
	uint64_t found = st->read_word ? reader_at(st, unpickler, st->read_word) : 0;

	for (int i = UNPICKLER_FIRST; i < UNPICKLER_WORDS && !found; i++) {
		found = reader_at(st, unpickler, i);
		if (found)
			st->read_word = i;
	}
	return found;
}

/* What a BufferedReader knows of its file. */
struct buffered {
	uint64_t raw;
	uint64_t flags[3];
	int64_t absolute; /* where the raw file stands; negative: not known */
	uint64_t buffer;
	int64_t at, raw_at, end; /* in the buffer; an end of -1: it is empty */
};

/* Where it stands for who reads from it. Negative: not known. */
static __always_inline int64_t position_of(const struct buffered *b)
{
	if (b->absolute < 0 || b->end == -1 || b->raw_at < 0)
		return b->absolute;
	return b->absolute - (b->raw_at - b->at);
}

static __always_inline bool read_buffered(uint64_t object, struct buffered *ret)
{
	return !bpf_probe_read_user(ret, sizeof(*ret), (void *)(object + 16));
}

/* File objects as open() makes them, buffered or not. Their types are known by address once they
 * were known by name. */
static __always_inline bool is_buffered(struct state *st, uint64_t object)
{
	uint64_t type = word_at(object + TYPE);
	struct type_name name;

	if (type && type == st->buffered_type)
		return true;
	name_of_type(object, &name);
	if (!IS(&name, "_io.BufferedReader") && !IS(&name, "_io.BufferedRandom"))
		return false;
	st->buffered_type = type;
	return true;
}

static __always_inline bool is_raw(struct state *st, uint64_t object)
{
	uint64_t type = word_at(object + TYPE);
	struct type_name name;

	if (type && type == st->raw_type)
		return true;
	name_of_type(object, &name);
	if (!IS(&name, "_io.FileIO"))
		return false;
	st->raw_type = type;
	return true;
}

/* Remembers the file that a load begins to read, when it is one of the kernel's. */
static __always_inline void note_file(struct state *st, struct open_load *load, uint64_t object)
{
	struct buffered b;
	struct file *file;
	struct inode *inode;
	uint64_t raw = object, type = word_at(object + TYPE);
	int64_t position = -1;

	load->file = 0;
	if (!object || (type && type == st->other_type))
		return;
	if (is_buffered(st, object)) {
		if (!read_buffered(object, &b))
			return;
		raw = b.raw;
		position = position_of(&b);
	}
	if (!is_raw(st, raw)) {
		if (raw == object)
			st->other_type = type;
		return;
	}
	load->fd = (int)word_at(raw + 16);
	file = file_of(load->fd);
	if (!file)
		return;
	if (raw == object)
		position = BPF_CORE_READ(file, f_pos);
	load->start = position > 0 ? position : 0;
	load->mount = (uint64_t)BPF_CORE_READ(file, f_path.mnt);
	load->dentry = (uint64_t)BPF_CORE_READ(file, f_path.dentry);
	inode = BPF_CORE_READ(file, f_inode);
	load->ino = BPF_CORE_READ(inode, i_ino);
	load->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	load->file = object;
}

/* Its path, as far as the kernel still has it. */
static __always_inline void name_file(struct scratch *s, const struct open_load *load,
                                      struct mw_k_path *ret)
{
	struct dentry *dentry = (struct dentry *)load->dentry;
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	ret->ino = load->ino;
	ret->dev = load->dev;
	if (BPF_CORE_READ(inode, i_ino) != load->ino ||
	    BPF_CORE_READ(inode, i_sb, s_dev) != load->dev)
		return;
	inode_of(inode, ret);
	path_names(s, load->mount, load->dentry, ret);
}

/* The file that a load has begun to read, and where in it the reader is by now. */
static __always_inline void describe_reader(struct scratch *s, const struct open_load *load,
                                            struct mw_k_load *ret)
{
	struct type_name type;
	struct buffered b;
	struct file *file;
	int64_t position = -1;

	ret->fd = load->fd;
	ret->start = load->start;
	name_file(s, load, &ret->file);
	name_of_type(load->file, &type);
	file = file_of(load->fd);
	if (!file || (uint64_t)BPF_CORE_READ(file, f_path.dentry) != load->dentry)
		return;
	ret->read_ahead = !IS(&type, "_io.FileIO");
	if (!ret->read_ahead)
		position = BPF_CORE_READ(file, f_pos);
	else if (read_buffered(load->file, &b))
		position = position_of(&b);
	ret->exact = position >= 0;
	ret->position = position >= 0 ? position : 0;
}

#endif
