/* modelwatch run: supervises one command and all it starts. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../courier/sink_config.h"
#include "alert.h"
#include "courier.h"
#include "descriptors.h"
#include "environment.h"
#include "expand.h"
#include "floor.h"
#include "floor_start.h"
#include "installed.h"
#include "inventory.h"
#include "job.h"
#include "journal.h"
#include "learn.h"
#include "main.h"
#include "monitor.h"
#include "policy_file.h"
#include "reporter.h"
#include "run_options.h"
#include "subject.h"

#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127
#define EXIT_KILLED 137
#define DRAIN_MS 2000      /* for who talks on */
#define DRAIN_MAX_MS 30000 /* for what was sent before */
/* The most that can have been sent and not looked at. */
#define QUEUED (SOMAXCONN + MW_SERVER_CONNECTIONS)

struct run {
	struct mw_run_options options;
	struct mw_policy_build rules;
	struct mw_policy *policy;
	size_t policy_size;
	struct mw_reporter *reporter;
	struct mw_courier *courier; /* NULL: no sink is configured */
	struct mw_alerts *alerts;
	struct mw_inventory *inventory; /* NULL: no sink wants it */
	struct mw_monitor *monitor;
	struct mw_floor floor;
	bool has_floor;
	struct mw_job job;
	char trouble[512]; /* of the sinks, said last */
};

