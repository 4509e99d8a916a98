#include "python_offsets.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define OFFSET_MAX (1u << 20) /* _PyRuntime of 3.13 has 0.3 MB, with an interpreter in it */
#define COOKIE "xdebugpy"

/* 3.9 to 3.12, 64 bits: their layouts did not change within a minor version. */
static const struct mw_py_offsets known[] = {
        {
                .version = MW_PY_VERSION(3, 9),
                .runtime_interpreters = 32,
                .interpreter_threads = 8,
                .thread_next = 8,
                .thread_frame = 24,
                .thread_id = 176,
                .frame_back = 24,
                .frame_code = 32,
                .frame_at = 104,
                .code_first_line = 40,
                .code_file = 104,
                .code_name = 112,
                .code_table = 120,
                .text_length = 16,
                .text_ascii = 48,
                .text_wide = 72,
                .bytes_size = 16,
                .bytes_data = 32,
        },
        {
                .version = MW_PY_VERSION(3, 10),
                .runtime_interpreters = 32,
                .interpreter_threads = 8,
                .thread_next = 8,
                .thread_frame = 24,
                .thread_id = 176,
                .frame_back = 24,
                .frame_code = 32,
                .frame_at = 96,
                .code_first_line = 40,
                .code_file = 104,
                .code_name = 112,
                .code_table = 120,
                .text_length = 16,
                .text_ascii = 48,
                .text_wide = 72,
                .bytes_size = 16,
                .bytes_data = 32,
        },
        {
                .version = MW_PY_VERSION(3, 11),
                .runtime_interpreters = 40,
                .interpreter_threads = 16,
                .thread_next = 8,
                .thread_frame = 56,
                .thread_id = 152,
                .cframe_frame = 8,
                .frame_code = 32,
                .frame_back = 48,
                .frame_at = 56,
                .code_first_line = 72,
                .code_file = 112,
                .code_name = 128,
                .code_table = 136,
                .code_bytes = 184,
                .text_length = 16,
                .text_ascii = 48,
                .text_wide = 72,
                .bytes_size = 16,
                .bytes_data = 32,
        },
        {
                .version = MW_PY_VERSION(3, 12),
                .runtime_interpreters = 40,
                .interpreter_threads = 72,
                .thread_next = 8,
                .thread_frame = 56,
                .thread_id = 136,
                .frame_code = 0,
                .frame_back = 8,
                .frame_at = 56,
                .frame_owner = 70,
                .code_first_line = 68,
                .code_file = 112,
                .code_name = 128,
                .code_table = 136,
                .code_bytes = 192,
                .text_length = 16,
                .text_ascii = 40,
                .text_wide = 56,
                .bytes_size = 16,
                .bytes_data = 32,
        },
};

/* What _PyRuntime of 3.13 starts with: for each type its size and then offsets in it. */
struct described {
	char cookie[8];
	uint64_t version, free_threaded;
	struct {
		uint64_t size, finalizing, interpreters;
	} runtime;
	struct {
		uint64_t size, id, next, threads, rest[9];
	} interpreter;
	struct {
		uint64_t size, prev, next, interpreter, frame, id, rest[3];
	} thread;
	struct {
		uint64_t size, back, code, at, locals, owner;
	} frame;
	struct {
		uint64_t size, file, name, qualified, table, first_line, rest[3], bytes;
	} code;
	uint64_t others[20];
	struct {
		uint64_t size, length, data;
	} bytes;
	struct {
		uint64_t size, state, length, ascii;
	} text;
};

/* The part of an object that several offsets of words lie in, each whole. */
static int span(const uint32_t *offsets, size_t count, uint32_t *start, uint32_t *size)
{
	uint32_t low = offsets[0], high = offsets[0];

	for (size_t i = 1; i < count; i++) {
		low = offsets[i] < low ? offsets[i] : low;
		high = offsets[i] > high ? offsets[i] : high;
	}
	*start = low & ~7u;
	*size = (high & ~7u) + 8 - *start;
	return *size > MW_PY_SPAN_MAX ? -EBADMSG : 0;
}

static int find_spans(struct mw_py_offsets *o)
{
	const uint32_t frame[] = {o->frame_back, o->frame_code, o->frame_at, o->frame_owner};
	const uint32_t code[] = {o->code_file, o->code_name, o->code_first_line, o->code_table};
	size_t fields = o->version < MW_PY_VERSION(3, 12) ? 3 : 4;
	int r;

	r = span(frame, fields, &o->frame_start, &o->frame_span);
	return r < 0 ? r : span(code, 4, &o->code_start, &o->code_span);
}

