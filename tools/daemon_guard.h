/* What of the daemon's own no load may touch. */
#ifndef MW_TOOLS_DAEMON_GUARD_H
#define MW_TOOLS_DAEMON_GUARD_H

#include "daemon_engine.h"
#include "daemon_options.h"
#include "daemon_setup.h"

/* In a mode that refuses, has the kernel guard the programs, the configuration, the files that are
 * written, the control socket, the pins and the control group, as they are now. `here` is what the
 * command line's paths start from. */
void mw_daemon_guard(struct mw_engine *engine, const struct mw_daemon_options *options,
                     const struct mw_daemon_setup *setup, const char *here);

#endif
