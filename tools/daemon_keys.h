/* The keys of the daemon's configuration. */
#ifndef MW_TOOLS_DAEMON_KEYS_H
#define MW_TOOLS_DAEMON_KEYS_H

#include "daemon_config.h"
#include "policy_yaml.h"

/* Takes the mapping that begins with the current event into `config`. Ends on its last event.
 * Returns 0, or a negative errno after saying what is wrong and where. */
int mw_daemon_keys(struct mw_source *s, struct mw_daemon_config *config);

#endif
