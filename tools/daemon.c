/* modelwatch daemon: watches every process of the host. */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../courier/confine.h"
#include "../courier/sink_config.h"
#include "alert.h"
#include "courier.h"
#include "daemon_engine.h"
#include "daemon_guard.h"
#include "daemon_inventory.h"
#include "daemon_losses.h"
#include "daemon_options.h"
#include "daemon_pins.h"
#include "daemon_place.h"
#include "daemon_serve.h"
#include "daemon_setup.h"
#include "daemon_switch.h"
#include "daemon_uprobes.h"
#include "descriptors.h"
#include "main.h"
#include "notify.h"
#include "when.h"

#define TICK_MS 500
#define DRAIN_MS 2000
#define NICE (-20)
#define DESCRIPTORS 65536

struct daemon {
	struct mw_daemon_options options;
	struct mw_daemon_setup setup;
	char here[PATH_MAX];        /* the working folder that the command line is about */
	struct mw_courier *courier; /* NULL: no sink is configured */
	struct mw_courier *retired; /* those that have nothing more to do */
	struct mw_alerts *alerts;
	struct mw_engine *engine;
	struct mw_daemon_inventory *inventory;
	struct mw_daemon_serve *serve;
	struct mw_daemon_losses losses;
	int lock, waiting, signals; /* descriptors, or -1; `waiting` is whom we were started by */
	int tick;                   /* ms between looks at what nothing wakes us for */
	int64_t started, reloaded;
	int64_t next_beat; /* ms by mw_clock_ms() */
	bool stormed;
	bool ends;
	bool leaves; /* what refuses stays */
};

static struct mw_alert_options alert_options(struct daemon *d)
{
	return (struct mw_alert_options){
	        .alerts_path = d->setup.alerts[0] ? d->setup.alerts : NULL,
	        .quiet = d->options.quiet,
	        .mode = (enum mw_verdict)d->setup.mode,
	        .policy_digest = d->setup.digest,
	        .labels = d->setup.config.labels,
	        .courier = d->courier,
	};
}

/* The engine has no part in it, and goes on whatever becomes of it. */
static void open_courier(struct daemon *d)
{
	int error;

	if (!mw_sinks_any(d->setup.config.sinks))
		return;
	error = mw_courier_open(d->setup.config.sinks, true, &d->courier);
	if (error)
		mw_say("no alert reaches a sink: the courier cannot be started: %s",
		       strerror(-error));
}

/* Sinks may have come, changed or gone. Returns a courier that has nothing to do any more, which
 * retires once nobody uses it. */
static struct mw_courier *reload_courier(struct daemon *d)
{
	struct mw_courier *idle = NULL;

	if (!d->courier) {
		open_courier(d);
	} else if (mw_sinks_any(d->setup.config.sinks)) {
		mw_courier_reload(d->courier, d->setup.config.sinks);
	} else {
		idle = d->courier;
		d->courier = NULL;
	}
	return idle;
}

static void view(struct daemon *d, struct mw_engine_view *ret)
{
	mw_engine_view(d->engine, ret);
	mw_daemon_inventory_view(d->inventory, ret);
}

static void tell_losses(struct daemon *d, bool last)
{
	struct mw_engine_view seen = {.hooks = 0};

	view(d, &seen);
	mw_daemon_losses_tell(&d->losses, &seen, d->alerts, mw_when_now(), last);
	mw_engine_told(d->engine, d->losses.kind[MW_LOST_RING_FULL].all +
	                                  d->losses.kind[MW_LOST_NO_SCRATCH].all);
}

static void tell_unattended(struct daemon *d)
{
	const struct mw_loss loss = {
	        .kind = "unattended",
	        .reason = "while there was no daemon more was seen, and refused, than there is "
	                  "room for or this version can read",
	        .count = mw_engine_unattended(d->engine),
	        .is_effect = true,
	};

	if (loss.count)
		mw_alerts_loss(d->alerts, &loss);
}

static void write_inventory(void *context, const char *line, size_t len)
{
	struct daemon *d = context;

	if (d->courier)
		mw_courier_send(d->courier, line, len);
}

