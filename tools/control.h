/* Asks the daemon on its control socket. */
#ifndef MW_TOOLS_CONTROL_H
#define MW_TOOLS_CONTROL_H

#include <jansson.h>

#include "daemon_config.h"

#define MW_CONTROL_SOCKET MW_DAEMON_RUN "/control.sock"
#define MW_CONTROL_NOT_RUNNING 1 /* an exit status */

/* --socket=PATH, in a table of struct mw_option, by the number ID. */
#define MW_CONTROL_OPTION(ID)                                                                      \
	{                                                                                          \
		.name = "socket", .argument = "PATH", .id = (ID), .values = MW_FILES,              \
		.help = "the daemon's control socket, when it is not " MW_CONTROL_SOCKET           \
	}

/* The daemon's answer to `question`, which ends in a newline: a new reference. NULL with the exit
 * status in `*ret_status` after saying what is wrong. */
json_t *mw_control_ask(const char *path, const char *question, int *ret_status);

#endif