static void hex(const uint8_t *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static int open_alerts(struct run *run)
{
	char path[PATH_MAX], journal[PATH_MAX], digest[2 * sizeof(run->policy->digest) + 1];
	const struct mw_run_options *options = &run->options;
	struct mw_alert_options to = {
	        .alerts_path = options->alerts || options->learn ? path : NULL,
	        .quiet = options->quiet,
	        .format = options->format,
	        .mode = run->policy->mode,
	        .policy_digest = digest,
	        .labels = run->rules.labels,
	        .journal = mw_journal_path(journal, sizeof(journal)) ? NULL : journal,
	};
	int error = 0;

	if (options->learn)
		error = mw_learn_open(options->learn, path);
	if (error)
		return mw_say("--learn=%s: %s", options->learn, strerror(-error));
	error = options->alerts ? mw_expand(options->alerts, path) : 0;
	if (error == -ENOENT)
		return mw_say("--alerts=%s: the environment variable is not set", options->alerts);
	if (error == -EINVAL)
		return mw_say("--alerts=%s: after %% comes h, p, q{VAR} or %%", options->alerts);
	hex(run->policy->digest, sizeof(run->policy->digest), digest);
	if (!error)
		error = mw_reporter_open(MW_REPORT_SOCKET, digest, mw_verdict_name(to.mode),
		                         &run->reporter);
	to.reporter = run->reporter;
	to.courier = run->courier;
	if (!error)
		error = mw_alerts_open(&to, &run->alerts);
	return error ? mw_say("--alerts=%s: %s", options->alerts ? options->alerts : "",
	                      strerror(-error))
	             : 0;
}

static void take_inventory(void *context, const char *line, size_t len)
{
	struct run *run = context;

	mw_courier_send(run->courier, line, len);
}

static void lose_inventory(void *context, uint64_t count)
{
	const struct run *run = context;
	const struct mw_loss loss = {
	        .kind = "inventory",
	        .reason = "there were more loads than the inventory has room for",
	        .count = count,
	};

	mw_alerts_loss(run->alerts, &loss);
}

static int open_inventory(struct run *run)
{
	char digest[2 * sizeof(run->policy->digest) + 1];
	const struct mw_inventory_options options = {
	        .policy_digest = digest,
	        .labels = run->rules.labels,
	        .write = take_inventory,
	        .lost = lose_inventory,
	        .remember = true,
	        .context = run,
	};
	int error;

	if (!run->courier || !mw_sinks_inventory(run->rules.sinks))
		return 0;
	hex(run->policy->digest, sizeof(run->policy->digest), digest);
	error = mw_inventory_open(&options, &run->inventory);
	if (error)
		return mw_say("cannot keep an inventory: %s", strerror(-error));
	mw_monitor_inventory(run->monitor, run->inventory);
	return 0;
}

/* The verdict on an effect is kill. */
static void kill_run(void *context, const char *alert_id, const char *alert_title)
{
	struct run *run = context;
	int error;

	mw_say("the whole job is killed for this, with exit status 137 (it is not out of memory): "
	       "%s [alert %s]",
	       alert_title, alert_id);
	error = mw_job_kill(&run->job);
	if (error)
		mw_say("some of the job could not be killed: %s", strerror(-error));
}

static int load_policy(struct run *run)
{
	struct mw_policy_build *rules = &run->rules;
	char why[1024] = "not enough memory";
	json_t *subject = NULL;
	int error = mw_policy_build_start(rules);

	if (!error)
		error = mw_policy_read(rules, run->options.policy, why, sizeof(why));
	if (!error && run->options.labels)
		error = json_object_update(rules->labels, run->options.labels) ? -ENOMEM : 0;
	if (!error) {
		subject = mw_subject_self(rules->labels);
		error = subject ? mw_policy_compile(rules, subject, run->options.mode, &run->policy,
		                                    &run->policy_size, why, sizeof(why))
		                : -ENOMEM;
	}
	json_decref(subject);
	return error ? mw_say("%s", why) : 0;
}

/* Goes on without a floor, unless one is required. Returns 0 or the exit status. */
static int do_without(struct run *run, int error)
{
	mw_floor_close(&run->floor);
	run->has_floor = false;
	if (run->options.floor == MW_FLOOR_REQUIRE)
		return mw_say("--floor=require: %s", mw_floor_why(error));
	mw_say("no floor below libc here: %s; raw system calls are not seen", mw_floor_why(error));
	return 0;
}

static int prepare_floor(struct run *run)
{
	const struct mw_floor_policy *policy = &run->policy->floor;
	const struct mw_floor_options options = {.io_uring = policy->io_uring};
	int error;

	if (run->options.floor == MW_FLOOR_OFF)
		return 0;
	run->has_floor = true;
	error = mw_floor_open(&run->floor, &options, policy->closed);
	return error ? do_without(run, error) : 0;
}

/* Without it alerts reach the terminal and their file, but no sink. */
static void open_courier(struct run *run)
{
	int error;

	if (!mw_sinks_any(run->rules.sinks))
		return;
	error = mw_courier_open(run->rules.sinks, false, &run->courier);
	if (error)
		mw_say("no alert reaches a sink: the courier cannot be started: %s",
		       strerror(-error));
}

/* A new one after one that has died is no part of the job, either. */
static void own_courier(struct run *run)
{
	if (run->courier)
		mw_job_own(&run->job, mw_courier_pid(run->courier));
}

static int prepare(struct run *run)
{
	int error, status = load_policy(run);

	if (!status)
		status = prepare_floor(run);
	if (status)
		return status;
	open_courier(run);
	error = mw_job_open(&run->job);
	if (error)
		return mw_say("cannot watch over a job: %s", strerror(-error));
	mw_job_own(&run->job, run->floor.keeper.pid);
	own_courier(run);
	status = open_alerts(run);
	if (status)
		return status;
	error = mw_monitor_open(run->policy, run->policy_size, run->alerts, kill_run, run,
	                        &run->monitor);
	return error ? mw_say("cannot open the monitor's socket: %s", strerror(-error))
	             : open_inventory(run);
}

static int begin_floor(void *context, int listener)
{
	struct run *run = context;
	int error = mw_floor_begin(&run->floor, listener);

	if (!error)
		error = mw_monitor_floor(run->monitor, listener, run->floor.gate);
	if (error)
		run->floor.listener = -1; /* not taken over */
	return error;
}

/* Returns 0, the negative errno of the start, or the exit status when a floor is required. */
static int start_command(struct run *run, char **environment)
{
	struct mw_job_floor floor = {
	        .filter = &run->floor.filter, .begin = begin_floor, .context = run};
	int status, error = mw_job_start(&run->job, run->options.command, environment,
	                                 run->has_floor ? &floor : NULL);

	if (!floor.error)
		return error;
	status = do_without(run, floor.error);
	return status ? status : mw_job_start(&run->job, run->options.command, environment, NULL);
}

static int start(struct run *run)
{
	char shim[PATH_MAX], **environment = NULL;
	char **command = run->options.command;
	int error = mw_installed("libmodelwatch.so", shim);

	if (error)
		return mw_say("libmodelwatch.so is missing: %s", strerror(-error));
	error = mw_environment(shim, mw_monitor_path(run->monitor), &environment);
	if (error == -EINVAL)
		return mw_say("%s: a path with a space or a colon cannot be preloaded", shim);
	if (!error)
		error = start_command(run, environment);
	mw_environment_free(environment);
	if (error >= 0)
		return error;
	mw_say("%s: %s", command[0], strerror(-error));
	return error == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

/* Once for each trouble: a receiver that is down is no reason to fill a job's log. */
static void say_trouble(struct run *run)
{
	const char *trouble = mw_courier_trouble(run->courier);

	if (!*trouble || run->options.quiet || !strcmp(trouble, run->trouble))
		return;
	snprintf(run->trouble, sizeof(run->trouble), "%s", trouble);
	mw_say("alerts are kept, and wait: %s", trouble);
}

/* The sooner of the two; -1 is never. */
static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void poll_courier(struct run *run, short revents)
{
	if (!run->courier || (!revents && mw_courier_patience(run->courier)))
		return;
	mw_courier_poll(run->courier);
	own_courier(run);
	say_trouble(run);
}

static void supervise(struct run *run)
{
	struct pollfd events[] = {
	        {.fd = run->job.signals, .events = POLLIN},
	        {.fd = mw_monitor_fd(run->monitor), .events = POLLIN},
	        {.fd = mw_alerts_fd(run->alerts), .events = POLLIN},
	        {.fd = run->floor.gate ? mw_gate_fd(run->floor.gate) : -1, .events = POLLIN},
	        {.fd = -1},
	        {.fd = -1},
	};

	bool runs = mw_job_runs(&run->job);

	/* Whatever ends or stops sends SIGCHLD; who else is left is not asked for nothing. */
	while (runs) {
		events[4].fd = mw_reporter_fd(run->reporter);
		events[4].events = mw_reporter_events(run->reporter);
		if (run->courier) {
			events[5].fd = mw_courier_fd(run->courier);
			events[5].events = mw_courier_events(run->courier);
		}
		poll(events, 6,
		     sooner(sooner(mw_monitor_patience(run->monitor),
		                   mw_reporter_patience(run->reporter)),
		            run->courier ? mw_courier_patience(run->courier) : -1));
		mw_monitor_poll(run->monitor);
		poll_courier(run, events[5].revents);
		if (events[4].revents || !mw_reporter_patience(run->reporter))
			mw_reporter_poll(run->reporter);
		if (events[2].fd >= 0 && events[2].revents)
			mw_alerts_poll(run->alerts);
		if (events[0].revents) {
			mw_job_signals(&run->job);
			runs = mw_job_runs(&run->job);
		}
	}
}

/* What was sent by those who ended a moment ago is still heard: that may be thousands of loads that
 * nobody waited to have heard, on a machine that gives us little time. */
static void drain(struct run *run)
{
	const struct mw_server_counters *count = mw_monitor_count(run->monitor);
	int64_t began = mw_clock_ms(), took = 0;
	uint64_t queued = count->accepted + QUEUED;
	bool busy = true;

	while (busy && (took < DRAIN_MS || (took < DRAIN_MAX_MS && count->accepted < queued))) {
		busy = mw_monitor_poll(run->monitor) > 0;
		took = mw_clock_ms() - began;
	}
	if (busy && count->accepted < queued)
		mw_say("the end of what the job's processes said was not heard: it took too long");
}

/* Losing a record is itself worth a line. */
static void report_losses(const struct run *run)
{
	const struct mw_server_counters *count = mw_monitor_count(run->monitor);

	if (count->foreign)
		mw_say("processes of this job carry another version of modelwatch than this "
		       "one, " MW_VERSION ": they were not watched (%llu messages)",
		       (unsigned long long)count->foreign);
	if (count->refused + count->malformed + count->oversized + count->cut + count->timed_out)
		mw_say("messages to the monitor that were not records of this job: %llu from "
		       "strangers, "
		       "%llu malformed, %llu too long, %llu cut off, %llu too slow",
		       (unsigned long long)count->refused, (unsigned long long)count->malformed,
		       (unsigned long long)count->oversized, (unsigned long long)count->cut,
		       (unsigned long long)count->timed_out);
}

/* Room for the connections of a big job; the command has started with the limit we were given. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= 1024)
		return;
	limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The last line of a job's log is where people look first. */
static void sum_up(const struct run *run)
{
	struct mw_alerts_sum sum;

	mw_alerts_sum(run->alerts, &sum);
	if (!sum.first[0] || run->options.quiet || run->options.format != MW_TEXT ||
	    run->job.killed)
		return;
	mw_say("model files tried %llu thing%s that the policy does not allow: %llu prevented, "
	       "%llu "
	       "not; `modelwatch why %s` tells the first",
	       (unsigned long long)(sum.prevented + sum.let_go),
	       sum.prevented + sum.let_go == 1 ? "" : "s", (unsigned long long)sum.prevented,
	       (unsigned long long)sum.let_go, sum.first);
}

static int watch(struct run *run)
{
	int status = prepare(run);

	if (!status)
		status = start(run);
	if (status)
		return status;
	mw_descriptors_release();
	raise_limit();
	supervise(run);
	drain(run);
	report_losses(run);
	sum_up(run);
	return run->job.killed ? EXIT_KILLED : run->job.status;
}

/* What the run was about to be stopped for is proposed to be let through. */
static void learn(const char *directory)
{
	size_t count, left;
	int error = mw_learn_write(directory, &count, &left);

	if (error)
		mw_say("--learn=%s: %s", directory, strerror(-error));
	else if (count + left)
		mw_say("%s/policy.yaml proposes %zu rule%s%s: review each before you use it",
		       directory, count, count == 1 ? "" : "s",
		       left ? ", and names effects that no narrow rule fits" : "");
	else
		mw_say("%s/policy.yaml proposes no rule: nothing would have been stopped",
		       directory);
}

static void end_reports(struct run *run)
{
	uint64_t lost = mw_reporter_close(run->reporter);

	if (lost)
		mw_say("%llu alerts did not reach this machine's modelwatch daemon",
		       (unsigned long long)lost);
}

/* What is in the spool is sent by whoever runs next, if it could not be sent now. */
static void end_courier(struct run *run)
{
	uint64_t lost;

	if (!run->courier)
		return;
	mw_courier_finish(run->courier);
	say_trouble(run);
	lost = mw_courier_close(run->courier);
	if (lost)
		mw_say("%llu records could not be kept for the sinks", (unsigned long long)lost);
}

static int run_command(int argc, char **argv)
{
	struct run run = {.job = {.signals = -1, .tty = -1}, .floor = {.listener = -1}};
	int status;

	mw_descriptors_fill();
	status = mw_options(&mw_cmd_run, argc, argv, mw_run_take, &run.options,
	                    &run.options.command);
	if (status == MW_GO_ON)
		status = mw_run_check(&run.options);
	if (status != MW_GO_ON)
		return status;
	/* A fixed threshold: glibc raises it otherwise after each big buffer, and keeps more. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	status = watch(&run);
	mw_monitor_close(run.monitor);
	mw_inventory_close(run.inventory);
	mw_alerts_close(run.alerts);
	end_reports(&run);
	end_courier(&run);
	if (run.alerts && run.options.learn)
		learn(run.options.learn);
	mw_floor_close(&run.floor);
	mw_job_close(&run.job);
	mw_policy_build_free(&run.rules);
	json_decref(run.options.labels);
	free(run.policy);
	return status;
}

const struct mw_command mw_cmd_run = {
        .name = "modelwatch run",
        .help = "run a command and stop what model files try to do in it",
        .synopsis = "[--] COMMAND [ARGUMENT...]",
        .about = "Runs COMMAND and stops what model files try to do in it.",
        .options = mw_run_options_table,
        .operands = MW_COMMAND_WORDS,
        .after = "The exit status is COMMAND's: 128+n when signal n ended it; 125 when modelwatch "
                 "failed, 126 when COMMAND cannot be executed, 127 when it is not found.",
        .run = run_command,
};
