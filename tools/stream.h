/* The bytes that a load reads, fetched by the monitor itself: what the process says about them is
 * taken as a hint where to look, and every number of it is hostile. */
#ifndef MW_TOOLS_STREAM_H
#define MW_TOOLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "../core/wire.h"

#define MW_STREAM_MAX (64u << 20)
#define MW_STREAM_FIRST                                                                            \
	(256u << 10) /* enough for most; whoever needs more takes 8 times as much                  \
	              */

struct mw_stream {
	const uint8_t
	        *bytes; /* from the stream's first byte on; there may be more behind its end */
	size_t len;     /* of bytes, at most MW_STREAM_MAX */
	bool cut;       /* there was more than the limit */
	size_t room;    /* what mw_stream_free() gives back */
};

/* Fetches at most `limit` (and MW_STREAM_MAX) bytes of the stream of `load` from process `pid`:
 * from its memory when the load names a place there, else from the file behind its descriptor or
 * path, which must be a regular one; there, what is compressed is unpacked, and of an archive it is
 * data.pkl. Returns 0; free with mw_stream_free(). -ENODATA when the load names no place, -EINVAL
 * when what it names is no regular file, -ENOENT or -EBADMSG when the archive is none that has such
 * a pickle, or another negative errno. */
int mw_stream_read(pid_t pid, const struct mw_record_load *load, size_t limit,
                   struct mw_stream *ret);

void mw_stream_free(struct mw_stream *stream);

/* Opens the regular file that `load` reads in process `pid`, for reading: by descriptor, else by
 * path as the process sees it. Returns a descriptor that the caller closes, with the file's status
 * in `ret`; -ENODATA when the load names no file; -EINVAL when it is no regular one; or another
 * negative errno. */
int mw_stream_open(pid_t pid, const struct mw_record_load *load, struct stat *ret);

#endif
