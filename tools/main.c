/* modelwatch: one table of subcommands and the dispatch. */
#include "main.h"

#include <string.h>

#include "daemon_inventory_page.h"
#include "daemon_inventory_worker.h"

static const struct mw_command *const commands[] = {
        &mw_cmd_run,    &mw_cmd_daemon,   &mw_cmd_status,     &mw_cmd_policy,
        &mw_cmd_doctor, &mw_cmd_report,   &mw_cmd_why,        &mw_cmd_alerts,
        &mw_cmd_sink,   &mw_cmd_selftest, &mw_cmd_completion, NULL,
};

static const struct mw_option options[] = {
        {.name = "version", .help = "the version of modelwatch"},
        {0},
};

const struct mw_command mw_root = {
        .name = "modelwatch",
        .help = "stop what model files do when they are loaded",
        .about = "Stops what model files do when they are loaded.",
        .commands = commands,
        .options = options,
        .after = "`modelwatch COMMAND --help` says more about each.",
};

int main(int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], MW_INVENTORY_NAME))
		return mw_inventory_work();
	if (argc > 1 && !strcmp(argv[1], "--version"))
		return mw_put("modelwatch " MW_VERSION "\n");
	return mw_dispatch(&mw_root, argc, argv);
}
