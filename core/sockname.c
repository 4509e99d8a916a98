#include "sockname.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "effect.h"

static uint32_t render_inet(const struct sockaddr_in *in, char *out)
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	snprintf(out, MW_SOCKNAME, "%s:%u", host, ntohs(in->sin_port));
	return (ntohl(in->sin_addr.s_addr) >> 24 == 127 ? MW_FACT_LOOPBACK : 0) |
	       (in->sin_port ? 0 : MW_FACT_EPHEMERAL);
}

static uint32_t render_inet6(const struct sockaddr_in6 *in6, char *out)
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	snprintf(out, MW_SOCKNAME, "[%s]:%u", host, ntohs(in6->sin6_port));
	return (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ? MW_FACT_LOOPBACK : 0) |
	       (in6->sin6_port ? 0 : MW_FACT_EPHEMERAL);
}

/* An abstract name is shown with a leading '@'. */
static uint32_t render_unix(const struct sockaddr_un *un, size_t len, char *out)
{
	size_t path = len - offsetof(struct sockaddr_un, sun_path);

	if (path > sizeof(un->sun_path))
		path = sizeof(un->sun_path);
	snprintf(out, MW_SOCKNAME, "%.*s", (int)path, un->sun_path);
	if (path && !un->sun_path[0])
		snprintf(out, MW_SOCKNAME, "@%.*s", (int)path - 1, un->sun_path + 1);
	return MW_FACT_UNIX;
}

uint32_t mw_sockname(const struct sockaddr *address, size_t len, char out[static MW_SOCKNAME])
{
	out[0] = '\0';
	if (len >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET)
		return render_inet((const struct sockaddr_in *)address, out);
	if (len >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6)
		return render_inet6((const struct sockaddr_in6 *)address, out);
	if (len >= offsetof(struct sockaddr_un, sun_path) && address->sa_family == AF_UNIX)
		return render_unix((const struct sockaddr_un *)address, len, out);
	snprintf(out, MW_SOCKNAME, "family %u", address->sa_family);
	return 0;
}
