/* The bodies that receivers of HTTP take. Pure. */
#ifndef MW_COURIER_HTTP_BODY_H
#define MW_COURIER_HTTP_BODY_H

#include "../tools/buffer.h"
#include "sink.h"

/* Writes `count` > 0 items as one body of the kind that `config` names into `ret`, which is empty
 * before; a webhook takes one. The caller frees it, also after a failure. Returns 0 or -ENOMEM. */
int mw_http_body(const struct mw_sink_config *config, const char *host,
                 const struct mw_sink_item *items, size_t count, struct mw_buffer *ret);

#endif
