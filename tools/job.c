#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "floor_start.h"
#include "tasks.h"

#define LINEAGE_MAX 4096

void mw_job_own(struct mw_job *job, pid_t child)
{
	for (size_t i = 0; i < job->stranger_count; i++)
		if (job->strangers[i] == child)
			return;
	if (child && job->stranger_count < MW_JOB_STRANGERS)
		job->strangers[job->stranger_count++] = child;
}

int mw_job_open(struct mw_job *job)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	sigset_t all;

	*job = (struct mw_job){.signals = -1, .tty = -1};
	job->stranger_count = mw_task_children(job->strangers, MW_JOB_STRANGERS);
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &job->mask) < 0 ||
	    sigaction(SIGCHLD, &usual, &job->child) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	job->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (job->signals < 0)
		return -errno;
	job->tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	return 0;
}

/* Who is not in the foreground may take it, as long as SIGTTOU is blocked. */
static void take_tty(struct mw_job *job)
{
	if (job->has_tty)
		tcsetpgrp(job->tty, getpgrp());
	job->has_tty = false;
}

static void give_tty(struct mw_job *job)
{
	job->has_tty = !tcsetpgrp(job->tty, job->group);
}

static bool in_foreground(const struct mw_job *job)
{
	return job->tty >= 0 && tcgetpgrp(job->tty) == getpgrp();
}

void mw_job_close(struct mw_job *job)
{
	take_tty(job);
	if (job->tty >= 0)
		close(job->tty);
	if (job->signals >= 0)
		close(job->signals);
}

static void tell(int to, int error)
{
	while (write(to, &error, sizeof(error)) < 0 && errno == EINTR)
		continue;
}

/* In the child. What it must not see of us: the mask, what SIGCHLD does, our descriptors. Behind
 * the floor's filter nothing but exec is left to do. */
static _Noreturn void become(struct mw_job *job, char *const argv[], char *const env[], bool give,
                             const struct mw_job_floor *floor, int parent)
{
	setpgid(0, 0);
	if (give)
		tcsetpgrp(job->tty, getpid());
	sigaction(SIGCHLD, &job->child, NULL);
	sigprocmask(SIG_SETMASK, &job->mask, NULL);
	if (!floor || !mw_floor_enter(floor->filter, parent)) {
		execvpe(argv[0], argv, env);
		tell(parent, errno);
	}
	_exit(127);
}

/* The exec of a command behind the filter waits for an answer, so somebody has to give it first. */
static int begin_floor(struct mw_job *job, struct mw_job_floor *floor, int child)
{
	int listener = mw_floor_listener(job->command, child);

	floor->error = listener < 0 ? listener : floor->begin(floor->context, listener);
	if (floor->error && listener >= 0)
		close(listener);
	return floor->error ? floor->error : mw_floor_go(child);
}

static int exec_result(int child)
{
	ssize_t got;
	int error;

	do
		got = read(child, &error, sizeof(error));
	while (got < 0 && errno == EINTR);
	return got == sizeof(error) ? -error : 0;
}

/* The terminal goes to the command at once only when nobody else of our process group could want
 * it: in a pipeline or a script all get what is typed, Ctrl-C above all, and we pass it on; the
 * command gets the terminal when it asks for it. */
int mw_job_start(struct mw_job *job, char *const argv[], char *const env[],
                 struct mw_job_floor *floor)
{
	bool give = in_foreground(job) && mw_task_in_group(getpgrp()) == 1;
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	job->command = fork();
	if (job->command == 0)
		become(job, argv, env, give, floor, ends[1]);
	error = job->command < 0 ? -errno : 0;
	close(ends[1]);
	if (!error) {
		job->group = job->command;
		job->has_tty = give;
		error = floor ? begin_floor(job, floor, ends[0]) : 0;
	}
	if (!error)
		error = exec_result(ends[0]);
	close(ends[0]);
	if (error && job->command > 0) {
		waitpid(job->command, NULL, 0);
		job->command = 0;
		take_tty(job); /* for another try */
	}
	return error;
}

/* To everybody in the command's group, as the terminal would. */
static void signal_group(const struct mw_job *job, int number)
{
	if (kill(-job->group, number) < 0 && job->command)
		kill(job->command, number);
}

