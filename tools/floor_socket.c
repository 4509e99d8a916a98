/* What a task in scope does with sockets. The socket itself is asked what it is: the kernel knows,
 * and no other thread can change it. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "floor_look.h"

#define MESSAGES_MAX 1024 /* more than that sendmmsg(2) leaves out */

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

/* Whether a message behind the first one goes to another address than that. */
static bool goes_elsewhere(const struct mw_tracee *tracee, const struct seccomp_data *data)
{
	uint64_t count = (uint32_t)data->args[2];
	struct mmsghdr first, next;

	if (data->nr != SYS_sendmmsg || count < 2)
		return false;
	if (mw_tracee_read(tracee, data->args[1], &first, sizeof(first)))
		return true;
	for (uint64_t i = 1; i < count && i < MESSAGES_MAX; i++)
		if (mw_tracee_read(tracee, data->args[1] + i * sizeof(next), &next, sizeof(next)) ||
		    next.msg_hdr.msg_name != first.msg_hdr.msg_name ||
		    next.msg_hdr.msg_namelen != first.msg_hdr.msg_namelen)
			return true;
	return false;
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
	if (option(ret->socket, SO_DOMAIN) == AF_NETLINK)
		return MW_LOOK_HARMLESS; /* asks the kernel */
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
	if (data->nr == SYS_connect && ret->address.ss_family == AF_UNSPEC)
		return MW_LOOK_AS_JUDGED; /* dissolves an association */
	/* What is sent over it need not be asked about: by write(2), say. */
	ret->datagrams = data->nr == SYS_connect && option(ret->socket, SO_TYPE) == SOCK_DGRAM &&
	                 option(ret->socket, SO_DOMAIN) != AF_UNIX;
	if (goes_elsewhere(tracee, data))
		ret->address_len = 0; /* no permit or rule for the first one is one for all */
	if (ret->address_len >= sizeof(sa_family_t))
		ret->effect.facts = mw_sockname((const struct sockaddr *)&ret->address,
		                                ret->address_len, ret->target);
	else
		ret->target[0] = '\0';
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

/* How many there are: a job that has more under way is told to try again. */
#define CONNECTING_MAX 64
static _Atomic unsigned int connecting;

static void *connect_it(void *argument)
{
	struct connecting *c = argument;

	if (connect(c->socket, (struct sockaddr *)&c->address, c->len) < 0)
		mw_tracee_fail(&c->tracee, errno);
	else
		mw_tracee_return(&c->tracee, 0);
	close(c->socket);
	close(c->tracee.listener);
	free(c);
	atomic_fetch_sub(&connecting, 1);
	return NULL;
}

static int start_connecting(const struct mw_tracee *tracee, struct mw_floor_look *look)
{
	struct connecting *c = malloc(sizeof(*c));
	pthread_attr_t detached;
	pthread_t thread;
	int error = -EAGAIN;

	if (!c)
		return -ENOMEM;
	if (atomic_fetch_add(&connecting, 1) >= CONNECTING_MAX)
		goto fail;
	*c = (struct connecting){*tracee, look->socket, look->address, look->address_len};
	/* It may outlive the run's own. */
	c->tracee.listener = fcntl(tracee->listener, F_DUPFD_CLOEXEC, 0);
	error = c->tracee.listener < 0 ? -errno : 0;
	if (error)
		goto fail;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&detached, 128 << 10);
	error = -pthread_create(&thread, &detached, connect_it, c);
	pthread_attr_destroy(&detached);
	if (!error) {
		look->socket = -1;
		return 0;
	}
	close(c->tracee.listener);
fail:
	atomic_fetch_sub(&connecting, 1);
	free(c);
	return error;
}

/* Whether we see the files that it sees. */
static bool has_our_root(const struct mw_tracee *tracee)
{
	struct stat theirs, ours;
	int fd = mw_tracee_open(tracee, "root", O_PATH);
	bool same = fd >= 0 && !fstat(fd, &theirs) && !stat("/", &ours) &&
	            theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;

	if (fd >= 0)
		close(fd);
	return same;
}

int mw_floor_socket_perform(const struct mw_tracee *tracee, const struct seccomp_data *data,
                            struct mw_floor_look *look)
{
	struct mw_tracee_facts facts;
	mode_t own;
	int error;

	/* What it may not do is not done for it, nor to a file of the same name. */
	if (mw_tracee_facts(tracee, &facts) < 0 || !facts.alike || facts.elsewhere ||
	    !has_our_root(tracee))
		return MW_FLOOR_CANNOT;
	if (data->nr == SYS_connect) {
		error = start_connecting(tracee, look);
		return error ? mw_tracee_fail(tracee, -error) : 0;
	}
	own = umask(facts.umask);
	error = bind(look->socket, (struct sockaddr *)&look->address, look->address_len) ? errno
	                                                                                 : 0;
	umask(own);
	return error ? mw_tracee_fail(tracee, error) : mw_tracee_return(tracee, 0);
}
