/* What the parts of a channel share. */
#ifndef MW_COURIER_CHANNEL_PARTS_H
#define MW_COURIER_CHANNEL_PARTS_H

#include <limits.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <openssl/ssl.h>

#include "sink_config.h"

/* Until when to wait, by the monotonic clock, and what ends it before. */
struct mw_wait {
	int stop;         /* a descriptor, or -1 */
	int64_t deadline; /* ms */
};

struct mw_wait mw_wait_for(int timeout_ms, int stop);

/* How many ms are left, at least 0. */
int mw_wait_left(const struct mw_wait *wait);

/* Waits for `events` of `fd` (-1: for nothing but the end of the wait). Returns 0, -ETIMEDOUT,
 * -ECANCELED, or a negative errno of poll(). */
int mw_wait_on(const struct mw_wait *wait, int fd, short events);

/* Waits `ms`, for what nothing tells of. Returns 0, -ETIMEDOUT when the time of `wait` is over, or
 * -ECANCELED. */
int mw_wait_pause(const struct mw_wait *wait, int ms);

/* An address in its parts. */
struct mw_address {
	int family;     /* AF_UNIX, or AF_UNSPEC for TCP */
	bool is_stream; /* else datagrams */
	char path[PATH_MAX];
	char host[NI_MAXHOST], port[NI_MAXSERV];
};

/* Returns 0 or -EINVAL. */
int mw_address_parse(const char *text, struct mw_address *ret);

/* The addresses of a host, not waiting longer than `wait` for who knows them. Free with
 * freeaddrinfo(). Returns 0 or a negative errno: -EHOSTUNREACH when there is none, with the
 * resolver's words in `*why`. */
int mw_resolve(const struct mw_address *address, const struct mw_wait *wait, struct addrinfo **ret,
               const char **why);

/* A socket that does not block, connected. Returns it or a negative errno, with a word for people
 * in `*why`, or NULL where the errno says it all. */
int mw_connect(const struct mw_address *address, const struct mw_wait *wait, const char **why);

/* A session over `fd`, as client, shaken hands. `name` is what the certificate has to name. Returns
 * 0 or a negative errno with a line in `why`. */
int mw_tls_start(int fd, const char *name, const struct mw_sink_tls *tls,
                 const struct mw_wait *wait, SSL **ret, char *why, size_t why_size);

/* What to do after a call of the session returned `n` <= 0: the events to wait for, 0 at the end of
 * what the receiver says, or a negative errno. */
int mw_tls_wants(SSL *ssl, int n);

/* Says goodbye unless `is_broken`, and frees it. */
void mw_tls_end(SSL *ssl, bool is_broken);

/* `error` of a socket as channels have it: -EPIPE where the receiver is gone. */
int mw_socket_error(int error);

#endif
