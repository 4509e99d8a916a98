/* Network addresses as the sensors write them: "host:port", "[v6]:port", or a name alone. */
#ifndef MW_CORE_ADDRESS_H
#define MW_CORE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define MW_ADDRESS_TEXT 256
#define MW_ADDRESS_DIGITS 40

struct mw_address {
	char host[MW_ADDRESS_TEXT]; /* cut to fit; empty when there is none */
	int port;                   /* -1: none */
};

void mw_address_split(const char *text, struct mw_address *ret);

/* The bits of a numeric address as hexadecimal digits behind "=4:" or "=6:" (a mapped IPv4 address
 * counts as IPv4), so that a prefix of the network is a prefix of the text. False when `host` is a
 * name. */
bool mw_address_digits(const char *host, char out[static MW_ADDRESS_DIGITS]);

#endif
