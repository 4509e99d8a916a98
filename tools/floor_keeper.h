/* The process that answers the floor's notifications when the monitor has died.
 *
 * With nobody left to answer, every system call that the floor is told of fails with ENOSYS, in all
 * of the job: no file, no program, no thread. So a second process holds the listener too. It sleeps
 * until the monitor has ended without a farewell, then lets the job go on, or, where the policy
 * fails closed, refuses with EPERM what the floor guards; and ends with the last task behind the
 * filter. It is a child of the monitor, in a process group of its own: what stops or kills the
 * monitor's group does not reach it. */
#ifndef MW_TOOLS_FLOOR_KEEPER_H
#define MW_TOOLS_FLOOR_KEEPER_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/types.h>

#define MW_KEEPER_SLOTS 256
#define MW_KEEPER_SLOT_SIZE 128

/* Where the monitor receives its notifications, shared with the keeper. One that was received and
 * not answered when the monitor died can be answered only by who knows its id, and the monitor
 * could die before it has copied the id anywhere: so the kernel itself writes it here, as part of
 * SECCOMP_IOCTL_NOTIF_RECV. A slot whose id is 0 is free; it must be zero all through before the
 * kernel is given it, and be made so again once its notification has been answered. */
union mw_keeper_slot {
	struct seccomp_notif notif;
	char size[MW_KEEPER_SLOT_SIZE]; /* later kernels may write more than we know */
};

struct mw_keeper_page {
	union mw_keeper_slot slot[MW_KEEPER_SLOTS];
};

struct mw_keeper {
	pid_t pid;  /* 0: there is none */
	int socket; /* to it */
};

/* Starts one, for a monitor that receives into `page`, which is mapped shared. `closed`: refuse
 * when the monitor has died. Call it while the process has one thread. Returns 0 or a negative
 * errno. Whoever waits for children gets the keeper's end as well. */
int mw_keeper_start(struct mw_keeper_page *page, bool closed, struct mw_keeper *ret);

/* Gives it the listener too. Returns 0 or a negative errno. */
int mw_keeper_give(const struct mw_keeper *keeper, int listener);

/* Says farewell: the keeper ends, at once unless tasks are left behind the filter, which it lets
 * go on without a word. Does not wait for it. */
void mw_keeper_dismiss(struct mw_keeper *keeper);

#endif
