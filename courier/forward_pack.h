/* What a sink of Fluent's Forward protocol, version 1, sends. Pure. Each appends to `out`, which
 * the caller frees also after a failure, and returns 0 or -ENOMEM.
 *
 * https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1 */
#ifndef MW_COURIER_FORWARD_PACK_H
#define MW_COURIER_FORWARD_PACK_H

#include <jansson.h>

#include "../tools/buffer.h"
#include "forward_answer.h"

/* One entry: its time, ns since 1970, and a record. */
int mw_forward_entry(struct mw_buffer *out, int64_t time, const json_t *record);

/* `count` entries as one message. `chunk` asks for an acknowledgement, NULL: none. */
int mw_forward_message(struct mw_buffer *out, const char *tag, const struct mw_buffer *entries,
                       size_t count, bool is_gzip, const char *chunk);

/* Who we are, and what proves it. Texts are borrowed; NULL: none. */
struct mw_forward_self {
	const char *hostname, *key, *user, *password;
	const char *salt;
};

/* What a receiver with a shared key is told after its HELO, and whether its PONG proves that it has
 * the key, too. */
int mw_forward_ping(struct mw_buffer *out, const struct mw_forward_self *self,
                    const struct mw_forward_answer *helo);
bool mw_forward_proves(const struct mw_forward_self *self, const char *nonce, size_t nonce_len,
                       const struct mw_forward_answer *pong);

#endif