/* As the sinks want it, by the policy that there is. */
static void turn_inventory(struct daemon *d)
{
	mw_daemon_inventory_policy(d->inventory, d->setup.digest, d->setup.config.labels);
	mw_daemon_inventory_turn(d->inventory,
	                         d->courier && mw_sinks_inventory(d->setup.config.sinks));
}

static void ask(void *context, struct mw_daemon_facts *ret)
{
	struct daemon *d = context;

	*ret = (struct mw_daemon_facts){
	        .started = d->started,
	        .reloaded = d->reloaded,
	        .asked = d->setup.config.mode,
	        .mode = d->setup.mode,
	        .policy_digest = d->setup.digest,
	        .alerts_path = d->setup.alerts[0] ? d->setup.alerts : NULL,
	        .tally = mw_alerts_tally(d->alerts),
	        .courier = d->courier ? mw_courier_view(d->courier) : NULL,
	};
	view(d, &ret->view);
}

/* Why the mode is none that is asked for, or NULL. */
static const char *lower(const struct daemon *d)
{
	enum mw_verdict most = mw_daemon_ceiling(d->stormed);

	if (d->setup.config.mode <= d->setup.mode)
		return NULL;
	if (most == MW_OBSERVE)
		return MW_DAEMON_SWITCH " is there";
	if (most == MW_ALERT)
		return "so many loads were refused something that refusing was ended";
	return "the kernel refuses, and kills nobody";
}

static void warn_of_mode(const struct daemon *d)
{
	if (lower(d))
		mw_say("%s is asked for, the mode is %s: %s",
		       mw_verdict_name((enum mw_verdict)d->setup.config.mode),
		       mw_verdict_name((enum mw_verdict)d->setup.mode), lower(d));
}

/* What is asked for may be more than this kernel can do. */
static void warn_of_rung(const struct daemon *d)
{
	const char *why = mw_engine_unasked(d->engine);
	int unpinned = mw_engine_unpinned(d->engine);

	if (unpinned)
		mw_say("what is refused ends with the daemon, also when it is killed: %s",
		       unpinned == -ENODEV ? "there is no bpffs at " MW_PINS_ROOT
		                           : strerror(-unpinned));
	if (d->setup.mode == MW_DENY && why)
		mw_say("deny: what goes over IP is refused, and nothing else: %s", why);
}

/* What is possible of the mode that is asked for. */
static void bound(const struct daemon *d, struct mw_daemon_setup *setup)
{
	enum mw_verdict most = mw_daemon_ceiling(d->stormed);

	setup->mode = setup->config.mode > (int)most ? (int)most : setup->config.mode;
	setup->policy->mode = (enum mw_verdict)setup->mode;
}

/* Goes over to what is possible now of what is asked for. */
static void follow_mode(struct daemon *d)
{
	int before = d->setup.mode, error;
	struct mw_alert_options to;

	bound(d, &d->setup);
	if (d->setup.mode == before)
		return;
	error = mw_engine_mode(d->engine, d->setup.policy, (enum mw_verdict)d->setup.mode);
	to = alert_options(d);
	mw_alerts_reopen(d->alerts, &to);
	mw_say("the mode is %s now%s%s", mw_verdict_name((enum mw_verdict)d->setup.mode),
	       error ? "; nothing is refused: " : "", error ? strerror(-error) : "");
	warn_of_mode(d);
	warn_of_rung(d);
	mw_daemon_guard(d->engine, &d->options, &d->setup, d->here);
}

static const char *turn(void *context, enum mw_verdict mode)
{
	struct daemon *d = context;

	d->options.mode = d->setup.config.mode = (int)mode;
	d->stormed = false;
	follow_mode(d);
	return lower(d);
}

/* Refusing so many loads, it may well be us who are wrong. */
static void end_storm(struct daemon *d)
{
	const struct mw_loss loss = {
	        .kind = "enforcement",
	        .reason = "so many loads were refused something within a minute that nothing is "
	                  "refused any more, until `modelwatch daemon mode deny`",
	        .count = d->setup.config.storm,
	        .severity = MW_CRITICAL,
	};

	d->stormed = true;
	mw_alerts_loss(d->alerts, &loss);
	follow_mode(d);
}

