/* modelwatch daemon release: takes away what daemons have left in the kernel. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon_config.h"
#include "daemon_pins.h"
#include "daemon_place.h"
#include "main.h"

static int take(void *context, int id, const char *value)
{
	(void)context;
	(void)id;
	(void)value;
	return 0;
}

/* No daemon starts meanwhile: it would have to take the lock. */
static int release(void)
{
	struct mw_pins left;
	pid_t other;
	int lock = mw_daemon_lock(&other);

	if (lock == -EBUSY)
		return mw_say("the daemon is running: end it (process %d), or have it refuse "
		              "nothing with "
		              "`modelwatch daemon mode observe`",
		              (int)other);
	if (lock < 0)
		return mw_say(MW_DAEMON_RUN ": %s", strerror(-lock));
	mw_pins_clear(NULL);
	close(lock);
	if (mw_pins_list(&left, 1))
		return mw_say(MW_PINS ": it cannot be removed");
	return mw_put("nothing is refused: no daemon is running, and none has left anything\n");
}

static int run(int argc, char **argv)
{
	char **operands;
	int status = mw_options(&mw_cmd_daemon_release, argc, argv, take, NULL, &operands);

	if (status != MW_GO_ON)
		return status;
	if (*operands)
		return mw_say("unexpected argument %s; see modelwatch daemon release --help",
		              *operands);
	if (geteuid() != 0)
		return mw_say("only root may take away what a daemon has left in the kernel");
	return release();
}

static const struct mw_option options[] = {{0}};

const struct mw_command mw_cmd_daemon_release = {
        .name = "modelwatch daemon release",
        .help = "refuse nothing any more, when the daemon has gone",
        .synopsis = "",
        .about =
                "Takes away, as root, what refuses in the kernel and was left by a daemon that was "
                "killed, or told to leave it.",
        .options = options,
        .after = "Exit status: 0 when nothing is left; 125 otherwise, also when a daemon is "
                 "running.",
        .run = run,
};