/* With the command gone, who is left of the run is meant. */
static void signal_rest(const struct mw_job *job, int number)
{
	pid_t *pids = malloc(LINEAGE_MAX * sizeof(*pids));
	ssize_t count = -ENOMEM;

	if (pids)
		count = mw_task_descendants(getpid(), job->strangers, job->stranger_count, pids,
		                            LINEAGE_MAX);
	for (ssize_t i = 0; i < count; i++)
		kill(pids[i], number);
	free(pids);
}

/* Stops our process group as the terminal would, until it is continued. The kernel declines when
 * nobody could continue it. */
static void stop_ourselves(int number)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	const struct timespec now = {0};
	sigset_t one, resumed;

	sigemptyset(&one);
	sigaddset(&one, number);
	sigemptyset(&resumed);
	sigaddset(&resumed, SIGCONT);
	sigaction(number, &usual, NULL);
	kill(0, number);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
	while (sigtimedwait(&resumed, NULL, &now) > 0)
		continue;
}

static void signal_without_command(const struct mw_job *job, int number)
{
	signal_rest(job, number);
	if (number == SIGTSTP && job->tty >= 0) {
		stop_ourselves(number);
		signal_rest(job, SIGCONT);
	}
}

static bool from_terminal(const struct signalfd_siginfo *info)
{
	return info->ssi_code == SI_KERNEL;
}

/* A signal sent to us is meant for the command; one from the terminal, for all that run with it. */
static void pass_on(const struct mw_job *job, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	switch (number) {
	case SIGCHLD:
	case SIGPIPE: /* ours, from writing an alert */
	case SIGTTIN:
	case SIGTTOU:
		return;
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGHUP:
	case SIGWINCH:
	case SIGCONT:
		break;
	default:
		if (from_terminal(info))
			return; /* a limit that we have run into ourselves */
	}
	if (!job->command)
		signal_without_command(job, number);
	else if (from_terminal(info) || number == SIGCONT)
		signal_group(job, number);
	else
		kill(job->command, number);
}

void mw_job_signals(struct mw_job *job)
{
	struct signalfd_siginfo info;

	while (read(job->signals, &info, sizeof(info)) == sizeof(info))
		pass_on(job, &info);
}

/* The command has stopped. Whoever started us waits for us, so we do the same, and go on with it.
 */
static void command_stopped(struct mw_job *job, int number)
{
	bool wants_tty = number == SIGTTIN || number == SIGTTOU, had_tty = job->has_tty;

	if (job->tty < 0)
		return;
	if (!wants_tty || !in_foreground(job)) {
		if (number == SIGSTOP && getsid(0) == getpid())
			return; /* nobody would continue us */
		take_tty(job);
		if (number == SIGSTOP)
			raise(SIGSTOP);
		else
			stop_ourselves(number);
	}
	if (in_foreground(job) && (wants_tty || had_tty))
		give_tty(job);
	signal_group(job, SIGCONT);
}

static void ended(struct mw_job *job, pid_t pid, int status)
{
	for (size_t i = 0; i < job->stranger_count; i++)
		if (job->strangers[i] == pid)
			job->strangers[i] = job->strangers[--job->stranger_count];
	if (pid != job->command)
		return;
	job->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	job->command = 0;
	take_tty(job);
}

static bool only_strangers(const struct mw_job *job)
{
	pid_t pids[MW_JOB_STRANGERS + 1];
	size_t known = 0, count;

	if (!job->stranger_count)
		return false;
	count = mw_task_children(pids, MW_JOB_STRANGERS + 1);
	if (!count) /* there are some, or we would not be here: the kernel does not tell */
		return !mw_task_descendants(getpid(), job->strangers, job->stranger_count, pids, 1);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < job->stranger_count; k++)
			known += pids[i] == job->strangers[k];
	return known == count;
}

bool mw_job_runs(struct mw_job *job)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (!WIFSTOPPED(status)) {
			ended(job, pid, status);
		} else if (pid == job->command) {
			command_stopped(job, WSTOPSIG(status));
		} else if (!job->command &&
		           (WSTOPSIG(status) == SIGTTIN || WSTOPSIG(status) == SIGTTOU)) {
			/* It waits for a terminal that nobody will give it; without us, the
			 * kernel would do this. */
			kill(pid, SIGHUP);
			kill(pid, SIGCONT);
		}
	}
	return !(pid < 0 && errno == ECHILD) && !only_strangers(job);
}

int mw_job_kill(struct mw_job *job)
{
	job->killed = true;
	return mw_task_kill_lineage(job->strangers, job->stranger_count);
}
