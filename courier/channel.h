/* A connection over TCP or a UNIX socket, with TLS or without, whose calls wait no longer than they
 * are told. For sinks that speak a protocol of their own. */
#ifndef MW_COURIER_CHANNEL_H
#define MW_COURIER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sink_config.h"

struct mw_channel;

/* Connects to `address`: "host:port", "[v6]:port" or "unix:/path" (stream; "unix-dgram:/path" a
 * datagram socket). With `tls` it verifies the receiver's certificate and name (TLS 1.2 or newer).
 * `stop` is a descriptor that ends every wait when it is readable, or -1; borrowed. Returns 0, or
 * a negative errno, with a line in `why`: -ECANCELED stopped, -ETIMEDOUT, -EPROTO of TLS,
 * -EACCES when the certificate is not accepted. */
int mw_channel_open(const char *address, const struct mw_sink_tls *tls, int timeout_ms, int stop,
                    struct mw_channel **ret, char *why, size_t why_size);

/* Writes all of it; the same errors. -EPIPE: the receiver has closed. No signal is raised. */
int mw_channel_write(struct mw_channel *channel, const void *data, size_t len, int timeout_ms);

/* Reads at least one byte. Returns how many, 0 at the end, or a negative errno. */
ssize_t mw_channel_read(struct mw_channel *channel, void *data, size_t size, int timeout_ms);

/* Whether the receiver has closed or said something, without waiting: 0 nothing, 1 there is
 * something to read, -EPIPE closed. */
int mw_channel_poll(struct mw_channel *channel);

/* Waits until what was written is acknowledged: over TCP by the receiver's machine, over a UNIX
 * socket by the receiver, who has read it. Returns 0, or the same errors, also when the receiver
 * closes meanwhile. A program that dies with unread input has not read all that its machine
 * acknowledged. */
int mw_channel_settle(struct mw_channel *channel, int timeout_ms);

/* Tells the receiver that nothing more comes, and waits until it closes as well; `stop` does not
 * end that. What the receiver says meanwhile is read away: a connection that is closed while there
 * is something to read, or more comes (TLS 1.3 has tickets after the handshake), is reset, and the
 * receiver, or what is between, may lose what it has not read yet. Only closing comes after this.
 */
void mw_channel_finish(struct mw_channel *channel, int timeout_ms);

/* Says goodbye (close_notify) where there is TLS, and waits for nothing. NULL is allowed. */
void mw_channel_close(struct mw_channel *channel);

#endif
