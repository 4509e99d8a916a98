"""What runs while daemon.py measures: a daemon of its own, a reader of fanotify, a redis-server."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from bench import PROGRAM

BESIDE = pathlib.Path(PROGRAM).parent / "bench"
# In a /run of its own: its lock is nobody else's.
ALONE = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"]
lost = []  # what each daemon has lost, when it had done


def wanted(name):
    rows = [a.removeprefix("--rows=").split(",") for a in sys.argv if a.startswith("--rows=")]
    return not rows or name in rows[-1]


def is_met(true):
    return "yes" if true else "**no**"


def until(true, seconds, otherwise):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            sys.exit(f"{otherwise} within {seconds} s")
        time.sleep(0.05)


def on_cpu(which):
    """What a command begins with that is to have a CPU of its own: moved about, it is as fast as luck has it."""
    cpus = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(cpus[which])] if len(cpus) > 1 else []


@contextlib.contextmanager
def running(command, **kwargs):
    """A process that is ended afterwards."""
    process = subprocess.Popen(command, **kwargs)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Daemon:
    """One that is up, and settled."""

    def __init__(self, directory, process):
        self.process, self.alerts, self.socket = process, f"{directory}/alerts", f"{directory}/control"

    def status(self, *options):
        done = subprocess.run([PROGRAM, "status", "--json", f"--socket={self.socket}", *options],
                              capture_output=True, text=True)
        if self.process.poll() is not None:
            sys.exit(f"the daemon has ended: {self.process.returncode}")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def calls(self):
        """How it looks at system calls, or "off"."""
        return next(hook["how"] for hook in self.status()["hooks"] if hook["name"] == "syscall")

    def seconds(self):
        """That it has spent on a CPU."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) * 1024

    def share(self, seconds, meanwhile=time.sleep):
        """Of a core."""
        start, used = time.monotonic(), self.seconds()
        meanwhile(seconds)
        return (self.seconds() - used) / (time.monotonic() - start)

    def effects(self):
        """The paths of which there are alerts, in their order."""
        with open(self.alerts) as file:
            return [path_of(line) for line in file.read().split("\n")[:-1]]

    def settle(self):
        """Until it has nothing left to do."""
        end = time.monotonic() + 5
        while self.share(0.2) > 0.02 and time.monotonic() < end:
            pass


def path_of(line):
    return ((json.loads(line).get("effect") or {}).get("detail") or {}).get("path")


@contextlib.contextmanager
def daemon(directory, file_writes="auto", inventory=False):
    config = pathlib.Path(directory, "modelwatch.yaml")
    config.write_text(f"mode: alert\nalerts: {directory}/alerts\ncontrol: {{socket: {directory}/control}}\n"
                      f"reports: {{socket: {directory}/report}}\nfile_writes: {file_writes}\n")
    if inventory:
        sink = {"name": "all", "type": "file", "path": f"{directory}/inventory", "inventory": True}
        with open(config, "a") as file:
            file.write(f"sinks: [{json.dumps(sink)}]\nspool: {{path: {directory}/spool/spool.db}}\n")
    config.chmod(0o600)
    with running([*ALONE, PROGRAM, "daemon", "--foreground", "--quiet", f"--config={config}"],
                 stdin=subprocess.DEVNULL) as process:
        it = Daemon(directory, process)
        until(it.status, 60, "no daemon is up")
        until(lambda: (it.calls() == "off") == (file_writes == "off"), 10,
              f"system calls are not looked at as file_writes={file_writes} says")
        it.settle()
        yield it
        lost.append(it.status()["losses"])


@contextlib.contextmanager
def fanotify(directory):
    with running([BESIDE / "fanotify", directory], stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline().strip()
        yield line
    line and print(f"fanotify: {line}; {process.stdout.read().strip()} events", file=sys.stderr)


@contextlib.contextmanager
def redis():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with running([*on_cpu(0), "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no",
                  "--daemonize", "no"], stdout=subprocess.DEVNULL):
        ask = ["redis-cli", "-p", port, "ping"]
        until(lambda: subprocess.run(ask, capture_output=True).returncode == 0, 10, "no redis-server is up")
        yield port
