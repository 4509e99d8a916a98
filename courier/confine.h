/* What the courier gives up before it talks to anybody. */
#ifndef MW_COURIER_CONFINE_H
#define MW_COURIER_CONFINE_H

/* No capability, no new privilege, no priority, no descriptor but the first three, no end of the
 * session or the monitor's terminal: it goes when the monitor's socket is closed, and not before.
 * Returns 0 or a negative errno. */
int mw_confine(void);

#endif
