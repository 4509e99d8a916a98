/* The options of `modelwatch daemon`. */
#ifndef MW_TOOLS_DAEMON_OPTIONS_H
#define MW_TOOLS_DAEMON_OPTIONS_H

#include <stdbool.h>

#include "options.h"

struct mw_daemon_options {
	const char *config, *policy, *alerts; /* NULL: none is named */
	int mode; /* enum mw_verdict, or 0: what the configuration says */
	bool foreground, validate, quiet;
};

extern const struct mw_option mw_daemon_options_table[];
extern const char *const mw_daemon_modes[]; /* ends with NULL */

/* Takes one option into a struct mw_daemon_options, for mw_options(). Returns 0, or the exit status
 * of a mistake, which has been said. */
int mw_daemon_take(void *options, int id, const char *value);

#endif
