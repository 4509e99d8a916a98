"""What turns refusing on and off, and how long it takes until it does: measured by who is refused."""
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import guest
import programs

SWITCH = Path("/etc/modelwatch/observe-only")  # while it is there nothing is refused
OFF = "the machine was booted with modelwatch=off"
# A job in whose load the same is done again and again: it says when that begins to be refused, and to happen. It is one
# load, since many would be a storm. Who else wants the processor comes before it.
TRIES = """
import os, pickle, sys, time
def tries(path):
    os.nice(5)
    before = None
    while True:
        try:
            os.truncate(path, 0)
            now = "happens"
        except PermissionError:
            now = "refused"
        if now != before:
            print(now, time.monotonic(), flush=True)
        before = now
        time.sleep(0.02)
class Tries:
    def __reduce__(self):
        return tries, (sys.argv[1],)
pickle.loads(pickle.dumps(Tries()))
"""


@contextlib.contextmanager
def tries(directory):
    """Yields what waits for a change to `now`, and returns the seconds that it took from `start` on."""
    path = Path(directory) / "file"
    path.touch()
    process = subprocess.Popen([sys.executable, "-c", TRIES, path],
                               stdout=subprocess.PIPE, text=True)

    def changes(now, start):
        said, at = process.stdout.readline().split()
        assert said == now, f"it is {said}, not {now}"
        return round(float(at) - start, 2)
    try:
        yield changes
    finally:
        process.kill()
        process.wait()


def change(out, daemon):
    """By the daemon's command and by the file: in the mode deny before and after."""
    with guest.told(out, "modes", "seconds") as facts, tempfile.TemporaryDirectory() as directory, \
            tries(directory) as changes:
        changes("refused", 0)
        facts["took"] = took = {}
        for mode, now in (("observe", "happens"), ("deny", "refused")):
            start = time.monotonic()
            daemon.turn(mode)
            took[f"daemon mode {mode}"] = changes(now, start)
        SWITCH.parent.mkdir(parents=True, exist_ok=True)
        for name, do, now in (("the file is there", SWITCH.touch, "happens"), ("it has gone", SWITCH.unlink, "refused")):
            start = time.monotonic()
            do()
            took[name] = changes(now, start)
    daemon.take()


class Off(guest.Daemon):
    def __init__(self, directory):
        super().__init__(directory)
        self.mode = "deny"

    def is_ready(self):
        return OFF in self.log.read_text()


def stay_off(out, line):
    """Booted with modelwatch=off, which from here on a file in the place of the kernel's command line says: it does
    nothing."""
    with guest.told(out, "modes", "off") as facts, tempfile.TemporaryDirectory() as directory:
        other = Path(directory) / "cmdline"
        other.write_text(f"{line.read_text().strip()} modelwatch=off\n")
        subprocess.run(["mount", "--bind", other, line], check=True)
        with Off(f"{directory}/daemon") as daemon:
            facts["ready"], facts["programs"] = daemon.ready, sorted(programs.of_process(daemon.process.pid))
            made = Path(directory) / "made"
            guest.load(guest.Made(str(made)))
            assert made.exists() and not facts["programs"] and not daemon.alerts.exists() and daemon.status() is None
