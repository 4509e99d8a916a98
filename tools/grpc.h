/* One call by gRPC (HTTP/2, one message each way), apart from the socket: bytes go in and come out.
 * Who answers may be hostile: bytes are bounded here, time is the caller's. */
#ifndef MW_TOOLS_GRPC_H
#define MW_TOOLS_GRPC_H

#include <stddef.h>
#include <stdint.h>

#define MW_GRPC_ASKED 512           /* bytes of the message that is sent, at most */
#define MW_GRPC_ANSWER (256u << 10) /* of the one that comes back */
#define MW_GRPC_HEARD (1u << 20)    /* of all that comes back */

struct mw_grpc;

/* Starts a call of `path` ("/package.Service/Method") with a message, both copied. Returns 0,
 * -E2BIG or -ENOMEM. Free with mw_grpc_free(); NULL is allowed. */
int mw_grpc_new(const char *path, const void *message, size_t len, struct mw_grpc **ret);
void mw_grpc_free(struct mw_grpc *call);

/* The next bytes to send, all of which count as sent with the next call; they stay the call's,
 * until then. Returns 0 when there are none now, or -EPROTO. */
int mw_grpc_output(struct mw_grpc *call, const uint8_t **ret, size_t *ret_len);

/* Takes bytes that have come. Returns 0; -EPROTO when they are no answer, -EFBIG when they are too
 * many, -ENOMEM. */
int mw_grpc_input(struct mw_grpc *call, const uint8_t *bytes, size_t len);

/* Returns 0 and the message, which stays the call's, when the answer is there; -EAGAIN while it is
 * not; -ENOENT when there is no such thing, -ENOSYS when nobody there answers such calls, -EIO when
 * it failed otherwise, -EPROTO when it was none. */
int mw_grpc_answer(const struct mw_grpc *call, const uint8_t **ret, size_t *ret_len);

#endif
