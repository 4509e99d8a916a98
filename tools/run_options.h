/* The options of `modelwatch run`. */
#ifndef MW_TOOLS_RUN_OPTIONS_H
#define MW_TOOLS_RUN_OPTIONS_H

#include <stdbool.h>

#include <jansson.h>

#include "alert.h"
#include "options.h"

enum mw_floor_wish { MW_FLOOR_AUTO, MW_FLOOR_OFF, MW_FLOOR_REQUIRE };

struct mw_run_options {
	int mode; /* enum mw_verdict, or 0: what the policy says */
	const char *policy, *alerts, *learn;
	json_t *labels; /* an object of strings, owned; or NULL */
	enum mw_alert_format format;
	enum mw_floor_wish floor;
	bool quiet;
	char **command;
};

extern const struct mw_option mw_run_options_table[];

/* Takes one option into a struct mw_run_options, for mw_options(). Returns 0, or the exit status of
 * a mistake, which has been said. */
int mw_run_take(void *options, int id, const char *value);

/* What does not go together, and what follows from it. Returns MW_GO_ON or the exit status. */
int mw_run_check(struct mw_run_options *options);

#endif