static bool within(uint64_t size, uint64_t offset, uint64_t len)
{
	return size <= OFFSET_MAX && offset <= size && len <= size - offset;
}

static bool makes_sense(const struct described *d)
{
	return within(d->runtime.size, d->runtime.interpreters, 8) &&
	       within(d->interpreter.size, d->interpreter.next, 8) &&
	       within(d->interpreter.size, d->interpreter.threads, 8) &&
	       within(d->thread.size, d->thread.next, 8) &&
	       within(d->thread.size, d->thread.frame, 8) &&
	       within(d->thread.size, d->thread.id, 8) && within(d->frame.size, d->frame.back, 8) &&
	       within(d->frame.size, d->frame.code, 8) && within(d->frame.size, d->frame.at, 8) &&
	       within(d->frame.size, d->frame.owner, 1) && within(d->code.size, d->code.file, 8) &&
	       within(d->code.size, d->code.qualified, 8) &&
	       within(d->code.size, d->code.table, 8) &&
	       within(d->code.size, d->code.first_line, 4) &&
	       within(d->code.size, d->code.bytes, 1) &&
	       within(d->bytes.size, d->bytes.length, 8) &&
	       within(d->bytes.size, d->bytes.data, 1) && d->text.state == d->text.length + 16 &&
	       within(d->text.size, d->text.length, 20) && within(d->text.size, d->text.ascii, 16);
}

static void take(const struct described *d, struct mw_py_offsets *ret)
{
	*ret = (struct mw_py_offsets){
	        .version = (uint32_t)(d->version >> 16),
	        .runtime_interpreters = (uint32_t)d->runtime.interpreters,
	        .interpreter_next = (uint32_t)d->interpreter.next,
	        .interpreter_threads = (uint32_t)d->interpreter.threads,
	        .thread_next = (uint32_t)d->thread.next,
	        .thread_frame = (uint32_t)d->thread.frame,
	        .thread_id = (uint32_t)d->thread.id,
	        .frame_back = (uint32_t)d->frame.back,
	        .frame_code = (uint32_t)d->frame.code,
	        .frame_at = (uint32_t)d->frame.at,
	        .frame_owner = (uint32_t)d->frame.owner,
	        .code_file = (uint32_t)d->code.file,
	        .code_name = (uint32_t)d->code.qualified,
	        .code_table = (uint32_t)d->code.table,
	        .code_first_line = (uint32_t)d->code.first_line,
	        .code_bytes = (uint32_t)d->code.bytes,
	        .text_length = (uint32_t)d->text.length,
	        .text_ascii = (uint32_t)d->text.ascii,
	        .text_wide = (uint32_t)d->text.ascii + 16, /* after a cached UTF-8 form */
	        .bytes_size = (uint32_t)d->bytes.length,
	        .bytes_data = (uint32_t)d->bytes.data,
	};
}

/* Free-threaded builds are another matter: nobody stops the thread while it is read, and their
 * strings and frames differ. */
static int from_file(uint32_t version, const struct mw_elf *elf, uint64_t vaddr,
                     struct mw_py_offsets *ret)
{
	struct mw_py_offsets offsets;
	struct described d;
	int r;

	r = mw_elf_read(elf, vaddr, &d, sizeof(d));
	if (r < 0)
		return r;
	if (memcmp(d.cookie, COOKIE, sizeof(d.cookie)) || d.version >> 16 != version)
		return -EBADMSG;
	if (d.free_threaded)
		return -ENOTSUP;
	if (!makes_sense(&d))
		return -EBADMSG;
	take(&d, &offsets);
	r = find_spans(&offsets);
	if (r < 0)
		return r;
	*ret = offsets;
	return 0;
}

int mw_python_offsets(uint32_t version, const struct mw_elf *elf, uint64_t runtime_vaddr,
                      struct mw_py_offsets *ret)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].version != version)
			continue;
		*ret = known[i];
		return find_spans(ret);
	}
	if (version != MW_PY_VERSION(3, 13) || !elf)
		return -ENOTSUP;
	return from_file(version, elf, runtime_vaddr, ret);
}
