/* modelwatch status: asks the daemon how it is. */
#include "status.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "control.h"
#include "main.h"

#define MEASURED_S 2

enum { JSON, OVERHEAD, SOCKET };

struct asked {
	bool json, overhead;
	const char *socket;
};

static int show(const json_t *status, json_t *overhead, bool json)
{
	char *text;
	int result;

	if (!json) {
		if (overhead)
			mw_status_overhead_text(stdout, overhead, MEASURED_S);
		else
			mw_status_text(stdout, status);
		return mw_put("");
	}
	text = json_dumps(overhead ? overhead : status, JSON_INDENT(2));
	result = text ? mw_put(text) : mw_say("out of memory");
	free(text);
	return result ? result : mw_put("\n");
}

/* The kernel keeps the time of programs only while somebody asks it to. */
static int measure(const struct asked *asked)
{
	const struct timespec wait = {.tv_sec = MEASURED_S};
	json_t *before = NULL, *after = NULL, *overhead = NULL;
	int status = MW_EXIT_OWN, stats = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (stats < 0)
		return mw_say("the kernel does not measure programs for us: %s", strerror(errno));
	before = mw_control_ask(asked->socket, "status\n", &status);
	if (before) {
		nanosleep(&wait, NULL);
		after = mw_control_ask(asked->socket, "status\n", &status);
	}
	close(stats);
	if (after) {
		overhead = mw_status_overhead(before, after, MEASURED_S);
		status = overhead ? show(after, overhead, asked->json) : mw_say("out of memory");
	}
	json_decref(before);
	json_decref(after);
	json_decref(overhead);
	return status;
}

static int look(const struct asked *asked)
{
	int result = MW_EXIT_OWN;
	json_t *status = mw_control_ask(asked->socket, "status\n", &result);

	if (!status)
		return result;
	result = show(status, NULL, asked->json);
	json_decref(status);
	return result;
}

static int take(void *context, int id, const char *value)
{
	struct asked *asked = context;

	if (id == JSON)
		asked->json = true;
	else if (id == OVERHEAD)
		asked->overhead = true;
	else
		asked->socket = value;
	return 0;
}

static int run(int argc, char **argv)
{
	struct asked asked = {.socket = MW_CONTROL_SOCKET};
	char **operands;
	int status = mw_options(&mw_cmd_status, argc, argv, take, &asked, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch status --help", *operands);
	return asked.overhead ? measure(&asked) : look(&asked);
}

static const struct mw_option options[] = {
        {.name = "json", .id = JSON, .help = "the answer as JSON"},
        {.name = "overhead",
         .id = OVERHEAD,
         .help = "what each program in the kernel costs, measured for two seconds"},
        MW_CONTROL_OPTION(SOCKET),
        {0},
};

const struct mw_command mw_cmd_status = {
        .name = "modelwatch status",
        .help = "say how the daemon is: what it sees, what it lost, what it costs",
        .synopsis = "",
        .about = "Asks the running daemon, as root, how it is.",
        .options = options,
        .after = "Exit status: 0 when the daemon has answered, 1 when none is running, 125 "
                 "otherwise.",
        .run = run,
};
