/* The memory of a hostile interpreter: walked as each version, with the line of every frame, and
 * the file of one that describes itself. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/python_lines.h"
#include "../../tools/python_offsets.h"

static int read_memory(void *dst, size_t size, uint64_t address);
#define MW_PY_READ(dst, size, address) read_memory(dst, size, address)
#include "../../ebpf/pystack.h"

#define READS_MAX (3 * (MW_PY_THREADS + MW_PY_INTERPRETERS) + MW_PY_LINKS * (20 + 2 * MW_PY_WIDE))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *memory;
static size_t memory_size, reads;
static struct mw_k_effect effect;

/* Nearly every address is one of the input's bytes, so that chains get long. */
static int read_memory(void *dst, size_t size, uint64_t address)
{
	if (++reads > READS_MAX)
		abort();
	if (address >> 63)
		return -EFAULT;
	address %= memory_size;
	if (size <= memory_size - address) {
		memcpy(dst, memory + address, size);
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		((uint8_t *)dst)[i] = memory[(address + i) % memory_size];
	return 0;
}

static int read_file(void *userdata, uint64_t offset, void *buf, size_t len)
{
	(void)userdata;
	if (offset > memory_size || len > memory_size - offset)
		abort();
	memcpy(buf, memory + offset, len);
	return 0;
}

static void check_string(struct mw_k_str text)
{
	if (text.at + text.len > MW_K_STRINGS)
		abort();
}

static void check_frame(const struct mw_py_offsets *o, const struct mw_k_frame *frame)
{
	struct mw_python_table table = {o->version, frame->first_line, NULL, frame->table_used,
	                                frame->table_len};
	/* Exactly what there is, so that a step beyond it is seen. */
	uint8_t *bytes = malloc(frame->table_used);

	if (frame->table_used > MW_K_TABLE || frame->table_used > frame->table_len)
		abort();
	if (!bytes)
		return;
	memcpy(bytes, frame->table, frame->table_used);
	table.bytes = bytes;
	mw_python_line(&table, frame->lasti);
	table.whole = table.len;
	if (mw_python_line(&table, frame->lasti) == -ENODATA)
		abort();
	free(bytes);
	check_string(frame->name);
	check_string(frame->file);
}

static void walk(const struct mw_py_offsets *o, uint64_t id)
{
	uint32_t used = (uint32_t)id;
	uint64_t thread;

	reads = 0;
	thread = mw_py_thread(o, 0, id);
	mw_py_is_thread(o, thread, id);
	mw_py_top(o, thread);
	mw_py_walk(o, thread, &effect, &used);
	if (effect.frame_count > MW_K_FRAMES || (used > MW_K_STRINGS && used != (uint32_t)id))
		abort();
	for (uint32_t i = 0; i < effect.frame_count; i++)
		check_frame(o, &effect.frame[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_elf elf = {.read = read_file, .size = size - 8, .load_count = 1};
	struct mw_py_offsets offsets;
	uint64_t id;

	if (size < 16)
		return 0;
	memcpy(&id, data, sizeof(id));
	memory = data + 8;
	memory_size = size - 8;
	elf.loads[0] = (struct mw_elf_load){.size = memory_size};
	for (uint32_t version = 0x0309; version <= 0x030d; version++)
		if (mw_python_offsets(version, &elf, 0, &offsets) == 0)
			walk(&offsets, id);
	return 0;
}
