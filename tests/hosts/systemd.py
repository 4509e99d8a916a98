"""A real systemd, which starts one unit."""
from hosts import machine

PROGRAM = "/lib/systemd/systemd"
UNIT = "[Unit]\nDefaultDependencies=no\n"


def lacking():
    return machine.lacking("cgroup2", [PROGRAM])


def start(directory, command):
    """Has `command` run as trainer.service."""
    files = {
        "systemd/system/modelwatch-test.target": f"{UNIT}Wants=trainer.service\n",
        "systemd/system/trainer.service": f"{UNIT}[Service]\nExecStart={' '.join(command)}\n",
    }
    return machine.Machine(directory, "cgroup2", files, [PROGRAM, "--system", "--unit=modelwatch-test.target"])
