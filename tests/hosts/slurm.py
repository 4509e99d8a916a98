"""A real Slurm of one node, which runs one job."""
from hosts import machine

# Version 1 of control groups: with version 2, slurmd wants controllers that the host's systemd has.
HIERARCHY = "freezer"
CONFIG = """
ClusterName=test
SlurmctldHost=node1(10.9.9.1)
SlurmUser=root
SlurmdUser=root
StateSaveLocation=/var/state
SlurmdSpoolDir=/var/spool
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/cgroup
TaskPlugin=task/none
MpiDefault=none
NodeName=node1 NodeAddr=10.9.9.1 CPUs=1
PartitionName=all Nodes=ALL Default=YES State=UP
"""
# It takes an address for none that is only the loopback's.
START = r"""
set -e
ip link set lo up && ip addr add 10.9.9.1/24 dev lo && hostname node1
mkdir -m 755 /run/munge /var/state /var/spool /var/log
head -c 64 /dev/urandom > /run/munge/key && chmod 400 /run/munge/key
munged --force --key-file=/run/munge/key --socket=/run/munge/munge.socket.2 --pid-file=/run/munge/pid \
	--log-file=/run/munge/log --seed-file=/run/munge/seed
export SLURM_CONF=/run/slurm/slurm.conf
slurmctld -D -c &
slurmd -D &
until sinfo --noheader --format=%T | grep -q idle; do sleep 0.1; done
srun --chdir=/tmp "$@"
"""


def lacking():
    return machine.lacking(HIERARCHY, ["munged", "slurmctld", "slurmd", "srun", "sinfo", "ip", "hostname"])


def start(directory, command, more={}):
    """Has `command` run as the first step of job 1; `more` files are by their names in /run."""
    files = {"slurm/slurm.conf": CONFIG, "slurm/cgroup.conf": "CgroupPlugin=cgroup/v1\n", **more}
    return machine.Machine(directory, HIERARCHY, files, ["sh", "-c", START, "sh", *command])
