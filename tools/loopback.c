#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static int parse_port(const char *text, in_port_t *ret)
{
	unsigned long port = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9' && port <= 65535; c++)
		port = port * 10 + (unsigned long)(*c - '0');
	if (*c || c == text || !port || port > 65535)
		return -EINVAL;
	*ret = htons((in_port_t)port);
	return 0;
}

static int parse6(const char *host, in_port_t port, struct sockaddr_storage *ret, socklen_t *len)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = port};

	if (inet_pton(AF_INET6, host, &address.sin6_addr) != 1)
		return -EINVAL;
	if (!IN6_IS_ADDR_LOOPBACK(&address.sin6_addr))
		return -EACCES;
	memcpy(ret, &address, sizeof(address));
	*len = sizeof(address);
	return 0;
}

static int parse4(const char *host, in_port_t port, struct sockaddr_storage *ret, socklen_t *len)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		return -EINVAL;
	if (ntohl(address.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return -EACCES;
	memcpy(ret, &address, sizeof(address));
	*len = sizeof(address);
	return 0;
}

int mw_loopback_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	char host[INET6_ADDRSTRLEN + 2];
	in_port_t port;

	if (!len || len >= sizeof(host) || parse_port(colon + 1, &port))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	memset(ret, 0, sizeof(*ret));
	if (host[0] != '[')
		return parse4(host, port, ret, ret_len);
	if (host[len - 1] != ']')
		return -EINVAL;
	host[len - 1] = '\0';
	return parse6(host + 1, port, ret, ret_len);
}
