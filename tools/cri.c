#include "cri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"
#include "cri_message.h"
#include "grpc.h"

#define READ_BYTES 16384

struct mw_cri {
	json_t *sockets;
	mw_cri_told *told;
	void *context;
	struct mw_cri_counts counts;

	char waiting[MW_CRI_WAITING][MW_CGROUP_ID]; /* a ring */
	size_t first, count;

	/* About the one that is being asked about, if `is_asking`. */
	bool is_asking, has_failed;
	struct mw_cri_names names;
	size_t socket;
	enum mw_cri_question question;
	struct mw_grpc *call;
	int64_t deadline;
	int epoll, fd; /* `fd` -1: no socket is open */
};

static json_t *usual(void)
{
	return json_pack("[s, s, s, s, s]", "/run/containerd/containerd.sock",
	                 "/run/crio/crio.sock", "/run/k3s/containerd/containerd.sock",
	                 "/run/k0s/containerd.sock", "/run/cri-dockerd.sock");
}

int mw_cri_new(const json_t *sockets, mw_cri_told *told, void *context, struct mw_cri **ret)
{
	struct mw_cri *cri = calloc(1, sizeof(*cri));
	int error;

	if (!cri)
		return -ENOMEM;
	cri->told = told;
	cri->context = context;
	cri->fd = -1;
	cri->sockets = sockets ? json_copy((json_t *)sockets) : usual();
	cri->epoll = epoll_create1(EPOLL_CLOEXEC);
	error = cri->epoll < 0 ? -errno : cri->sockets ? 0 : -ENOMEM;
	if (error) {
		mw_cri_free(cri);
		return error;
	}
	*ret = cri;
	return 0;
}

static void hang_up(struct mw_cri *cri)
{
	mw_grpc_free(cri->call);
	cri->call = NULL;
	if (cri->fd >= 0)
		close(cri->fd);
	cri->fd = -1;
}

void mw_cri_free(struct mw_cri *cri)
{
	if (!cri)
		return;
	hang_up(cri);
	if (cri->epoll >= 0)
		close(cri->epoll);
	json_decref(cri->sockets);
	free(cri);
}

int mw_cri_fd(const struct mw_cri *cri)
{
	return cri->epoll;
}

void mw_cri_counts(const struct mw_cri *cri, struct mw_cri_counts *ret)
{
	*ret = cri->counts;
}

bool mw_cri_ask(struct mw_cri *cri, const char *id)
{
	if (!json_array_size(cri->sockets) || cri->count == MW_CRI_WAITING ||
	    strlen(id) >= MW_CGROUP_ID)
		return false;
	strcpy(cri->waiting[(cri->first + cri->count++) % MW_CRI_WAITING], id);
	cri->counts.asked++;
	return true;
}

/* NULL behind the last. */
static const char *socket_at(const struct mw_cri *cri, size_t i)
{
	return json_string_value(json_array_get(cri->sockets, i));
}

/* Somebody else's socket may lie there, where the runtime is not installed. */
static bool is_trusted(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (!peer.uid || peer.uid == geteuid());
}

/* A socket of this kind connects at once or not at all: -EAGAIN when too many wait there. */
static int dial(struct mw_cri *cri, const char *path)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	cri->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (cri->fd < 0 || connect(cri->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (!is_trusted(cri->fd))
		return -EACCES;
	return epoll_ctl(cri->epoll, EPOLL_CTL_ADD, cri->fd, &event) < 0 ? -errno : 0;
}

/* Each question has a connection of its own: there are four of them in a container's life. */
static int put_question(struct mw_cri *cri)
{
	uint8_t message[MW_CRI_ASKED];
	size_t len = mw_cri_message(cri->question, &cri->names, message);
	int error;

	hang_up(cri);
	error = dial(cri, socket_at(cri, cri->socket));
	return error ? error : mw_grpc_new(mw_cri_path(cri->question), message, len, &cri->call);
}

/* What does not go into the socket at once is given up: it is less than any socket holds, unless
 * the other side makes us answer and does not listen. */
static int send_all(struct mw_cri *cri)
{
	const uint8_t *bytes;
	size_t len = 0;
	int error;

	do {
		error = mw_grpc_output(cri->call, &bytes, &len);
		if (!error && len && send(cri->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
			error = -EPIPE;
	} while (!error && len);
	return error;
}

static int receive(struct mw_cri *cri)
{
	uint8_t bytes[READ_BYTES];
	ssize_t n = recv(cri->fd, bytes, sizeof(bytes), 0);

	if (n > 0)
		return mw_grpc_input(cri->call, bytes, (size_t)n);
	if (!n)
		return -ECONNRESET;
	return errno == EAGAIN ? -EAGAIN : -errno;
}

/* Returns 0 when the question is answered, -EAGAIN when it is not yet. What is to be sent after
 * something has come goes out at once: the other side may wait for it. */
static int converse(struct mw_cri *cri)
{
	const uint8_t *bytes;
	size_t len;
	int error = cri->call ? receive(cri) : put_question(cri);

	if (!error)
		error = mw_grpc_answer(cri->call, &bytes, &len);
	if (!error)
		return mw_cri_take(cri->question, bytes, len, &cri->names);
	if (error == -EAGAIN && mw_clock_ms() > cri->deadline)
		return -ETIMEDOUT;
	if (error == -EAGAIN && cri->call)
		error = send_all(cri);
	return error ? error : -EAGAIN;
}

static void start_at(struct mw_cri *cri, size_t socket)
{
	char id[MW_CGROUP_ID];

	memcpy(id, cri->names.id, sizeof(id));
	cri->names = (struct mw_cri_names){0};
	memcpy(cri->names.id, id, sizeof(id));
	cri->socket = socket;
	cri->question = MW_CRI_CONTAINER;
	cri->deadline = mw_clock_ms() + MW_CRI_DEADLINE_MS;
}

static bool begin(struct mw_cri *cri)
{
	if (!cri->is_asking && !cri->count)
		return false;
	if (cri->is_asking)
		return true;
	memcpy(cri->names.id, cri->waiting[cri->first], sizeof(cri->names.id));
	cri->first = (cri->first + 1) % MW_CRI_WAITING;
	cri->count--;
	cri->is_asking = true;
	cri->has_failed = false;
	start_at(cri, 0);
	return true;
}

static void finish(struct mw_cri *cri, bool tells)
{
	cri->is_asking = false;
	cri->counts.failed += cri->has_failed;
	cri->told(cri->context, cri->names.id, tells ? &cri->names.state : NULL);
}

/* A runtime that is not there, or does not know the container, is none to complain of. */
static bool is_failure(int error)
{
	return error && error != -ENOENT && error != -ENOTDIR && error != -ENOSYS;
}

/* Whoever knows the container is the one to ask: what he does not say, nobody does. */
static void go_on(struct mw_cri *cri, int error)
{
	cri->has_failed |= is_failure(error);
	hang_up(cri);
	if (error && cri->question == MW_CRI_CONTAINER) {
		start_at(cri, cri->socket + 1);
		if (!socket_at(cri, cri->socket))
			finish(cri, false);
		return;
	}
	do
		cri->question++;
	while (!error && cri->question < MW_CRI_QUESTIONS &&
	       !mw_cri_needs(cri->question, &cri->names));
	if (error || cri->question == MW_CRI_QUESTIONS)
		finish(cri, true);
}

void mw_cri_poll(struct mw_cri *cri)
{
	int error;

	while (begin(cri)) {
		error = converse(cri);
		if (error == -EAGAIN)
			return;
		go_on(cri, error);
	}
}
