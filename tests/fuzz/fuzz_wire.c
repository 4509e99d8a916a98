/* The one decoder that a hostile process talks to: any bytes, and what it makes of them packed
 * again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../core/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte that a record points to, so that a length that is too long is caught. */
static uint32_t sum(struct mw_str s)
{
	uint32_t total = 0;

	for (uint32_t i = 0; s.s && i < s.len; i++)
		total += (uint8_t)s.s[i];
	return total;
}

static uint32_t touch(const struct mw_record *r)
{
	uint32_t total = sum(r->load.entry) + sum(r->load.path) + sum(r->effect.op) +
	                 sum(r->effect.target) + sum(r->effect.target2) + sum(r->effect.file) +
	                 sum(r->effect.file2);

	for (uint32_t i = 0; i < r->load.seen_count; i++)
		total += sum(r->load.seen[i]);
	for (uint32_t i = 0; i < r->effect.argc; i++)
		total += sum(r->effect.argv[i]);
	for (uint32_t i = 0; i < r->frame_count; i++)
		total += sum(r->frames[i].function) + sum(r->frames[i].file);
	return total + sum((struct mw_str){(const char *)r->stack, r->stack_len});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[MW_WIRE_HEAD];
	struct mw_unpacked unpacked;

	if (mw_wire_unpack(data, size, &unpacked) < 0)
		return 0;
	if (touch(&unpacked.record) == UINT32_MAX)
		abort(); /* no frame is that long; it keeps the sum from being left out */
	if (mw_wire_pack(&unpacked.record, again, sizeof(again)) < 0)
		abort(); /* what was decoded is within every limit */
	mw_wire_free(&unpacked);
	return 0;
}
