/* The command of a run and everything it starts: its start, its signals, its terminal, its end.
 *
 * The command has a process group of its own, so that a signal for the group reaches it once: the
 * monitor gets it and passes it on. The terminal is handed to that group and taken back, as a shell
 * does. The monitor is subreaper: it outlives the last task of the run. */
#ifndef MW_TOOLS_JOB_H
#define MW_TOOLS_JOB_H

#include <linux/filter.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MW_JOB_STRANGERS 64

struct mw_job {
	pid_t command;          /* 0 once it has ended */
	pid_t group;            /* its process group */
	int status;             /* its exit status, as a shell counts, once it has ended */
	bool killed;            /* mw_job_kill() was called */
	int signals;            /* signalfd: readable when mw_job_signals() has something to do */
	int tty;                /* the controlling terminal, or -1 */
	bool has_tty;           /* the terminal was handed to the command's group */
	sigset_t mask;          /* signals blocked when we were started, */
	struct sigaction child; /* and what SIGCHLD did */
	/* Children that this process had before it became the monitor: no part of the run. */
	pid_t strangers[MW_JOB_STRANGERS];
	size_t stranger_count;
};

/* Blocks all signals, for threads started later too, and opens what is needed to watch over a job.
 * Children that it has by now are no part of the job, where the kernel names them. Call it while
 * the process has one thread. Returns 0 or a negative errno; close in any case. */
int mw_job_open(struct mw_job *job);

/* A child that is no part of the job. 0 is none. */
void mw_job_own(struct mw_job *job, pid_t child);

/* Gives the terminal back and closes. */
void mw_job_close(struct mw_job *job);

/* The floor that a command is started behind (floor_filter.h). */
struct mw_job_floor {
	const struct sock_fprog *filter;
	/* Has the listener answered from now on, by a thread: the start itself waits for that.
	 * Takes the listener over when it returns 0, else returns a negative errno. */
	int (*begin)(void *context, int listener);
	void *context;
	int error; /* set when the floor is why the command was not started: a negative errno */
};

/* Starts argv[0] (looked up on PATH when it has no slash) with the environment `env`, with signals
 * as this process had them, and behind `floor` (NULL: none). Returns 0 when it runs, else the
 * negative errno of the start, after which another may be tried. */
int mw_job_start(struct mw_job *job, char *const argv[], char *const env[],
                 struct mw_job_floor *floor);

/* Passes on the signals that have come. */
void mw_job_signals(struct mw_job *job);

/* Takes note of tasks that ended or stopped; with the command, this process stops too. Returns
 * false once no task of the run is left. */
bool mw_job_runs(struct mw_job *job);

/* Kills every task of the run. Returns 0, or a negative errno when some may be left. */
int mw_job_kill(struct mw_job *job);

#endif
