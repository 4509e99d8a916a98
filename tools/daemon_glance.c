#include "daemon_glance.h"

#include <elf.h>
#include <string.h>

#define CHUNK 65536
#define CONSTANTS_MAX (64u << 20) /* interpreters have less than 10 MB */
#define NAMES_MAX (128u << 20)    /* libtorch_cpu.so has 70 MB of them */

struct needle {
	const char *text;
	size_t len;
};

#define WORD(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text)                                                                 \
	} /* with its end */
#define PART(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

/* Names of methods, which stay when symbols are stripped; linkers merge strings by their ends. */
static const struct needle constants[] = {
        WORD("find_class"),   /* the unpickler's */
        WORD("addaudithook"), /* the interpreter's, from 3.8 on */
};
static const struct needle names[] = {
        WORD("_PyRuntime"),
        PART("PyTorchStreamReader"),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONGEST 24 /* not shorter than a needle */

static bool has_any(const uint8_t *bytes, size_t len, const struct needle *needles, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (memmem(bytes, len, needles[i].text, needles[i].len))
			return true;
	return false;
}

/* Chunks overlap by what a needle could lose at their border. */
static bool search(const struct mw_elf *elf, uint64_t offset, uint64_t len,
                   const struct needle *needles, size_t count)
{
	uint8_t chunk[LONGEST + CHUNK];
	size_t kept = 0, keep, n;

	if (offset > elf->size || len > elf->size - offset)
		return false;
	for (; len; len -= n, offset += n) {
		n = len < CHUNK ? (size_t)len : CHUNK;
		if (elf->read(elf->userdata, offset, chunk + kept, n) < 0)
			return false;
		if (has_any(chunk, kept + n, needles, count))
			return true;
		keep = kept + n < LONGEST ? kept + n : LONGEST;
		memmove(chunk, chunk + kept + n - keep, keep);
		kept = keep;
	}
	return false;
}

/* Most linkers keep constants in segments of their own; others put them to the code. */
static bool has_constant_segment(const struct mw_elf *elf)
{
	for (size_t i = 0; i < elf->load_count; i++)
		if (!(elf->loads[i].flags & (PF_W | PF_X)))
			return true;
	return false;
}

static bool search_constants(const struct mw_elf *elf)
{
	uint32_t without = has_constant_segment(elf) ? PF_W | PF_X : PF_W;
	uint64_t left = CONSTANTS_MAX;

	for (size_t i = 0; i < elf->load_count && left; i++) {
		const struct mw_elf_load *load = &elf->loads[i];
		uint64_t len = load->size < left ? load->size : left;

		if (load->flags & without)
			continue;
		if (search(elf, load->offset, len, constants, COUNT(constants)))
			return true;
		left -= len;
	}
	return false;
}

bool mw_glance(const struct mw_elf *elf)
{
	uint64_t len = elf->names.size < NAMES_MAX ? elf->names.size : NAMES_MAX;

	return search(elf, elf->names.offset, len, names, COUNT(names)) || search_constants(elf);
}
