"""A real systemd, which starts one unit."""
import subprocess
from pathlib import Path

from hosts import machine

PROGRAM = "/lib/systemd/systemd"
TARGET = "modelwatch-test.target"
UNIT = "[Unit]\nDefaultDependencies=no\n"


def lacking():
    return machine.lacking("cgroup2", [PROGRAM])


def start(directory, command):
    """Has `command` run as trainer.service."""
    return start_unit(directory, "trainer.service", f"{UNIT}[Service]\nExecStart={' '.join(command)}\n")


def start_unit(directory, name, text, more={}):
    """Starts the unit with that text; `more` files are by their names in /run/systemd/system."""
    units = {TARGET: f"{UNIT}Wants={name}\n", name: text, **more}
    return machine.Machine(directory, "cgroup2", {f"systemd/system/{key}": text for key, text in units.items()},
                           [PROGRAM, "--system", f"--unit={TARGET}", "--log-target=console"])


def first_process(running):
    """The number of the machine's first process, as it is called outside."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    return int(children[0]) if children else None


def systemctl(running, *words):
    inside = ["nsenter", f"--target={first_process(running)}", "--mount", "--pid", "--cgroup"]
    return subprocess.run([*inside, "systemctl", *words], capture_output=True, text=True)


def control(running, what, name):
    """Waits until it is done. Returns the exit status."""
    return systemctl(running, what, name).returncode


def show(running, name, *properties):
    """What systemctl says of them, by name; nothing when it gets no answer yet."""
    done = systemctl(running, "show", name, *(f"--property={word}" for word in properties))
    return dict(line.split("=", 1) for line in done.stdout.splitlines())
