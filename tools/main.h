/* The subcommands of modelwatch: one file each, one line each in the table of main.c.
 *
 * Their exit status is MW_EXIT_OWN when modelwatch itself failed or was called wrongly, having said
 * why on stderr. */
#ifndef MW_TOOLS_MAIN_H
#define MW_TOOLS_MAIN_H

#include "options.h"

/* The whole program, as a command. */
extern const struct mw_command mw_root;

extern const struct mw_command mw_cmd_run, mw_cmd_daemon, mw_cmd_daemon_mode, mw_cmd_daemon_release,
        mw_cmd_status, mw_cmd_policy, mw_cmd_doctor, mw_cmd_report, mw_cmd_why, mw_cmd_sink,
        mw_cmd_sink_list, mw_cmd_sink_test, mw_cmd_alerts, mw_cmd_alerts_show, mw_cmd_alerts_replay,
        mw_cmd_alerts_dead, mw_cmd_selftest, mw_cmd_completion;

#endif
