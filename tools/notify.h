/* What a service tells the manager that started it (sd_notify(3)), without its library. */
#ifndef MW_TOOLS_NOTIFY_H
#define MW_TOOLS_NOTIFY_H

#include <stdbool.h>

/* Whether there is a manager that listens. */
bool mw_notify_is_heard(void);

/* Tells it lines like "READY=1". What nobody hears is no error. */
void mw_notify(const char *state);

/* How many milliseconds it waits for a sign of life; 0: it does not. */
int mw_notify_watchdog(void);

#endif
