/* What keeps the daemon from refusing anything, whatever mode is asked for. */
#ifndef MW_TOOLS_DAEMON_SWITCH_H
#define MW_TOOLS_DAEMON_SWITCH_H

#include <stdbool.h>

#include "../core/words.h"

/* While this file is there nothing is refused; it is looked for twice a second. */
#define MW_DAEMON_SWITCH MW_SYSCONFDIR "/modelwatch/observe-only"

/* The highest mode that there may be: MW_OBSERVE while the file is there; MW_ALERT after a storm.
 */
enum mw_verdict mw_daemon_ceiling(bool stormed);

/* Whether the machine was booted with modelwatch=off. */
bool mw_daemon_is_off(void);

#endif
