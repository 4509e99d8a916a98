"""A place where daemons come and go: a mount namespace with a /run and a bpffs of its own, which lasts as long as the test,
and a job that attacks all the time, in a control group of its own: nobody else is refused anything."""
import contextlib
import json
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from conftest import PROGRAM
from daemon import START, Daemon, lacking as lacks, until

HOLD = "mount -t tmpfs none /run && mount -t bpf bpf /sys/fs/bpf && echo && exec cat"
BARE = "mount -t tmpfs none /run && mount -t tmpfs none /sys/fs/bpf && echo && exec cat"
JOINS = 'echo $$ >"$0"/cgroup.procs && exec "$@"'
PINS = "/sys/fs/bpf/modelwatch"
# Loads that connect, one after the other, until standard input ends. A line whenever something else comes of it than
# before, and at the end how often each thing did, and the longest that one took, in milliseconds.
ATTACK = """
import collections, json, pickle, select, socket, sys, time
class Connects:
    def __reduce__(self):
        return socket.create_connection, (("127.0.0.1", int(sys.argv[1])), 1)
stream, counts, longest, before = pickle.dumps(Connects(), 2), collections.Counter(), 0, None
while not select.select([sys.stdin], [], [], 0.004)[0]:
    began = time.monotonic()
    try:
        pickle.loads(stream)
        came = "connected"
    except PermissionError:
        came = "refused"
    longest = max(longest, time.monotonic() - began)
    counts[came] += 1
    if came != before:
        print(came, flush=True)
    before = came
print(json.dumps({**counts, "longest": round(1000 * longest)}))
"""
# A load that leaves its control group and connects, and another one that only connects: what comes of them, and whether
# the group was left.
LEAVES = """
import pickle, socket, sys
class Leaves:
    def __reduce__(self):
        return eval, (f"open({sys.argv[2]!r}, 'w').write('0')",)
class Connects:
    def __reduce__(self):
        return socket.create_connection, (("127.0.0.1", int(sys.argv[1])), 1)
came = []
for values in [Leaves(), Connects()], [Connects()]:
    try:
        pickle.loads(pickle.dumps(values, 2))
        came.append("connected")
    except PermissionError:
        came.append("refused")
print(*came, "0::/\\n" in open("/proc/self/cgroup").read())
"""
# One load, which connects when standard input ends.
SLOW = """
import os, pickle, socket, sys
class Waits:
    def __reduce__(self):
        return os.read, (0, 1)
class Connects:
    def __reduce__(self):
        return socket.create_connection, (("127.0.0.1", int(sys.argv[1])), 1)
print("begins", flush=True)
try:
    pickle.loads(pickle.dumps([Waits(), Connects()], 2))
    print("connected")
except PermissionError:
    print("refused")
"""


def hierarchy():
    """Where the control groups of version 2 are, or None."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)


def lacking():
    """Why nothing can be refused here, or None."""
    return lacks() or (None if hierarchy() else "no control groups of version 2")


class Place:
    def __init__(self, directory, hold=HOLD):
        self.directory = Path(directory)
        self.group = Path(tempfile.mkdtemp(prefix="modelwatch-tests-", dir=hierarchy()))
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdout.readline()

    def __enter__(self):
        self.daemons = []
        return self

    def __exit__(self, *_):
        """Nothing is refused any more, whatever a test has left."""
        for daemon in self.daemons:
            daemon.process.kill()
            daemon.process.wait()
        self.release()
        self.holder.stdin.close()
        self.holder.wait()
        self.group.rmdir()

    def inside(self, *command):
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *map(str, command)]

    def run(self, *command):
        return subprocess.run(self.inside(*command), capture_output=True, text=True)

    def pinned(self):
        """The folders of what stays."""
        path = Path(f"/proc/{self.holder.pid}/root{PINS}")
        return sorted(entry.name for entry in path.iterdir()) if path.exists() else []

    def release(self, program=PROGRAM):
        return self.run(program, "daemon", "release")


class Coming(Daemon):
    """A daemon in such a place."""

    def __init__(self, place, refusing="", storm=0, **options):
        config = [f"storm: {storm}", f"refusing: {{cgroups: /{place.group.name}{refusing}}}"]
        super().__init__(place.directory / "daemon", mode="deny", config=config, **options)
        self.place = place

    def launch(self):
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.configure(*self.config_lines)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.place.inside(self.program, "daemon", "--foreground", "--quiet", f"--config={self.config}",
                                  f"--alerts={self.alerts}", f"--mode={self.mode}"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True)
        self.pid = self.process.pid
        self.place.daemons.append(self)
        return self

    def start(self):
        self.launch()
        until(self.is_ready, START, "the daemon is not ready", self)
        return self

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def leave(self):
        """Ends it as systemd does when another one is to start."""
        self.signal(signal.SIGUSR2)
        assert self.process.wait(START) == 0


class Job:
    """A Python program with a port to connect to."""

    def __init__(self, group, program, port):
        python = [sys.executable, "-I", "-S", "-c", program, str(port), str(hierarchy() / "cgroup.procs")]
        self.process = subprocess.Popen(["sh", "-c", JOINS, group, *python], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)

    def says(self, word):
        """Waits until it does."""
        said = []
        while word not in said:
            assert select.select([self.process.stdout], [], [], START)[0], f"{word}: it says {said}"
            said.append(self.process.stdout.readline().decode().strip())
            assert said[-1], f"it has ended, and said {said}"

    def end(self):
        """What it says in the end."""
        return self.process.communicate(timeout=START)[0].decode().splitlines()[-1]

    def count(self):
        return json.loads(self.end())


@contextlib.contextmanager
def job(group, program, port):
    running = Job(group, program, port)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def changed(program, directory, words):
    """Another build of the program: these words in it are others of the same length."""
    source = Path(program).resolve()
    directory.mkdir()
    for name in "modelwatch", "modelwatch-courier":
        shutil.copy(source.parent / name, directory)
    copy = directory / "modelwatch"
    data = copy.read_bytes()
    for old, new in words.items():
        old, new = (b"\0" + word.encode() + b"\0" for word in (old, new))
        assert len(old) == len(new) and old in data, old
        data = data.replace(old, new)
    copy.write_bytes(data)
    return copy


def programs_of(pid):
    """The numbers of the programs that a process has in the kernel."""
    infos = [path.read_text() for path in Path(f"/proc/{pid}/fdinfo").iterdir()]
    return {int(number) for info in infos for number in re.findall(r"^prog_id:\t(\d+)$", info, re.MULTILINE)}


def programs_there():
    tool = shutil.which("bpftool") or "/usr/sbin/bpftool"
    done = subprocess.run([tool, "--json", "prog", "show"], capture_output=True, text=True, check=True)
    return {program["id"] for program in json.loads(done.stdout)}
