/* The process that answers the floor's notifications when the monitor has died. */
#ifndef MW_TOOLS_FLOOR_KEEPER_H
#define MW_TOOLS_FLOOR_KEEPER_H

#include <linux/seccomp.h>

#define MW_KEEPER_SLOTS 256
#define MW_KEEPER_SLOT_SIZE 128

/* Where the monitor receives its notifications, shared with the keeper. One that was received and
 * not answered when the monitor died can be answered only by who knows its id, and a copy of the id
 * would always be made too late for somebody: so the kernel itself writes it here, as part of
 * SECCOMP_IOCTL_NOTIF_RECV. A slot whose id is 0 is free; it must be zero all through before the
 * kernel is given it, and be made so again once its notification has been answered. */
struct mw_keeper_page {
	union {
		struct seccomp_notif notif;
		char size[MW_KEEPER_SLOT_SIZE]; /* later kernels may write more */
	} slot[MW_KEEPER_SLOTS];
};

#endif
