"""`modelwatch daemon` for the tests: started in a /run of its own, asked, and ended; and one that all tests share.

It sees every process of the machine, so what a test asks for are the alerts of its own victim: by the process
and those that it comes from, and by the victim's own directory, which is in the paths that the alert names."""
import concurrent.futures
import contextlib
import fcntl
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from attacks.run import finish
from conftest import PROGRAM

PATIENCE = 20  # seconds for what should take milliseconds, on a busy machine
START = 60     # and for a start: every interpreter of the machine is looked at
# In a /run of its own: the lock and the report socket are nobody else's.
ALONE = 'mount -t tmpfs none /run && exec "$@"'
# The parent of a victim: attacks look for a monitor there.
PARENT = ["sh", "-c", '"$@"; exit $?', "sh"]
# What the kernel has to do for the daemon, as `modelwatch doctor` names it.
NEEDED = ["kernel types", "ring buffer", "lineage", "task registers", "uprobes", "system calls"]

# A victim of the tests' own: everything that happened before it has been told when it has.
CANARIES = "modelwatch-canary-"
CANARY = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))"


class Made:
    """Pickled, a call of posix.mkdir."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def lacking():
    """Why there can be no daemon here, or None."""
    if os.getuid() or not shutil.which("unshare"):
        return "needs root and unshare"
    done = subprocess.run([PROGRAM, "doctor", "--json"], capture_output=True, text=True, timeout=120)
    rungs = {rung["name"]: rung for rung in json.loads(done.stdout)["kernel"] or []}
    missing = [name for name in NEEDED if rungs.get(name, {"state": "off"})["state"] == "off"]
    return f"the kernel lacks: {', '.join(missing)}" if missing else None


class Daemon:
    """One daemon, and what it has written. `pid` of one that somebody else has started."""

    def __init__(self, directory, mode="alert", config=(), program=PROGRAM, pid=None):
        self.directory, self.mode, self.program, self.pid = Path(directory), mode, program, pid
        self.alerts, self.log = self.directory / "alerts.jsonl", self.directory / "log"
        self.socket, self.config = self.directory / "control.sock", self.directory / "modelwatch.yaml"
        self.config_lines, self.process = config, None

    def start(self):
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.configure(*self.config_lines)
        command = ["unshare", "--mount", "sh", "-c", ALONE, "sh", self.program, "daemon", "--foreground", "--quiet",
                   f"--config={self.config}", f"--alerts={self.alerts}"]
        if self.mode:
            command.append(f"--mode={self.mode}")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                            start_new_session=True)
        self.pid = self.process.pid
        until(self.is_ready, START, "the daemon is not ready", self)
        return self

    def configure(self, *lines):
        self.config.write_text("\n".join([f"control:\n  socket: {self.socket}", *lines, ""]))
        self.config.chmod(0o600)

    def is_ready(self):
        if self.process and self.process.poll() is not None:
            raise AssertionError(f"the daemon has ended with {self.process.returncode}: {self.said()}")
        return self.status() is not None

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def status(self):
        """What `modelwatch status --json` says; None when nobody answers."""
        done = subprocess.run([self.program, "status", "--json", f"--socket={self.socket}"], capture_output=True,
                              text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self):
        """Ends it as its manager would. Returns its exit status, None of one that somebody else has started."""
        if self.process and self.process.poll() is not None:
            return self.process.returncode
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        if self.process:
            return self.process.wait(PATIENCE)
        until(lambda: has_ended(self.pid), PATIENCE, "the daemon does not end", self)
        return None

    def mark(self):
        """A place in the alerts file, for records(): the lines that begin later."""
        if not self.alerts.exists():
            return 0
        text = self.alerts.read_bytes()
        return text.rfind(b"\n") + 1 if not text.endswith(b"\n") else len(text)

    def records(self, since=0):
        with open(self.alerts, "rb") as file:
            file.seek(since)
            # The last line may be on its way.
            return [json.loads(line) for line in file.read().split(b"\n")[:-1]]

    def alerts_of(self, victim, since=0):
        """The first record of each alert about the victim, in order."""
        found = [record for record in self.records(since) if record["schema"].startswith("modelwatch.alert/")]
        return [record for record in found if record["update"] == 0 and victim.owns(record)]

    def wait_for(self, victim, since=0, enough=bool):
        """The same, as soon as `enough` of them is true; whatever there is when all that happened has been told."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            found = self.alerts_of(victim, since)
            if enough(found):
                return found
            time.sleep(0.02)
        self.settle()
        return self.alerts_of(victim, since)

    def settle(self):
        """Waits until everything that has happened so far has been told: events come in order."""
        until(self.tells_canary, PATIENCE, "a load that acts is not told", self)

    def tells_canary(self):
        """Its event may be lost like any other; then there has to be another one."""
        since, end = self.mark(), time.monotonic() + 3
        with tempfile.TemporaryDirectory(prefix=CANARIES) as directory:
            stream = pickle.dumps(Made(f"{directory}/made"), 2).hex()
            subprocess.run([sys.executable, "-I", "-S", "-c", CANARY, stream], check=True)
            while time.monotonic() < end:
                if self.alerts_of(Victim(directory), since):
                    return True
                time.sleep(0.02)
        return False


