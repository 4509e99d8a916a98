#include "floor_gate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

struct mw_gate {
	int listener, stop; /* an eventfd */
	struct mw_keeper_page *page;
	pthread_t thread;
};

static void answer(struct mw_gate *gate)
{
	struct seccomp_notif *notif = &gate->page->slot[0].notif;
	struct seccomp_notif_resp reply = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	if (ioctl(gate->listener, SECCOMP_IOCTL_NOTIF_RECV, notif) < 0)
		return;
	reply.id = notif->id;
	ioctl(gate->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	memset(&gate->page->slot[0], 0, sizeof(gate->page->slot[0]));
}

static void *run(void *context)
{
	struct mw_gate *gate = context;
	struct pollfd events[] = {
	        {.fd = gate->listener, .events = POLLIN},
	        {.fd = gate->stop, .events = POLLIN},
	};

	pthread_setname_np(pthread_self(), "modelwatch-gate");
	while (!events[1].revents) {
		if (poll(events, 2, -1) > 0 && events[0].revents & POLLIN)
			answer(gate);
		else if (events[0].revents & POLLHUP)
			events[0].fd = -1; /* no task is left behind the filter */
	}
	return NULL;
}

int mw_gate_start(int listener, struct mw_keeper_page *page, struct mw_gate **ret)
{
	struct mw_gate *gate = calloc(1, sizeof(*gate));
	int error = 0;

	if (!gate)
		return -ENOMEM;
	*gate = (struct mw_gate){.listener = listener, .page = page};
	/* Each call of the job is one hand-over to us and one back: on one CPU, where there is. */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	gate->stop = eventfd(0, EFD_CLOEXEC);
	if (gate->stop < 0)
		error = -errno;
	if (!error)
		error = -pthread_create(&gate->thread, NULL, run, gate);
	if (error) {
		if (gate->stop >= 0)
			close(gate->stop);
		free(gate);
		return error;
	}
	*ret = gate;
	return 0;
}

void mw_gate_stop(struct mw_gate *gate)
{
	const uint64_t one = 1;

	if (!gate)
		return;
	while (write(gate->stop, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
	pthread_join(gate->thread, NULL);
	close(gate->stop);
	close(gate->listener);
	free(gate);
}
