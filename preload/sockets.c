/* Effects on the network. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../core/sockname.h"
#include "shim.h"

bool mw_refuse_address(enum mw_class class, const char *op, int fd, const struct sockaddr *address,
                       size_t len, const void *caller)
{
	char target[MW_SOCKNAME] = "";
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
		effect.facts = mw_sockname(address, len, target);
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
