#include "gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* zlib's largest window, and gzip's frame around it */

int mw_gzip(struct mw_buffer *buffer)
{
	z_stream z = {.next_in = (Bytef *)buffer->data, .avail_in = (uInt)buffer->len};
	char *out;
	uLong bound;
	int state;

	if (buffer->len > UINT_MAX / 2 ||
	    deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL,
	                 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, (uLong)buffer->len);
	out = malloc(bound);
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)bound;
	state = out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	deflateEnd(&z);
	if (state != Z_STREAM_END) {
		free(out);
		return -ENOMEM;
	}
	free(buffer->data);
	*buffer = (struct mw_buffer){out, bound - z.avail_out, bound};
	return 0;
}
