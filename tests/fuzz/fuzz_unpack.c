/* A hostile compressed stream. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/unpack.h"

#define ROOM 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t first[ROOM], again[ROOM];
	struct mw_unpacked_bytes got = {0}, more = {0};

	if (mw_unpack(data, size, first, ROOM, &got))
		return 0;
	if (got.len > ROOM)
		abort();
	/* A smaller room holds the beginning of the same, as far as both go: where data are
	 * damaged, bzip2 ends the sooner the more it may write at once. */
	mw_unpack(data, size, again, ROOM / 7, &more);
	if (more.len > ROOM / 7 || memcmp(first, again, more.len < got.len ? more.len : got.len))
		abort();
	return 0;
}