class Victim:
    """Whose alerts a test is about: a process and what comes of it; of those that have gone before they were looked at,
    what names one of these paths, or something below it."""

    def __init__(self, *paths, pid=None):
        self.named, self.pid = re.compile("|".join(re.escape(str(path)) + r"\b" for path in paths)), pid

    def owns(self, record):
        process, text = record["process"], json.dumps(record, ensure_ascii=False)
        if self.named.search(text):
            return True
        return self.pid in {process["pid"], *(ancestor["pid"] for ancestor in process["ancestors"])} \
            and CANARIES not in text


def until(true, seconds, otherwise, daemon):
    """Waits for it, and raises what is to be said when it does not come."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"{otherwise} after {seconds} s; {daemon.said()}")
        time.sleep(0.05)


def has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Shared:
    """One daemon for the processes of pytest-xdist: the first starts it, the last ends it."""

    def __init__(self, directory, **options):
        self.directory, self.options = Path(directory), options
        self.state = self.directory / "state"

    @contextlib.contextmanager
    def locked(self):
        """What is known of it, which is kept as it is left."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        with open(self.directory / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = json.loads(self.state.read_text()) if self.state.exists() else {"users": 0, "pid": None}
            yield state
            self.state.write_text(json.dumps(state))

    def take(self):
        with self.locked() as state:
            daemon = Daemon(self.directory, pid=state["pid"], **self.options)
            if not state["users"]:
                daemon.start()
            state["users"], state["pid"] = state["users"] + 1, daemon.pid
        return daemon

    def leave(self, daemon):
        with self.locked() as state:
            state["users"] -= 1
            if not state["users"]:
                daemon.stop()


def common(tmp_path_factory):
    """A directory for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def run_bare(programs):
    """What each honest program does: its standard output, its errors, its exit status."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda program: finish([*PARENT, sys.executable, str(program)], timeout=180), programs)
        return {program.stem: [output, errors, process.returncode]
                for program, (process, output, errors) in zip(programs, done)}


@pytest.fixture(scope="session")
def bare(request, tmp_path_factory):
    """What the honest programs that are going to be tested do while no daemon of these tests is up: every daemon is
    started after this. By name."""
    programs = [item.callspec.params["program"] for item in request.session.items
                if item.path.name == "test_daemon_honest.py" and "program" in item.callspec.params]
    kept = common(tmp_path_factory) / "bare.json"
    with open(kept.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(run_bare(programs)))
        return json.loads(kept.read_text())


@pytest.fixture(scope="session")
def daemons(bare, tmp_path_factory):
    """Starts a daemon for this process of the tests alone, or one for all under a name. Ends them all."""
    reason = lacking()
    if reason:
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        def start(name=None, **options):
            if name:
                owner = Shared(common(tmp_path_factory) / name, **options)
                daemon = owner.take()
                stack.callback(owner.leave, daemon)
            else:
                daemon = Daemon(tmp_path_factory.mktemp("daemon"), **options)
                stack.callback(daemon.stop)
                daemon.start()
            return daemon
        yield start


@pytest.fixture(scope="session")
def host_daemon(daemons):
    """A daemon in the mode alert, for all tests."""
    return daemons("daemon-alert")


@pytest.fixture(scope="session")
def observing_daemon(daemons):
    """One that is not told a mode."""
    return daemons("daemon-observe", mode=None)
