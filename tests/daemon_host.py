"""A daemon for a test: in a mount namespace of its own, so that its /run is nobody else's."""
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time

from conftest import PROGRAM

START = 'mount -t tmpfs none /run && exec "$@"'
# What the daemon cannot do without, as `modelwatch doctor` names it.
NEEDED = ["kernel types", "ring buffer", "lineage", "task registers", "uprobes", "system calls"]
LOCK = os.path.join(tempfile.gettempdir(), "modelwatch-tests-daemon.lock")


def why_not():
    """Why there can be no daemon here; None: there can."""
    if os.getuid() or not shutil.which("unshare") or not shutil.which("nsenter"):
        return "needs root, unshare and nsenter"
    done = subprocess.run([PROGRAM, "doctor", "--json"], capture_output=True, text=True, timeout=120)
    rungs = {rung["name"]: rung for rung in json.loads(done.stdout)["kernel"] or []}
    lacking = [name for name in NEEDED if rungs.get(name, {"state": "off"})["state"] == "off"]
    return f"the kernel lacks: {', '.join(lacking)}" if lacking else None


@contextlib.contextmanager
def alone():
    """No other test that asks for this has a daemon meanwhile."""
    with open(LOCK, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Daemon:
    """One that is ready, until the end of a `with`. Its alerts are in `place`."""

    def __init__(self, place, *options):
        self.command = ["unshare", "--mount", "sh", "-c", START, "sh", PROGRAM, "daemon", "--foreground",
                        "--quiet", f"--alerts={place / 'alerts'}", *options]
        self.log = place / "daemon.log"

    def __enter__(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.answer()
        return self

    def __exit__(self, *error):
        self.process.terminate()
        status = self.process.wait(60)
        assert status == 0 or error[0], self.log.read_text()

    def status(self):
        """What `modelwatch status` says; None: not ready, or no answer for the moment."""
        done = subprocess.run(["nsenter", f"--target={self.process.pid}", "--mount", PROGRAM, "status", "--json"],
                              capture_output=True, text=True, timeout=60)
        self.said = done.stderr
        return json.loads(done.stdout) if done.returncode == 0 else None

    def answer(self):
        """As status(), of a daemon that has much to do."""
        until = time.monotonic() + 60
        while not (status := self.status()):
            assert self.process.poll() is None and time.monotonic() < until, self.said + self.log.read_text()
            time.sleep(0.1)
        return status
