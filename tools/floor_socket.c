/* What a task in scope does with sockets. The socket itself is asked what it is: the kernel knows,
 * and no other thread can change it. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "floor_look.h"

static int option(int socket, int which)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(socket, SOL_SOCKET, which, &value, &len) < 0 ? -1 : value;
}

/* Where the call has its address, and how long that is; 0: nowhere. */
static int find_address(const struct mw_tracee *tracee, const struct seccomp_data *data,
                        uint64_t *ret_at, uint64_t *ret_len)
{
	struct {
		uint64_t name;
		uint32_t len, pad;
	} head;

	*ret_at = *ret_len = 0;
	switch (data->nr) {
	case SYS_connect:
	case SYS_bind:
		*ret_at = data->args[1];
		*ret_len = (uint32_t)data->args[2];
		break;
	case SYS_sendto:
		*ret_at = data->args[4];
		*ret_len = *ret_at ? (uint32_t)data->args[5] : 0;
		break;
	case SYS_sendmsg:
	case SYS_sendmmsg:
		if (mw_tracee_read(tracee, data->args[1], &head, sizeof(head)))
			return -EFAULT;
		*ret_at = head.name;
		*ret_len = head.name ? head.len : 0;
		break;
	default:
		break;
	}
	return 0;
}

static int read_address(const struct mw_tracee *tracee, const struct seccomp_data *data,
                        struct mw_floor_look *ret)
{
	uint64_t at, len;
	int error = find_address(tracee, data, &at, &len);

	ret->address_len = 0;
	if (error || !len)
		return error;
	if (len > sizeof(ret->address))
		return -EINVAL;
	memset(&ret->address, 0, sizeof(ret->address));
	if (mw_tracee_read(tracee, at, &ret->address, len))
		return -EFAULT;
	ret->address_len = (socklen_t)len;
	return 0;
}

/* To nobody in particular: to who the socket is connected to. */
static void take_peer(struct mw_floor_look *ret)
{
	ret->address_len = sizeof(ret->address);
	if (getpeername(ret->socket, (struct sockaddr *)&ret->address, &ret->address_len) < 0)
		ret->address_len = 0;
}

/* listen() on a socket that was never bound has the kernel choose a port; one that was bound was
 * looked at then. */
static int look_at_listen(struct mw_floor_look *ret)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&ret->address;

	ret->address_len = sizeof(ret->address);
	memset(&ret->address, 0, sizeof(ret->address));
	if (getsockname(ret->socket, (struct sockaddr *)&ret->address, &ret->address_len) < 0)
		return -ENOTSOCK;
	if ((in->sin_family != AF_INET && in->sin_family != AF_INET6) || in->sin_port)
		return MW_LOOK_HARMLESS;
	return 0;
}

/* Asking the kernel is no effect. */
static bool is_harmless(const struct mw_floor_look *look)
{
	return option(look->socket, SO_DOMAIN) == AF_NETLINK;
}

/* Connecting a datagram socket sends nothing, but whatever is written to it then goes there, and
 * write(2) is not looked at. Dissolving an association does neither. */
static bool dissolves(const struct mw_floor_look *look, const struct seccomp_data *data)
{
	return data->nr == SYS_connect && look->datagrams &&
	       look->address_len >= sizeof(sa_family_t) && look->address.ss_family == AF_UNSPEC;
}

/* The path of a unix socket has to mean the same here as it does there. */
static bool can_be_ours(const struct mw_floor_look *look, const struct seccomp_data *data)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&look->address;
	size_t head = offsetof(struct sockaddr_un, sun_path);

	if (data->nr != SYS_connect && data->nr != SYS_bind)
		return false;
	return un->sun_family != AF_UNIX || look->address_len <= head || !un->sun_path[0] ||
	       un->sun_path[0] == '/';
}

int mw_floor_look_socket(const struct mw_tracee *tracee, const struct seccomp_data *data,
                         struct mw_floor_look *ret)
{
	int error;

	ret->socket = mw_tracee_take_fd(tracee, (int)data->args[0]);
	if (ret->socket == -EBADF)
		return -EBADF;
	if (ret->socket < 0) {
		ret->way = MW_WAY_UNSAFE;
		return 0;
	}
	if (option(ret->socket, SO_TYPE) < 0)
		return -ENOTSOCK;
	if (is_harmless(ret))
		return MW_LOOK_HARMLESS;
	ret->datagrams = option(ret->socket, SO_TYPE) == SOCK_DGRAM;
	if (data->nr == SYS_listen)
		error = look_at_listen(ret);
	else
		error = read_address(tracee, data, ret);
	if (error)
		return error;
	if (data->nr == SYS_listen)
		ret->way = MW_WAY_ON;
	else if (ret->address_len)
		ret->way = can_be_ours(ret, data) ? MW_WAY_SOCKET : MW_WAY_UNSAFE;
	else
		take_peer(ret);
	if (ret->address_len >= sizeof(sa_family_t))
		ret->effect.facts = mw_sockname((const struct sockaddr *)&ret->address,
		                                ret->address_len, ret->target);
	else
		ret->target[0] = '\0';
	if (dissolves(ret, data))
		return MW_LOOK_AS_JUDGED;
	ret->effect.target = ret->target[0] ? ret->target : NULL;
	ret->effect.number = (int64_t)(int)data->args[0];
	return 0;
}

/* Connecting may take its time, so a thread of its own does it. */
struct connecting {
	struct mw_tracee tracee;
	int socket;
	struct sockaddr_storage address;
	socklen_t len;
};

static void *connect_it(void *argument)
{
	struct connecting *c = argument;

	if (connect(c->socket, (struct sockaddr *)&c->address, c->len) < 0)
		mw_tracee_fail(&c->tracee, errno);
	else
		mw_tracee_return(&c->tracee, 0);
	close(c->socket);
	free(c);
	return NULL;
}

static int start_connecting(const struct mw_tracee *tracee, struct mw_floor_look *look)
{
	struct connecting *c = malloc(sizeof(*c));
	pthread_attr_t detached;
	pthread_t thread;
	int error;

	if (!c)
		return -ENOMEM;
	*c = (struct connecting){*tracee, look->socket, look->address, look->address_len};
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&detached, 128 << 10);
	error = -pthread_create(&thread, &detached, connect_it, c);
	pthread_attr_destroy(&detached);
	if (error)
		free(c);
	else
		look->socket = -1;
	return error;
}

int mw_floor_socket_perform(const struct mw_tracee *tracee, const struct seccomp_data *data,
                            struct mw_floor_look *look)
{
	if (data->nr == SYS_connect)
		return start_connecting(tracee, look);
	if (bind(look->socket, (struct sockaddr *)&look->address, look->address_len) < 0)
		return mw_tracee_fail(tracee, errno);
	return mw_tracee_return(tracee, 0);
}
