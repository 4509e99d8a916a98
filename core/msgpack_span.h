/* Where a MessagePack value of somebody else's ends, before msgpack-c is let near it: every length
 * is held against the bytes that are there, so that what it allocates is a small multiple of them.
 */
#ifndef MW_CORE_MSGPACK_SPAN_H
#define MW_CORE_MSGPACK_SPAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The bytes of the value that begins at `data`, with no more than `depth` arrays and maps inside of
 * each other; 0 when it goes on after `len`; -EBADMSG when it is none. */
ssize_t mw_msgpack_span(const uint8_t *data, size_t len, int depth);

#endif
