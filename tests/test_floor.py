"""The floor below libc as `modelwatch run` has it: when it is there, when not, and who answers when the
monitor does not. What it makes of a load's system calls is tested with the attacks."""
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import PROGRAM

STATUS = ["grep", "-E", "^(Seccomp|NoNewPrivs):", "/proc/self/status"]
NONE_HERE = "modelwatch: no floor below libc here: .+; raw system calls are not seen\n"
DIED = "modelwatch: the monitor has died; the job goes on without it, unwatched\n"
SHUT = "modelwatch: the monitor has died; what the floor guards is refused\n"

# Writes a new checkpoint 20 times a second, and says so.
CHECKPOINTS = """
import os, sys, time
for i in range(40):
    try:
        with open(f"{sys.argv[1]}/{i}", "w") as f:
            f.write("checkpoint")
        print("wrote", flush=True)
    except OSError as e:
        print(type(e).__name__, flush=True)
    time.sleep(0.05)
"""


def command(*args, options=(), program=PROGRAM):
    return [program, "run", *options, "--", *args]


def run(*args, **kwargs):
    return subprocess.run(command(*args, **kwargs), capture_output=True, text=True, timeout=60)


def status(text):
    return dict(line.split(":\t") for line in text.splitlines())


def test_it_is_there_unless_switched_off():
    for options in ([], ["--floor=auto"], ["--floor=require"]):
        done = run(*STATUS, options=options)
        assert status(done.stdout)["Seccomp"] == "2"
        assert done.stderr == ""
    done = run(*STATUS, options=["--floor=off"])
    assert status(done.stdout)["Seccomp"] == "0"
    assert done.stderr == ""


def test_a_run_in_a_run_says_that_it_has_none():
    done = run(*command("sh", "-c", "echo ran; exit 7"))
    assert (done.returncode, done.stdout) == (7, "ran\n")
    assert re.fullmatch(NONE_HERE, done.stderr)
    assert "another listener" in done.stderr


def test_a_start_without_it_has_the_terminal_all_the_same():
    code = "import os; print(os.tcgetpgrp(0) == os.getpgrp() and 'in the foreground')"
    pid, fd = pty.fork()
    if not pid:
        os.execv(PROGRAM, command(*command(sys.executable, "-c", code)))
    text = b""
    try:
        while piece := os.read(fd, 4096):
            text += piece
    except OSError:  # the last one has closed it
        pass
    os.close(fd)
    assert os.waitpid(pid, 0)[1] == 0
    assert b"no floor below libc here" in text
    assert b"in the foreground" in text


def test_required_and_not_there_starts_nothing(tmp_path):
    done = run(*command("touch", str(tmp_path / "ran"), options=["--floor=require"]))
    assert done.returncode == 125
    assert re.fullmatch("modelwatch: --floor=require: .*another listener.*\n", done.stderr)
    assert not (tmp_path / "ran").exists()


def test_without_privileges_it_sets_no_new_privs(nobody):
    become, program = nobody
    done = subprocess.run([*become, *command(*STATUS, options=["--floor=require"], program=program)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert status(done.stdout) == {"NoNewPrivs": "1", "Seccomp": "2"}
    assert done.stderr == ""


def test_with_privileges_it_leaves_them():
    if os.getuid():
        pytest.skip("needs root")
    assert status(run(*STATUS).stdout)["NoNewPrivs"] == status(Path(
        "/proc/self/status").read_text())["NoNewPrivs"]


def test_io_uring_is_the_policys_to_allow(tmp_path):
    code = ("import ctypes; libc = ctypes.CDLL(None, use_errno=True);"
            "libc.syscall(426, -1, 0, 0, 0, 0, 0); print(ctypes.get_errno())")
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nfloor: {io_uring: allow}\n")
    bare = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    allowed = run(sys.executable, "-c", code, options=[f"--policy={policy}"])
    assert allowed.stdout == bare.stdout
    assert run(sys.executable, "-c", code).stdout == "38\n"  # ENOSYS


# A load that makes memory executable by a raw call, and what the monitor's descriptors are then.
DESCRIPTORS = """
import ctypes, os, pickle
mmap = ctypes.CDLL(None).mmap
class Payload:
    def __reduce__(self):
        return mmap_it, ()
def mmap_it():
    return mmap(None, 4096, 5, 0x22, -1, 0)
def descriptors():
    return {fd: os.readlink(f"/proc/{os.getppid()}/fd/{fd}") for fd in "012"}
before = descriptors()
try:
    pickle.loads(pickle.dumps(Payload()))
except Exception as e:
    print(type(e).__name__, descriptors() == before)
"""


def test_what_is_looked_at_costs_the_monitor_no_descriptor():
    done = run(sys.executable, "-c", DESCRIPTORS)
    assert done.stdout == "UnsafeLoadError True\n", done.stderr


def start(job, directory, policy=""):
    path = directory / "policy.yaml"
    path.write_text(f"version: 1\n{policy}\n")
    return subprocess.Popen(command(*job, str(directory), options=[f"--policy={path}"]),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("policy, then, said", [
    ("", "wrote\n", DIED), ("floor: {on_death: closed}", "PermissionError\n", SHUT)])
def test_a_killed_monitor_is_answered_for(policy, then, said, tmp_path):
    job = start([sys.executable, "-c", CHECKPOINTS], tmp_path, policy)
    before = [job.stdout.readline() for _ in range(10)]
    job.kill()
    after, stderr = job.communicate(timeout=60)  # until job and keeper have ended
    assert job.returncode == -signal.SIGKILL
    assert before == ["wrote\n"] * 10
    after = after.splitlines(keepends=True)
    assert len(before + after) == 40
    assert set(after[2:]) == {then}
    assert stderr == said


def test_a_stopped_monitor_is_waited_for(tmp_path):
    job = start([sys.executable, "-c", CHECKPOINTS], tmp_path)
    for _ in range(5):
        job.stdout.readline()
    job.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    stopped = len(list(tmp_path.iterdir()))
    time.sleep(1)
    assert len(list(tmp_path.iterdir())) == stopped
    job.send_signal(signal.SIGCONT)
    after, stderr = job.communicate(timeout=60)
    assert (job.returncode, stderr) == (0, "")
    assert after == "wrote\n" * 35


def test_tasks_that_outlive_the_command_are_answered():
    code = "import os, time\nif not os.fork():\n    time.sleep(1)\n    os.execvp('echo', ['echo', 'late'])"
    done = run(sys.executable, "-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "late\n", "")


def test_no_keeper_stays_behind():
    done = run("sh", "-c", "cat /proc/$PPID/task/$PPID/children; echo $$")
    *children, own = done.stdout.split()
    keepers = [pid for pid in children if pid != own]
    assert len(keepers) == 1
    deadline = time.monotonic() + 20
    keeper = Path("/proc") / keepers[0] / "cmdline"
    while keeper.exists() and keeper.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not keeper.exists() or not keeper.read_bytes()  # gone, or waiting to be reaped
