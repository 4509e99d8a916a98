#!/bin/sh
# In slurm.conf, Prolog=: no job starts on a node that nobody watches. Slurm drains the node then, and
# puts the job back into the queue.
modelwatch status >/dev/null || {
	logger -p daemon.err -t modelwatch "job ${SLURM_JOB_ID:-?} is not started: the daemon does not answer"
	exit 1
}
