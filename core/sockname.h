/* A socket address as effects name it. */
#ifndef MW_CORE_SOCKNAME_H
#define MW_CORE_SOCKNAME_H

#include <stddef.h>
#include <stdint.h>

#define MW_SOCKNAME 160

struct sockaddr;

/* Writes the address of `len` bytes to `out`: "1.2.3.4:80", "[::1]:80", the path of a unix socket,
 * "@name" for an abstract one, "family N" for another family. Returns the facts about it (enum
 * mw_fact). Takes any bytes. */
uint32_t mw_sockname(const struct sockaddr *address, size_t len, char out[static MW_SOCKNAME]);

#endif
