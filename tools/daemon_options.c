#include "daemon_options.h"

#include <string.h>

#include "../core/words.h"
#include "main.h"

enum { CONFIG, MODE, POLICY, ALERTS, FOREGROUND, VALIDATE, QUIET };

const char *const mw_daemon_modes[] = {"observe", "alert", "deny", "kill", NULL};

const struct mw_option mw_daemon_options_table[] = {
        {.name = "config",
         .argument = "FILE",
         .id = CONFIG,
         .values = MW_FILES,
         .help = "the configuration, in place of " MW_SYSCONFDIR "/modelwatch/modelwatch.yaml"},
        {.name = "mode",
         .argument = "MODE",
         .id = MODE,
         .values = MW_WORDS,
         .words = mw_daemon_modes,
         .help = "observe (the default), alert, deny or kill"},
        {.name = "policy",
         .argument = "FILE",
         .id = POLICY,
         .values = MW_FILES,
         .help = "rules that come before all others"},
        {.name = "alerts",
         .argument = "FILE",
         .id = ALERTS,
         .values = MW_FILES,
         .help = "append alerts to FILE as JSON Lines; %h host, %p process, %q{VAR} environment "
                 "variable"},
        {.name = "foreground",
         .id = FOREGROUND,
         .help = "stay in the foreground, and show alerts on stderr"},
        {.name = "validate",
         .id = VALIDATE,
         .help = "say what is wrong with the configuration and the policy, and end"},
        {.name = "quiet", .id = QUIET, .help = "no alerts on stderr"},
        {0},
};

int mw_daemon_take(void *context, int id, const char *value)
{
	struct mw_daemon_options *options = context;
	int mode;

	switch (id) {
	case CONFIG:
		options->config = value;
		return 0;
	case MODE:
		mode = mw_verdict_parse(value);
		if (mode < MW_OBSERVE)
			return mw_say("--mode=%s: it is observe, alert, deny or kill", value);
		options->mode = mode;
		return 0;
	case POLICY:
		options->policy = value;
		return 0;
	case ALERTS:
		options->alerts = value;
		return 0;
	case FOREGROUND:
		options->foreground = true;
		return 0;
	case VALIDATE:
		options->validate = true;
		return 0;
	case QUIET:
		options->quiet = true;
		return 0;
	}
	return 0;
}
