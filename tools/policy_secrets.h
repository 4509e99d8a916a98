/* The `secrets:` of policy texts: the files whose opening for reading is an effect. The lists of
 * several texts add up. */
#ifndef MW_TOOLS_POLICY_SECRETS_H
#define MW_TOOLS_POLICY_SECRETS_H

#include "policy_yaml.h"

/* Takes the value in the current event, a pattern or a list of them. Returns 0 or a negative errno,
 * said. */
int mw_policy_secrets(struct mw_source *s);

/* After the last text: makes the one list of all patterns, each also in the home directory of
 * the password file when $HOME is another, and with links in it replaced by where they lead: as
 * far as reading 100,000 entries of directories goes.
 * Returns 0 or a negative errno. */
int mw_policy_secrets_end(struct mw_policy_build *build);

#endif
