/* The process that keeps the inventory of a daemon: it takes what the kernel tells of loads, looks
 * at who loads and at which file, and hands over records. Files and processes that others have made
 * may hang it or take it over: it has no other task, no privilege but to read, and can be killed.
 */
#ifndef MW_TOOLS_DAEMON_INVENTORY_WORKER_H
#define MW_TOOLS_DAEMON_INVENTORY_WORKER_H

/* Does so until the daemon closes the socket that is its standard input (daemon_inventory_page.h
 * has the other descriptors). Returns the exit status. */
int mw_inventory_work(void);

#endif
