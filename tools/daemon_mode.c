/* modelwatch daemon mode: has the running daemon go over to another mode. */
#include <stdio.h>
#include <string.h>

#include "control.h"
#include "daemon_options.h"
#include "main.h"

enum { SOCKET };

static int take(void *context, int id, const char *value)
{
	const char **socket = context;

	(void)id;
	*socket = value;
	return 0;
}

static int ask(const char *socket, const char *mode)
{
	char question[64];
	int status = MW_EXIT_OWN;
	const char *is, *error;
	json_t *answer;

	snprintf(question, sizeof(question), "mode %s\n", mode);
	answer = mw_control_ask(socket, question, &status);
	if (!answer)
		return status;
	is = json_string_value(json_object_get(answer, "mode"));
	error = json_string_value(json_object_get(answer, "error"));
	if (!is)
		status = mw_say("the daemon does not know how to");
	else if (error)
		status = mw_say("the mode is %s: %s", is, error);
	else
		status = printf("the mode is %s\n", is) < 0 ? MW_EXIT_OWN : mw_put("");
	json_decref(answer);
	return status;
}

static int run(int argc, char **argv)
{
	const char *socket = MW_CONTROL_SOCKET;
	char **operands;
	int status = mw_options(&mw_cmd_daemon_mode, argc, argv, take, &socket, &operands);

	if (status != MW_GO_ON)
		return status;
	if (!operands[0] || operands[1])
		return mw_say("one MODE; see modelwatch daemon mode --help");
	for (size_t i = 0; mw_daemon_modes[i]; i++)
		if (!strcmp(operands[0], mw_daemon_modes[i]))
			return ask(socket, operands[0]);
	return mw_say("%s: it is observe, alert, deny or kill", operands[0]);
}

static const struct mw_option options[] = {
        MW_CONTROL_OPTION(SOCKET),
        {0},
};

const struct mw_command mw_cmd_daemon_mode = {
        .name = "modelwatch daemon mode",
        .help = "have the running daemon go over to another mode, at once",
        .synopsis = "MODE",
        .operands = MW_WORDS,
        .words = mw_daemon_modes,
        .about = "Tells the running daemon, as root, to observe, alert, deny or kill from now on, "
                 "whatever its configuration says, until it is started anew or told again.",
        .options = options,
        .after = "Exit status: 0 when it is so; 1 when no daemon is running; 125 otherwise, also "
                 "when something else keeps the daemon from that mode.",
        .run = run,
};
