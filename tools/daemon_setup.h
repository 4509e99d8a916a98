/* What a daemon works by: its configuration, and the policy made of it. */
#ifndef MW_TOOLS_DAEMON_SETUP_H
#define MW_TOOLS_DAEMON_SETUP_H

#include <limits.h>

#include "../core/policy.h"
#include "daemon_config.h"
#include "daemon_options.h"

struct mw_daemon_setup {
	struct mw_daemon_config config;
	struct mw_policy *policy; /* owned */
	size_t policy_size;
	char digest[65];       /* of the policy, in hex */
	int mode;              /* what is possible of config.mode */
	char alerts[PATH_MAX]; /* the file, "": none */
};

/* Reads what the configuration and the command line say, which has the last word. Files that the
 * command line names are looked for from the folder `here` (an absolute path). Returns 0, or a
 * negative errno with a line in `why` that says what is wrong and where. Free in either case. */
int mw_daemon_setup_read(struct mw_daemon_setup *setup, const struct mw_daemon_options *options,
                         const char *here, char *why, size_t why_size);
void mw_daemon_setup_free(struct mw_daemon_setup *setup);

/* Takes from `fresh` what can change while the daemon runs, and leaves it what was there. Returns
 * the name of a key that was changed and cannot, or NULL. */
const char *mw_daemon_setup_change(struct mw_daemon_setup *setup, struct mw_daemon_setup *fresh);

#endif
