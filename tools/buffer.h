/* Bytes that grow, up to a bound. */
#ifndef MW_TOOLS_BUFFER_H
#define MW_TOOLS_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* Starts as zeros. `data` is the caller's to free. */
struct mw_buffer {
	char *data;
	size_t len, cap;
};

/* Appends `len` bytes. Returns the offset of the first; -EFBIG beyond `max` bytes in all; -ENOMEM;
 * what was there stays in both cases. */
int64_t mw_buffer_add(struct mw_buffer *buffer, const void *bytes, size_t len, size_t max);

#endif
