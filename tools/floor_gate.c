#include "floor_gate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../core/floor.h"
#include "tasks.h"

#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

/* linux/seccomp.h of 6.6. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#define PASSES 4096
#define QUEUE MW_KEEPER_SLOTS

struct mw_gate {
	int listener, event;
	struct mw_keeper_page *page;
	pthread_t thread;
	atomic_bool stops, any, landlock;
	_Atomic uint32_t era;          /* passes of an earlier one are void */
	_Atomic uint64_t pass[PASSES]; /* era and task */
	_Atomic uint64_t since; /* when the first scope began, as struct mw_task counts; 0: all
	                           have to be asked about */
	_Atomic uint32_t looked_at[PASSES]; /* how many tasks of that number are */
	atomic_bool taken[MW_KEEPER_SLOTS];
	_Atomic uint32_t head, tail; /* of the queue: written by the gate, by the main loop */
	uint16_t queue[QUEUE];       /* slots */
};

static _Atomic uint64_t *pass_of(struct mw_gate *gate, pid_t tid)
{
	return &gate->pass[(uint32_t)tid % PASSES];
}

static uint64_t pass(uint32_t era, pid_t tid)
{
	return (uint64_t)era << 32 | (uint32_t)tid;
}

static bool calls_us(const struct seccomp_notif *n)
{
	return (uint32_t)n->data.args[0] == MW_FLOOR_CALL;
}

/* No task can come to be in a scope that began after it: but for those that are looked at. */
static bool was_there_before(struct mw_gate *gate, pid_t tid)
{
	uint64_t since = atomic_load(&gate->since);
	struct mw_task task;

	if (!since || atomic_load(&gate->looked_at[(uint32_t)tid % PASSES]) ||
	    mw_task_read(tid, &task) < 0 || task.start >= since)
		return false;
	mw_gate_pass(gate, tid);
	return true;
}

/* Who says something is always heard. */
static bool goes_on(struct mw_gate *gate, const struct seccomp_notif *n)
{
	pid_t tid = (pid_t)n->pid;

	if (n->data.nr == SYS_landlock_restrict_self)
		atomic_store(&gate->landlock, true);
	if (calls_us(n))
		return false;
	if (!atomic_load(&gate->any)) {
		mw_gate_pass(gate, tid); /* good beyond the beginning of a scope */
		return true;
	}
	return atomic_load(pass_of(gate, tid)) == pass(atomic_load(&gate->era), tid) ||
	       was_there_before(gate, tid);
}