/* Whatever is wrong, what there was stays. */
static void reload(struct daemon *d)
{
	struct mw_daemon_setup fresh;
	struct mw_alert_options to;
	struct mw_courier *idle;
	char why[1024] = "not enough memory";
	const char *key;
	int error = mw_daemon_setup_read(&fresh, &d->options, d->here, why, sizeof(why));

	if (!error) {
		bound(d, &fresh);
		error = mw_engine_policy(d->engine, fresh.policy, fresh.policy_size,
		                         (enum mw_verdict)fresh.mode);
		if (error)
			snprintf(why, sizeof(why), "the new policy: %s", strerror(-error));
	}
	if (error) {
		mw_say("%s; nothing is changed", why);
		mw_daemon_setup_free(&fresh);
		return;
	}
	key = mw_daemon_setup_change(&d->setup, &fresh);
	if (!mw_sinks_inventory(d->setup.config.sinks))
		mw_daemon_inventory_turn(d->inventory, false); /* while there is a courier */
	idle = reload_courier(d);
	turn_inventory(d);
	to = alert_options(d);
	error = mw_alerts_reopen(d->alerts, &to);
	if (error)
		mw_say("the alerts file cannot be opened anew: %s", strerror(-error));
	if (error && idle)
		d->courier = idle;
	else if (idle)
		mw_courier_retire(idle, &d->retired);
	mw_daemon_setup_free(&fresh);
	if (key)
		mw_say("%s: what has changed there holds from the next start on", key);
	if (mw_daemon_serve_metrics(d->serve, &d->setup.config, why, sizeof(why)))
		mw_say("%s", why);
	warn_of_mode(d);
	mw_daemon_guard(d->engine, &d->options, &d->setup, d->here);
	d->reloaded = mw_when_now();
}

