#!/bin/sh
# In slurm.conf, Epilog=: says in the node's log how many alerts a job has had. Nothing in it fails the
# node.
alerts=${MODELWATCH_ALERTS:-/var/log/modelwatch/alerts.jsonl}
count=$(grep -cF "\"job\":{\"kind\":\"slurm\",\"id\":\"${SLURM_JOB_ID:?}\"" "$alerts" 2>/dev/null)
[ "${count:-0}" = 0 ] ||
	logger -p daemon.warning -t modelwatch "job $SLURM_JOB_ID of ${SLURM_JOB_USER:-?}: $count records in $alerts"
exit 0
