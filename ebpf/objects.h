/* What a load reads from: Python's own file objects and buffers, told by the name of their type.
 * Their layouts are the same from CPython 3.9 to 3.13. */
#ifndef MW_EBPF_OBJECTS_H
#define MW_EBPF_OBJECTS_H

#include "entries.h"
#include "files.h"

#define UNPICKLER_WORDS 48 /* of an Unpickler that are searched for its bound read() */

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

static __always_inline void by_descriptor(struct scratch *s, int fd, bool ahead,
                                          struct mw_k_load *ret)
{
	struct file *file = file_of(fd);

	ret->fd = fd;
	if (!file)
		return;
	ret->position = BPF_CORE_READ(file, f_pos);
	ret->read_ahead = ahead;
	ret->exact = !ahead;
	path_of_file(s, file, &ret->file);
}

static __always_inline void in_bytes(uint64_t bytes, struct mw_k_load *ret)
{
	ret->data = bytes + 32;
	ret->len = word_at(bytes + 16);
}

/* The stream behind an object that was handed to load() or loads(), or that has the read() which an
 * Unpickler was made with. */
static __always_inline void find_stream(struct scratch *s, uint64_t object, struct mw_k_load *ret)
{
	struct type_name type;
	uint64_t raw = object;

	name_of_type(object, &type);
	if (IS(&type, "bytes")) {
		in_bytes(object, ret);
	} else if (IS(&type, "bytearray")) {
		ret->data = word_at(object + 40);
		ret->len = word_at(object + 16);
	} else if (IS(&type, "memoryview")) {
		ret->data = word_at(object + 56);
		ret->len = word_at(object + 72);
	} else if (IS(&type, "_io.BytesIO")) {
		in_bytes(word_at(object + 16), ret);
		ret->position = word_at(object + 24);
		ret->len = word_at(object + 32);
		ret->exact = 1;
	} else if (IS(&type, "mmap.mmap")) {
		ret->data = word_at(object + 16);
		ret->len = word_at(object + 24);
		ret->position = word_at(object + 32);
		ret->exact = 1;
	} else if (IS(&type, "_io.BufferedReader") || IS(&type, "_io.BufferedRandom")) {
		raw = word_at(object + 16);
		name_of_type(raw, &type);
		if (IS(&type, "_io.FileIO"))
			by_descriptor(s, (int)word_at(raw + 16), true, ret);
	} else if (IS(&type, "_io.FileIO")) {
		by_descriptor(s, (int)word_at(raw + 16), false, ret);
	}
}

/* An Unpickler keeps the bound methods of its file: one of them is called read. */
static __always_inline uint64_t file_of_unpickler(uint64_t unpickler)
{
	struct type_name type;
	char name[8] = {0};

	for (int i = 2; i < UNPICKLER_WORDS; i++) {
		uint64_t method = word_at(unpickler + 8 * i);

		if (method < 4096)
			continue;
		name_of_type(method, &type);
		if (!IS(&type, "builtin_function_or_method"))
			continue;
		bpf_probe_read_user_str(name, sizeof(name), (void *)word_at(word_at(method + 16)));
		if (IS_TEXT(name, "read"))
			return word_at(method + 24);
	}
	return 0;
}

__attribute__((noinline)) int describe_load(struct scratch *s, const struct open_load *load,
                                            uint32_t at)
{
	struct mw_k_load *ret;

	if (!s || !load || at >= MW_K_LOADS)
		return 0;
	ret = &s->effect.load[at];
	ret->id = load->id;
	ret->sp = load->sp;
	ret->ret = load->ret;
	ret->ip = load->ip;
	ret->frame = load->frame;
	ret->object = load->object;
	ret->entry = load->entry;
	ret->site = load->site;
	ret->globals = load->globals;
	ret->since = load->since;
	ret->fd = -1;
	if (s->replaced)
		return 0;
	if (load->entry == MW_K_UNPICKLER)
		find_stream(s, file_of_unpickler(load->object), ret);
	else if (load->entry == MW_K_PICKLE_LOAD || load->entry == MW_K_PICKLE_LOADS)
		find_stream(s, load->object, ret);
	return 0;
}

#endif