static void reload_aloud(struct daemon *d)
{
	struct timespec now;
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	         (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	mw_notify(text);
	reload(d);
	mw_notify("READY=1");
}

static void take_signals(struct daemon *d)
{
	struct signalfd_siginfo info;

	while (read(d->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			reload_aloud(d);
		} else if (info.ssi_signo != SIGPIPE) {
			d->ends = true;
			d->leaves = info.ssi_signo == SIGUSR2 ||
			            d->setup.config.outlives == MW_OUTLIVES_STOP;
		}
	}
}

/* To the sinks alone: who hears nothing any more knows that a node has gone silent. */
static void beat(struct daemon *d, bool last)
{
	uint64_t every = d->courier ? mw_courier_heartbeat(d->courier) : 0;
	struct mw_daemon_facts facts;
	json_t *record;
	char *line;
	size_t len;

	if (!every || (mw_clock_ms() < d->next_beat && !last))
		return;
	d->next_beat = mw_clock_ms() + (int64_t)every;
	ask(d, &facts);
	record = mw_daemon_heartbeat(&facts, mw_when_now(), last);
	line = record ? json_dumps(record, JSON_COMPACT) : NULL;
	json_decref(record);
	if (!line)
		return;
	len = strlen(line);
	line[len] = '\n'; /* in the place of the NUL */
	mw_courier_send(d->courier, line, len + 1);
	free(line);
}

static int patience(const struct daemon *d, int64_t next_tick)
{
	int64_t left = next_tick - mw_clock_ms();
	int ms = left > 0 ? (int)left : 0, other = mw_engine_patience(d->engine);

	if (other >= 0 && other < ms)
		ms = other;
	other = d->courier ? mw_courier_patience(d->courier) : -1;
	if (other >= 0 && other < ms)
		ms = other;
	other = mw_daemon_serve_patience(d->serve);
	return other >= 0 && other < ms ? other : ms;
}

static void say_lost(uint64_t records)
{
	if (records)
		mw_say("%llu records could not be kept for the sinks", (unsigned long long)records);
}

/* Returns the exit status. */
static int supervise(struct daemon *d)
{
	enum {
		SIGNALS,
		ENGINE,
		ALERTS,
		COURIER,
		INVENTORY,
		SERVE,
		FDS = SERVE + MW_DAEMON_SERVE_FDS
	};
	struct pollfd events[FDS];
	int64_t next_tick = 0;
	int result = 0;

	while (!d->ends && result >= 0) {
		events[SIGNALS] = (struct pollfd){.fd = d->signals, .events = POLLIN};
		events[ENGINE] = (struct pollfd){.fd = mw_engine_fd(d->engine), .events = POLLIN};
		events[ALERTS] = (struct pollfd){.fd = mw_alerts_fd(d->alerts), .events = POLLIN};
		events[COURIER] = (struct pollfd){.fd = -1};
		if (d->courier) {
			events[COURIER].fd = mw_courier_fd(d->courier);
			events[COURIER].events = mw_courier_events(d->courier);
		}
		events[INVENTORY] = (struct pollfd){.fd = mw_daemon_inventory_fd(d->inventory),
		                                    .events = POLLIN};
		mw_daemon_serve_fds(d->serve, events + SERVE);
		poll(events, FDS, patience(d, next_tick));
		result = mw_engine_poll(d->engine);
		mw_alerts_poll(d->alerts);
		if (d->courier && (events[COURIER].revents || !mw_courier_patience(d->courier)))
			mw_courier_poll(d->courier);
		if (events[INVENTORY].revents || mw_clock_ms() >= next_tick)
			mw_daemon_inventory_poll(d->inventory);
		mw_daemon_serve_poll(d->serve);
		if (events[SIGNALS].revents)
			take_signals(d);
		if (mw_engine_stormed(d->engine))
			end_storm(d);
		if (mw_clock_ms() >= next_tick) {
			follow_mode(d);
			tell_losses(d, false);
			tell_unattended(d);
			beat(d, false);
			say_lost(mw_courier_sweep(&d->retired));
			mw_notify("WATCHDOG=1");
			next_tick = mw_clock_ms() + d->tick;
		}
	}
	return result < 0 ? mw_say("cannot go on watching: %s", strerror(-result)) : 0;
}

/* What has happened is told before the end. */
static void drain(struct daemon *d)
{
	int64_t end = mw_clock_ms() + DRAIN_MS;

	mw_notify("STOPPING=1");
	while (mw_engine_poll(d->engine) > 0 && mw_clock_ms() < end)
		continue;
	mw_daemon_inventory_finish(d->inventory);
	tell_losses(d, true);
	beat(d, true);
}

static int block_signals(struct daemon *d)
{
	static const int handled[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR2, SIGPIPE};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(handled) / sizeof(*handled); i++)
		sigaddset(&set, handled[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->signals < 0 ? -errno : 0;
}

/* Every probe has a descriptor. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_inventory(struct daemon *d)
{
	const struct mw_daemon_inventory_options options = {
	        .engine = d->engine, .write = write_inventory, .context = d};
	int error = mw_daemon_inventory_open(&options, &d->inventory);

	if (error)
		return mw_say("cannot keep an inventory: %s", strerror(-error));
	turn_inventory(d);
	return 0;
}

static int open_engine(struct daemon *d)
{
	struct mw_engine_options options = {
	        .config = &d->setup.config,
	        .policy = d->setup.policy,
	        .policy_size = d->setup.policy_size,
	        .mode = (enum mw_verdict)d->setup.mode,
	        .alerts = d->alerts,
	};
	char why[1024] = "not enough memory";

	if (mw_engine_open(&options, &d->engine, why, sizeof(why)))
		return mw_say("%s", why);
	return open_inventory(d);
}

/* Asked before there is an engine, nothing could be said: the socket comes last. */
static int open_doors(struct daemon *d)
{
	char why[1024];

	if (mw_daemon_serve_open(&d->setup.config, ask, turn, d, &d->serve, why, sizeof(why)) ||
	    mw_daemon_serve_metrics(d->serve, &d->setup.config, why, sizeof(why)))
		return mw_say("%s", why);
	return 0;
}

static int start(struct daemon *d)
{
	struct mw_alert_options to = alert_options(d);
	int status, error = block_signals(d), watchdog = mw_notify_watchdog();

	if (!error)
		open_courier(d);
	to.courier = d->courier;
	if (!error)
		error = mw_alerts_open(&to, &d->alerts);
	if (error)
		return mw_say("cannot start: %s", strerror(-error));
	d->tick = watchdog && watchdog / 2 < TICK_MS ? watchdog / 2 + 1 : TICK_MS;
	d->started = mw_when_now();
	raise_limit();
	status = open_engine(d);
	if (status)
		return status;
	tell_unattended(d);
	mw_engine_drop_old(d->engine);
	return open_doors(d);
}

/* Who has to wait for a processor sees new interpreters too late, and loses events. */
static void hurry(void)
{
	setpriority(PRIO_PROCESS, 0, NICE);
}

#define RIGHT(capability) (UINT64_C(1) << (capability))

/* Whether probes can be put into new interpreters with the rights `keep`: a child gives up the
 * others, and tries. Kernels want CAP_SYS_ADMIN for perf's probes, and not for those of one link a
 * file. */
static bool can_probe(const struct daemon *d, uint64_t keep)
{
	pid_t child = mw_engine_shares_probes(d->engine) ? fork() : -1;
	int status = -1;

	if (!child)
		_exit(mw_confine_rights(keep) || !mw_uprobes_can_share());
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

/* The programs are in the kernel. What is kept is for probes (BPF, PERFMON), for what belongs to
 * processes of others (SYS_PTRACE, CHECKPOINT_RESTORE: the files that they have mapped,
 * DAC_READ_SEARCH), and to let those go on that were held (KILL). That there is no filter to be had
 * is no reason to see nothing. */
static void give_up_rights(const struct daemon *d)
{
	uint64_t keep = RIGHT(CAP_BPF) | RIGHT(CAP_PERFMON) | RIGHT(CAP_SYS_PTRACE) |
	                RIGHT(CAP_CHECKPOINT_RESTORE) | RIGHT(CAP_DAC_READ_SEARCH) |
	                RIGHT(CAP_KILL);
	int error;

	if (!can_probe(d, keep))
		keep |= RIGHT(CAP_SYS_ADMIN);
	error = mw_confine_rights(keep);
	if (!error)
		error = mw_calls_confine(MW_CALLER_WATCHES);
	if (error)
		mw_say("it goes on with more rights than it needs: %s", strerror(-error));
}

static int watch(struct daemon *d)
{
	int status;

	hurry();
	status = start(d);
	if (status)
		return status;
	warn_of_rung(d);
	mw_daemon_guard(d->engine, &d->options, &d->setup, d->here);
	give_up_rights(d);
	mw_daemon_sign(d->lock);
	if (d->waiting >= 0)
		mw_daemon_settle(d->waiting);
	d->waiting = -1;
	malloc_trim(0); /* of what the kernel's types took while the programs were loaded */
	mw_notify("READY=1");
	status = supervise(d);
	drain(d);
	if (status || d->leaves)
		mw_engine_leave(d->engine);
	return status;
}

/* Whoever booted the machine so wants to be sure that it is not us. */
static int idle(struct daemon *d)
{
	struct pollfd event;
	int error = block_signals(d);

	if (error)
		return mw_say("cannot wait for signals: %s", strerror(-error));
	mw_say("idle: the machine was booted with modelwatch=off");
	mw_daemon_sign(d->lock);
	if (d->waiting >= 0)
		mw_daemon_settle(d->waiting);
	d->waiting = -1;
	mw_notify("READY=1\nSTATUS=idle: modelwatch=off");
	event = (struct pollfd){.fd = d->signals, .events = POLLIN};
	while (poll(&event, 1, TICK_MS) <= 0)
		mw_notify("WATCHDOG=1");
	mw_notify("STOPPING=1");
	return 0;
}

/* The lock comes first, so that who is second touches nothing. */
static int take_place(struct daemon *d)
{
	pid_t other;

	if (geteuid() != 0)
		return mw_say(
		        "the daemon loads programs into the kernel: it has to be run by root");
	d->lock = mw_daemon_lock(&other);
	if (d->lock == -EBUSY)
		return mw_say("another modelwatch daemon is running: process %d", (int)other);
	if (d->lock < 0)
		return mw_say(MW_DAEMON_RUN ": %s", strerror(-d->lock));
	if (d->options.foreground || mw_notify_is_heard())
		return 0;
	if (!d->setup.alerts[0] && !mw_sinks_any(d->setup.config.sinks))
		return mw_say("nobody would see an alert: name a file with --alerts, configure a "
		              "sink, or stay in the foreground with --foreground");
	d->waiting = mw_daemon_go();
	if (d->waiting < 0)
		return mw_say("cannot go on in the background: %s", strerror(-d->waiting));
	mw_descriptors_release();
	return 0;
}

/* What keeps alerts from their sinks now the status cannot say any more. */
static void end_couriers(struct daemon *d)
{
	if (d->courier)
		mw_courier_finish(d->courier);
	if (d->courier && *mw_courier_trouble(d->courier))
		mw_say("alerts are kept, and wait: %s", mw_courier_trouble(d->courier));
	say_lost(mw_courier_close(d->courier) + mw_courier_close_all(&d->retired));
}

static void finish(struct daemon *d)
{
	mw_daemon_serve_close(d->serve);
	mw_daemon_inventory_close(d->inventory);
	mw_engine_close(d->engine);
	mw_alerts_close(d->alerts);
	end_couriers(d);
	mw_daemon_setup_free(&d->setup);
	if (d->signals >= 0)
		close(d->signals);
	if (d->lock >= 0)
		close(d->lock);
}

static int run_daemon(struct daemon *d)
{
	char why[1024] = "not enough memory";
	int status = 0;

	/* A fixed threshold: glibc raises it otherwise after each big buffer, and keeps more. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	if (!getcwd(d->here, sizeof(d->here)))
		strcpy(d->here, "/");
	if (mw_daemon_setup_read(&d->setup, &d->options, d->here, why, sizeof(why)))
		status = mw_say("%s", why);
	else if (d->options.validate)
		status = mw_put("the configuration and the policy are good\n");
	if (!status && !d->options.validate) {
		status = take_place(d);
		if (!status) {
			bound(d, &d->setup);
			warn_of_mode(d);
			status = mw_daemon_is_off() ? idle(d) : watch(d);
		}
	}
	finish(d);
	return status;
}

static int run(int argc, char **argv)
{
	struct daemon *d = calloc(1, sizeof(*d));
	char **operands;
	int status;

	if (!d)
		return mw_say("out of memory");
	d->lock = d->waiting = d->signals = -1;
	mw_descriptors_fill();
	status = mw_options(&mw_cmd_daemon, argc, argv, mw_daemon_take, &d->options, &operands);
	if (status == MW_GO_ON)
		status = *operands ? mw_say("unexpected argument %s; see modelwatch daemon --help",
		                            *operands)
		                   : run_daemon(d);
	free(d);
	return status;
}

static const struct mw_command *const commands[] = {&mw_cmd_daemon_mode, &mw_cmd_daemon_release,
                                                    NULL};

const struct mw_command mw_cmd_daemon = {
        .name = "modelwatch daemon",
        .help = "watch every process of this machine, without their help",
        .synopsis = "",
        .commands = commands,
        .about = "Watches, as root, what model files do when they are loaded by any process of "
                 "this machine, with programs in the kernel and none in the processes. In the mode "
                 "deny it refuses what the kernel lets it refuse.",
        .options = mw_daemon_options_table,
        .after = "Without --foreground it goes on in the background once it is up. SIGHUP reads "
                 "configuration and policy again, SIGTERM ends it, SIGUSR2 ends it so that what it "
                 "refuses stays refused until another one has taken over.\n\n"
                 "Exit status: 0 when it is up in the background, when it was ended by a signal, "
                 "or when --validate finds nothing wrong; 125 otherwise.",
        .run = run,
};
