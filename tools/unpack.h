/* Streams that lie compressed in their file: gzip, zlib, bzip2, xz and lzma, told by their first
 * bytes, with which no pickle begins. */
#ifndef MW_TOOLS_UNPACK_H
#define MW_TOOLS_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mw_unpacked_bytes {
	size_t len; /* of what is in the room */
	bool cut;   /* there is more, or there would be if more of `data` were there */
};

/* Whether `data` begins like a compressed stream of a format that is known. */
bool mw_is_packed(const uint8_t *data, size_t len);

/* Unpacks what fits into `room` bytes at `out`. The data are hostile: memory is bounded (64 MiB in
 * the worst format) whatever they say. Where they are damaged the result ends, cut; a block before
 * that may be wrong. Returns 0, or -ENOTSUP when the format is not known. */
int mw_unpack(const uint8_t *data, size_t len, uint8_t *out, size_t room,
              struct mw_unpacked_bytes *ret);

#endif
