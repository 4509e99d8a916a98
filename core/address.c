#include "address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int port_of(const char *text)
{
	char *end;
	long port = *text ? strtol(text, &end, 10) : -1;

	return port >= 0 && port <= 65535 && !*end && *text >= '0' && *text <= '9' ? (int)port : -1;
}

static void set_host(struct mw_address *out, const char *from, size_t len)
{
	if (len >= sizeof(out->host))
		len = sizeof(out->host) - 1;
	memcpy(out->host, from, len);
	out->host[len] = '\0';
}

void mw_address_split(const char *text, struct mw_address *ret)
{
	const char *colon = strrchr(text, ':');
	size_t len = strlen(text);

	ret->port = -1;
	if (colon && (*text == '[' ? colon > text && colon[-1] == ']' : strchr(text, ':') == colon))
		ret->port = port_of(colon + 1);
	if (ret->port >= 0)
		len = (size_t)(colon - text);
	if (len > 1 && *text == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	set_host(ret, text, len);
}

static void put_digits(char *out, char version, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '=';
	*out++ = version;
	*out++ = ':';
	for (size_t i = 0; i < count; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

bool mw_address_digits(const char *host, char out[static MW_ADDRESS_DIGITS])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t bytes[16];

	if (inet_pton(AF_INET, host, bytes) == 1) {
		put_digits(out, '4', bytes, 4);
		return true;
	}
	if (inet_pton(AF_INET6, host, bytes) != 1)
		return false;
	if (!memcmp(bytes, mapped, sizeof(mapped))) {
		put_digits(out, '4', bytes + 12, 4);
		return true;
	}
	put_digits(out, '6', bytes, 16);
	return true;
}