static void let_on(const struct mw_gate *gate, uint64_t id)
{
	struct seccomp_notif_resp answer = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	ioctl(gate->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/* Never full: there are no more slots than it has places. */
static void enqueue(struct mw_gate *gate, int slot)
{
	uint32_t head = atomic_load(&gate->head);
	const uint64_t one = 1;

	atomic_store(&gate->taken[slot], true);
	gate->queue[head % QUEUE] = (uint16_t)slot;
	atomic_store(&gate->head, head + 1);
	while (write(gate->event, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

/* With all slots taken everybody waits until the main loop has caught up. */
static int free_slot(struct mw_gate *gate, int from)
{
	const struct timespec pause = {.tv_nsec = 100000};

	for (int i = 0; !atomic_load(&gate->stops); i++) {
		int slot = (from + i) % MW_KEEPER_SLOTS;

		if (!atomic_load(&gate->taken[slot]))
			return slot;
		if (i && i % MW_KEEPER_SLOTS == 0)
			nanosleep(&pause, NULL);
	}
	return from;
}

static void clear(struct mw_gate *gate, int slot)
{
	memset(&gate->page->slot[slot], 0, sizeof(gate->page->slot[slot]));
}

static bool has_tasks(const struct mw_gate *gate)
{
	struct pollfd listener = {.fd = gate->listener, .events = POLLIN};

	return poll(&listener, 1, 0) < 0 || !(listener.revents & POLLHUP);
}

static void *guard(void *argument)
{
	struct mw_gate *gate = argument;
	int slot = 0;

	pthread_setname_np(pthread_self(), "modelwatch-gate");
	while (!atomic_load(&gate->stops)) {
		struct seccomp_notif *n = &gate->page->slot[slot].notif;

		if (ioctl(gate->listener, SECCOMP_IOCTL_NOTIF_RECV, n) < 0) {
			if (errno == EINTR || (errno == ENOENT && has_tasks(gate)))
				continue; /* the task died first */
			break;
		}
		if (goes_on(gate, n)) {
			let_on(gate, n->id);
			clear(gate, slot);
		} else {
			enqueue(gate, slot);
			slot = free_slot(gate, slot + 1);
		}
	}
	return NULL;
}

static void wake(int number)
{
	(void)number;
}

/* A signal that nobody sends otherwise gets the thread out of its wait. */
static int start_thread(struct mw_gate *gate)
{
	const struct sigaction action = {.sa_handler = wake};
	sigset_t one, old;
	int error;

	if (sigaction(SIGRTMAX, &action, NULL) < 0)
		return -errno;
	sigemptyset(&one);
	sigaddset(&one, SIGRTMAX);
	pthread_sigmask(SIG_UNBLOCK, &one, &old);
	error = -pthread_create(&gate->thread, NULL, guard, gate);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

int mw_gate_start(int listener, struct mw_keeper_page *page, struct mw_gate **ret)
{
	struct mw_gate *gate = calloc(1, sizeof(*gate));
	int error = -ENOMEM;

	if (!gate)
		return error;
	gate->listener = listener;
	gate->page = page;
	atomic_init(&gate->era, 1);
	gate->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Hands the processor over to who waits for the answer, where the kernel can. */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	error = gate->event < 0 ? -errno : start_thread(gate);
	if (!error) {
		*ret = gate;
		return 0;
	}
	if (gate->event >= 0)
		close(gate->event);
	free(gate);
	return error;
}

void mw_gate_stop(struct mw_gate *gate)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	if (!gate)
		return;
	atomic_store(&gate->stops, true);
	/* It may be about to wait: until it has ended it is woken again. */
	while (pthread_tryjoin_np(gate->thread, NULL) == EBUSY) {
		pthread_kill(gate->thread, SIGRTMAX);
		nanosleep(&pause, NULL);
	}
	close(gate->event);
	free(gate);
}

int mw_gate_fd(const struct mw_gate *gate)
{
	return gate->event;
}

int mw_gate_take(struct mw_gate *gate, struct seccomp_notif *ret)
{
	uint32_t tail = atomic_load(&gate->tail);
	uint64_t count;
	int slot;

	if (tail == atomic_load(&gate->head) &&
	    (read(gate->event, &count, sizeof(count)) < 0 || tail == atomic_load(&gate->head)))
		return -1;
	slot = gate->queue[tail % QUEUE];
	*ret = gate->page->slot[slot].notif;
	atomic_store(&gate->tail, tail + 1);
	return slot;
}

void mw_gate_done(struct mw_gate *gate, int slot)
{
	clear(gate, slot);
	atomic_store(&gate->taken[slot], false);
}

bool mw_gate_saw_landlock(const struct mw_gate *gate)
{
	return atomic_load(&gate->landlock);
}

void mw_gate_watch(struct mw_gate *gate, bool any)
{
	if (any && !atomic_load(&gate->any))
		atomic_store(&gate->since, mw_task_now());
	atomic_store(&gate->any, any);
}

void mw_gate_trust_none(struct mw_gate *gate)
{
	atomic_store(&gate->since, 0);
	mw_gate_doubt(gate, 0);
}

void mw_gate_look_at(struct mw_gate *gate, pid_t tid, bool at)
{
	atomic_fetch_add(&gate->looked_at[(uint32_t)tid % PASSES], at ? 1 : -1);
	mw_gate_doubt(gate, tid);
}

void mw_gate_pass(struct mw_gate *gate, pid_t tid)
{
	atomic_store(pass_of(gate, tid), pass(atomic_load(&gate->era), tid));
}

void mw_gate_doubt(struct mw_gate *gate, pid_t tid)
{
	if (tid)
		atomic_store(pass_of(gate, tid), 0);
	else
		atomic_fetch_add(&gate->era, 1);
}
