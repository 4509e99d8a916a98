/* Memory that the daemon and the process that keeps its inventory share. */
#ifndef MW_TOOLS_DAEMON_INVENTORY_PAGE_H
#define MW_TOOLS_DAEMON_INVENTORY_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

/* How the program is called to be this process. */
#define MW_INVENTORY_NAME "modelwatch-inventory"
#define MW_INVENTORY_PAGE_FD 3
#define MW_INVENTORY_RING_FD 4
#define MW_INVENTORY_STUCK_MS 10000 /* for a look at one process and one file */
#define MW_INVENTORY_AVOIDED 16

/* What it may hang at. */
enum mw_inventory_at {
	MW_AT_NOTHING,
	MW_AT_PROCESS, /* which of its files it is, and who it is */
	MW_AT_FILE,
};

/* What is not to be looked at: it has hung. Zeroes: none. */
struct mw_inventory_avoided {
	_Atomic uint32_t dev; /* the kernel's own encoding */
	_Atomic int32_t pid;
};

struct mw_inventory_page {
	/* Written by the process: */
	_Atomic uint64_t loads;   /* taken from the ring */
	_Atomic uint64_t skipped; /* of them, those of no file */
	_Atomic uint64_t lost;    /* and those that there was no room for */
	_Atomic int64_t since;    /* ms of the monotonic clock: it has been at this so long */
	_Atomic uint32_t at;      /* enum mw_inventory_at */
	_Atomic uint32_t dev;     /* 0: not known */
	_Atomic int32_t pid;
	_Atomic uint32_t hangs; /* a device that gives nothing of a file which is hashed; 0: none */
	/* By the daemon: */
	struct mw_inventory_avoided avoided[MW_INVENTORY_AVOIDED];
};

#endif
