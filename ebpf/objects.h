/* What a load reads from: Python's own buffers, told by the name of their type, or the file that it
 * began with. */
#ifndef MW_EBPF_OBJECTS_H
#define MW_EBPF_OBJECTS_H

#include "entries.h"

static __always_inline void in_bytes(uint64_t bytes, struct mw_k_load *ret)
{
	ret->data = bytes + 32;
	ret->len = word_at(bytes + 16);
}

/* The stream in memory behind an object that was handed to load() or loads(), or that has the
 * read() which an Unpickler was made with. */
static __always_inline void find_stream(uint64_t object, struct mw_k_load *ret)
{
	struct type_name type;

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
	}
}

__attribute__((noinline)) int describe_load(struct scratch *s, struct state *st, uint32_t at)
{
	const struct open_load *load;
	struct mw_k_load *ret;

	if (!s || !st || at >= MW_K_LOADS)
		return 0;
	load = &st->load[at];
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
	if (s->replaced && load->file)
		name_file(s, load, &ret->file);
	if (s->replaced)
		return 0;
	if (load->file)
		describe_reader(s, load, ret);
	else if (load->entry == MW_K_UNPICKLER)
		find_stream(file_of_unpickler(st, load->object), ret);
	else if (load->entry == MW_K_PICKLE_LOAD || load->entry == MW_K_PICKLE_LOADS ||
	         load->entry == MW_K_TORCH)
		find_stream(load->object, ret);
	return 0;
}

#endif
