/* Effects on the network. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shim.h"

#define ADDRESS_TEXT 160

static uint32_t render_inet(const struct sockaddr_in *in, char *out)
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(in->sin_port));
	return (ntohl(in->sin_addr.s_addr) >> 24 == 127 ? MW_FACT_LOOPBACK : 0) |
	       (in->sin_port ? 0 : MW_FACT_EPHEMERAL);
}

static uint32_t render_inet6(const struct sockaddr_in6 *in6, char *out)
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	snprintf(out, ADDRESS_TEXT, "[%s]:%u", host, ntohs(in6->sin6_port));
	return (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ? MW_FACT_LOOPBACK : 0) |
	       (in6->sin6_port ? 0 : MW_FACT_EPHEMERAL);
}

/* An abstract name is shown with a leading '@'. */
static uint32_t render_unix(const struct sockaddr_un *un, size_t len, char *out)
{
	size_t path = len - offsetof(struct sockaddr_un, sun_path);

	if (path > sizeof(un->sun_path))
		path = sizeof(un->sun_path);
	snprintf(out, ADDRESS_TEXT, "%.*s", (int)path, un->sun_path);
	if (path && !un->sun_path[0])
		snprintf(out, ADDRESS_TEXT, "@%.*s", (int)path - 1, un->sun_path + 1);
	return MW_FACT_UNIX;
}

/* The facts of an address, and its text in `out`; 0 and an empty text for AF_UNSPEC. */
static uint32_t render(const struct sockaddr *address, size_t len, char out[static ADDRESS_TEXT])
{
	out[0] = '\0';
	if (len >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET)
		return render_inet((const struct sockaddr_in *)address, out);
	if (len >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6)
		return render_inet6((const struct sockaddr_in6 *)address, out);
	if (len >= offsetof(struct sockaddr_un, sun_path) && address->sa_family == AF_UNIX)
		return render_unix((const struct sockaddr_un *)address, len, out);
	snprintf(out, ADDRESS_TEXT, "family %u", address->sa_family);
	return 0;
}

bool mw_refuse_address(enum mw_class class, const char *op, int fd, const struct sockaddr *address,
                       size_t len, const void *caller)
{
	char target[ADDRESS_TEXT] = "";
	struct mw_effect effect = {.class = class, .op = op, .number = fd};
	struct sockaddr_storage peer = {0};
	socklen_t peer_len = sizeof(peer);

	if (mw_thread.busy)
		return false;
	if ((!address || !len) && !getpeername(fd, (struct sockaddr *)&peer, &peer_len)) {
		address = (const struct sockaddr *)&peer;
		len = peer_len;
	}
	if (address && len >= sizeof(address->sa_family)) {
		if (address->sa_family == AF_UNSPEC || address->sa_family == AF_NETLINK)
			return false; /* dissolves an association; asks the kernel */
		effect.facts = render(address, len, target);
	}
	effect.target = target[0] ? target : NULL;
	if (mw_announced(class, effect.target))
		return false;
	return mw_refused(&effect, true, caller);
}

bool mw_refuse_listen(int fd, const void *caller)
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof(own);
	const struct sockaddr_in *in = (const struct sockaddr_in *)&own;

	/* Port and family stand in the same place for both families. */
	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0 ||
	    (own.ss_family != AF_INET && own.ss_family != AF_INET6) || in->sin_port)
		return false;
	return mw_refuse_address(MW_LISTEN, "listen", fd, (struct sockaddr *)&own, len, caller);
}

/* Looking a name up sends it to a name server. A numeric address, or no name, sends nothing. */
bool mw_refuse_name(const char *op, const char *name, const void *caller)
{
	struct mw_effect effect = {.class = MW_SEND, .op = op, .target = name};
	struct in6_addr ignored;

	if (!name || inet_pton(AF_INET, name, &ignored) == 1 ||
	    inet_pton(AF_INET6, name, &ignored) == 1)
		return false;
	if (mw_announced(MW_SEND, name))
		return false;
	return mw_refused(&effect, true, caller);
}
