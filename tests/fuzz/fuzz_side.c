/* A record of perf's side-band: every byte of it hostile, in memory of exactly its size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/daemon_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *record = malloc(size ? size : 1);
	struct mw_side side;

	memcpy(record, data, size);
	if (mw_side_decode(record, size, &side) >= 0 && side.kind == MW_SIDE_MAPPED) {
		const char *end = (const char *)record + size;

		if (side.mapping.path < (const char *)record ||
		    side.mapping.path + strlen(side.mapping.path) >= end || !side.mapping.ino)
			abort();
	}
	free(record);
	return 0;
}
