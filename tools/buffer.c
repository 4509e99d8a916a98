#include "buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 4096

int64_t mw_buffer_add(struct mw_buffer *buffer, const void *bytes, size_t len, size_t max)
{
	size_t need, cap = buffer->cap ? buffer->cap : FIRST;
	char *data;

	if (len > max || buffer->len > max - len)
		return -EFBIG;
	need = buffer->len + len;
	while (cap < need)
		cap *= 2;
	if (cap != buffer->cap) {
		data = realloc(buffer->data, cap);
		if (!data)
			return -ENOMEM;
		buffer->data = data;
		buffer->cap = cap;
	}
	if (len)
		memcpy(buffer->data + buffer->len, bytes, len);
	buffer->len = need;
	return (int64_t)(need - len);
}
