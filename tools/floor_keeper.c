#include "floor_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/floor.h"

/* Messages to the keeper, one byte each. */
#define GIVE 'g' /* with the listener */
#define FAREWELL 'f'

struct keep {
	struct mw_keeper_page *page;
	bool closed;
	int monitor; /* pidfd: readable once it has ended */
	int socket;
	int listener; /* or -1 */
	bool farewell;
};

static void answer(const struct keep *keep, const struct seccomp_notif *notif)
{
	struct seccomp_notif_resp reply = {.id = notif->id};

	/* A number of this machine's own programs: no other has the shim, which makes this call. */
	if (notif->data.nr == SYS_prctl && (uint32_t)notif->data.args[0] == MW_FLOOR_CALL)
		reply.error = -ESRCH;
	else if (keep->closed)
		reply.error = -EPERM;
	else
		reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	ioctl(keep->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

/* What the monitor had received, and no one else can receive again. */
static void answer_in_hand(const struct keep *keep)
{
	for (size_t i = 0; i < MW_KEEPER_SLOTS; i++)
		if (keep->page->slot[i].notif.id)
			answer(keep, &keep->page->slot[i].notif);
}

static void answer_next(const struct keep *keep)
{
	union mw_keeper_slot slot = {.size = {0}};

	if (!ioctl(keep->listener, SECCOMP_IOCTL_NOTIF_RECV, &slot))
		answer(keep, &slot.notif);
}

/* A reader that does not read must not hold up the job. */
static void say(const struct keep *keep)
{
	static const char open[] = "modelwatch: the monitor has died; the job goes on without it, "
	                           "unwatched\n",
	                  closed[] = "modelwatch: the monitor has died; what the floor guards is "
	                             "refused\n";
	struct pollfd terminal = {.fd = STDERR_FILENO, .events = POLLOUT};
	const char *text = keep->closed ? closed : open;

	if (poll(&terminal, 1, 0) == 1 && terminal.revents & POLLOUT &&
	    write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

/* Until the last task behind the filter has ended, which the listener tells as POLLHUP. */
static void answer_all(const struct keep *keep)
{
	struct pollfd listener = {.fd = keep->listener, .events = POLLIN};

	answer_in_hand(keep);
	if (!keep->farewell)
		say(keep);
	while (poll(&listener, 1, -1) < 0 || listener.revents & POLLIN)
		answer_next(keep);
}

static void keep_descriptor(const struct cmsghdr *header, struct keep *keep)
{
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&keep->listener, CMSG_DATA(header), sizeof(int));
}

/* Returns whether there was a message. */
static bool hear(struct keep *keep)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char what = 0;
	struct iovec data = {&what, 1};
	struct msghdr message = {.msg_iov = &data,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof(control)};

	if (recvmsg(keep->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0)
		return false;
	if (what == GIVE)
		keep_descriptor(CMSG_FIRSTHDR(&message), keep);
	keep->farewell = what == FAREWELL;
	return true;
}

/* The socket alone would not do: a child of the monitor that has not come to its exec holds a copy
 * of the other end, and may be waiting for our answer. */
static void wait_for_end(struct keep *keep)
{
	struct pollfd events[] = {
	        {.fd = keep->monitor, .events = POLLIN},
	        {.fd = keep->socket, .events = POLLIN},
	};

	do {
		poll(events, 2, -1);
		while (!keep->farewell && hear(keep))
			continue;
	} while (!keep->farewell && !events[0].revents && !(events[1].revents & POLLHUP));
}

/* Everything but stderr and the two that it needs: who reads from the job waits for the end of the
 * job, not for ours. */
static void let_go(const struct keep *keep)
{
	unsigned int low = (unsigned int)keep->monitor, high = (unsigned int)keep->socket;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < STDERR_FILENO; fd++)
		dup2(null, fd);
	if (low > high) {
		low = (unsigned int)keep->socket;
		high = (unsigned int)keep->monitor;
	}
	close_range(STDERR_FILENO + 1, low - 1, 0);
	close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

static _Noreturn void stay(struct keep *keep)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setpgid(0, 0);
	prctl(PR_SET_NAME, "modelwatch-keep", 0, 0, 0);
	let_go(keep);
	wait_for_end(keep);
	if (keep->listener >= 0)
		answer_all(keep);
	_exit(0);
}

int mw_keeper_start(struct mw_keeper_page *page, bool closed, struct mw_keeper *ret)
{
	struct keep keep = {.page = page, .closed = closed, .listener = -1};
	int ends[2], error = 0;
	pid_t pid;

	keep.monitor = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (keep.monitor < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		error = -errno;
		close(keep.monitor);
		return error;
	}
	keep.socket = ends[1];
	pid = fork();
	if (!pid)
		stay(&keep);
	if (pid < 0)
		error = -errno;
	else
		setpgid(pid, pid); /* who counts our group next must not find it there */
	close(ends[1]);
	close(keep.monitor);
	if (error)
		close(ends[0]);
	else
		*ret = (struct mw_keeper){.pid = pid, .socket = ends[0]};
	return error;
}

int mw_keeper_give(const struct mw_keeper *keeper, int listener)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	char what = GIVE;
	struct iovec data = {&what, 1};
	const struct msghdr message = {.msg_iov = &data,
	                               .msg_iovlen = 1,
	                               .msg_control = &control,
	                               .msg_controllen = sizeof(control)};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &listener, sizeof(int));
	return sendmsg(keeper->socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void mw_keeper_dismiss(struct mw_keeper *keeper)
{
	const char what = FAREWELL;

	if (!keeper->pid)
		return;
	send(keeper->socket, &what, 1, MSG_NOSIGNAL);
	close(keeper->socket);
	*keeper = (struct mw_keeper){0};
}
