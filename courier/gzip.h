/* gzip (RFC 1952) of what is sent. */
#ifndef MW_COURIER_GZIP_H
#define MW_COURIER_GZIP_H

#include "../tools/buffer.h"

/* Replaces what is in `buffer` by one gzip member of it. Returns 0 or -ENOMEM, which leaves it. */
int mw_gzip(struct mw_buffer *buffer);

#endif
