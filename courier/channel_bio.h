/* Where a TLS session reads and writes: a socket, as OpenSSL's own BIO has it, but without the
 * signal that a write to a closed one raises. */
#ifndef MW_COURIER_CHANNEL_BIO_H
#define MW_COURIER_CHANNEL_BIO_H

#include <openssl/bio.h>

/* For `fd`, which stays the caller's and must not block. NULL: no memory. */
BIO *mw_bio_new(int fd);

#endif
