"""Sinks in the lives of jobs: receivers that are down for long, jobs that share a spool, and jobs that do not like it."""
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import termios
import threading
import time

import pytest

from attacks import native
from conftest import PROGRAM
from receivers import Server, drive_program, free_port, until, whole  # noqa: F401
from sinks_end_to_end import FAKETIME, install
from sinks_net.http_stub import Stub
from test_courier import JOB, couriers_of

HELD = 5  # seconds that a run may take for its end, beyond what `flush` says


def policy(directory, *sinks, **spool):
    path = directory / "policy.yaml"
    path.write_text(json.dumps({
        "version": 1, "sinks": [{"format": "native", **sink} for sink in sinks],
        "spool": {"path": str(directory / "spool" / "spool.db"), "flush": "1s",
                  "per_minute": {"per_rule": "0", "per_artifact": "0"}, **spool}}))
    return path


def file(directory, name="file"):
    return {"name": name, "type": "file", "path": str(directory / f"{name}.jsonl")}


def http(port, name="http"):
    return {"name": name, "type": "http", "body": "webhook", "url": f"http://127.0.0.1:{port}", "timeout": "2s"}


def start(policy, directory, name, effects, *more, program=PROGRAM, pause=0.0):
    made = directory / f"made-{name}"
    made.mkdir()
    job = JOB.replace("pickle.loads(", f"__import__('time').sleep({pause}); pickle.loads(", 1) if pause else JOB
    return subprocess.Popen(
        [program, "run", "--mode=alert", f"--policy={policy}", f"--alerts={directory}/alerts-{name}.jsonl", *more, "--",
         sys.executable, "-c", job, made, str(effects)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*args, **keys):
    """What it said, and how long it took."""
    began = time.monotonic()
    job = start(*args, **keys)
    _, said = job.communicate(timeout=120)
    assert job.returncode == 0
    return said, time.monotonic() - began


def names(path):
    return [(record["id"], record["update"]) for record in map(json.loads, pathlib.Path(path).read_text().splitlines())]


def written(directory):
    return {name for path in directory.glob("alerts-*.jsonl") for name in names(path)}


def taken(stub):
    return [(record["id"], record["update"]) for record in stub.taken]


def test_one_that_is_down_or_hangs_holds_no_other(tmp_path):
    """And no run for longer than `flush`. Who runs next sends what is left."""
    port, hold = free_port(), threading.Event()
    with Server(lambda _: hold.wait(60)) as hanging:
        config = policy(tmp_path, http(port, "down"), file(tmp_path), {**http(hanging.port, "hangs"), "timeout": "30s"},
                        flush="3s")
        said, took = run(config, tmp_path, 1, 50)
        hold.set()
    assert "alerts are kept, and wait: sink " in said
    assert took < 3 + HELD
    assert set(names(tmp_path / "file.jsonl")) == written(tmp_path)
    with Stub("webhook", port=port) as stub:
        policy(tmp_path, http(port, "down"), file(tmp_path), flush="20s")
        said, took = run(config, tmp_path, 2, 1)
        assert set(taken(stub)) == written(tmp_path)
    assert "alerts are kept" not in said and took < 20
    assert set(names(tmp_path / "file.jsonl")) == written(tmp_path)


def test_a_dead_letter_has_the_words_of_its_receiver(tmp_path):
    """Bounded, and as a terminal may be given them."""
    says = {"status": 422, "body": {"message": "no field \x1b[31m'load'\nanother\u202e" + "A" * 5000}}
    with Stub("webhook", default=says) as stub:
        config = policy(tmp_path, {**http(stub.port)}, flush="10s")
        run(config, tmp_path, 1, 2)
    done = subprocess.run([PROGRAM, "alerts", "dead", f"--policy={config}"], capture_output=True, text=True, check=True)
    lines = done.stdout.split("\n")[:-1]
    assert len(lines) >= 2
    for line in lines:
        assert f"""http: http://127.0.0.1:{stub.port} answers 422: "no field \\x1b[31m'load'\\nanother\\u202eAAA""" in line
        assert "\x1b" not in line and "\u202e" not in line and len(line) < 700


@pytest.mark.parametrize("status", [422, 403])
def test_secrets_of_a_url_are_shown_nowhere(status, tmp_path):
    """Neither by who lists sinks nor by what a receiver repeats of what it was sent."""
    secrets = ["S3gment-of-path", "Qu3ry-of-hook", "H3ad3r-of-hook"]

    def echo(stub, request, data):
        return {"status": status, "body": {"message": f"{request.path} {request.headers['X-Key']}"}}

    with Stub("webhook", default=echo) as stub:
        sink = {**http(stub.port), "headers": {"X-Key": secrets[2]}}
        sink["url"] += f"/T0/{secrets[0]}?key={secrets[1]}"
        config = policy(tmp_path, sink, flush="60s" if status == 422 else "3s")
        said, _ = run(config, tmp_path, 1, 2)
        shown = [said] + [subprocess.run([PROGRAM, *words, f"--policy={config}"], capture_output=True, text=True)
                          for words in (["sink", "list"], ["sink", "test", "http"], ["policy", "show"],
                                        ["alerts", "dead"], ["alerts"])]
        assert all(secret in f"{stub.requests[0]}" for secret in secrets)
    for text in map(str, shown):
        assert not any(secret in text for secret in secrets), text
    assert f"http://127.0.0.1:{stub.port}/..." in shown[1].stdout and shown[3].stdout.count("...") == 2
    assert f'answers {status}: "***' in shown[2].stderr
    assert shown[4].stdout.count("answers 422") >= 2 if status == 422 else "answers 403" in said
    for path in (tmp_path / "spool").iterdir():
        assert not any(secret.encode() in path.read_bytes() for secret in secrets)


@pytest.mark.skipif(not FAKETIME, reason="needs faketime: tests/setup.sh")
def test_alerts_of_an_hour_ago_are_sent(drive_program, tmp_path):  # noqa: F811
    port = free_port()
    config = policy(tmp_path, http(port))
    run(config, tmp_path, 1, 50)
    with Stub("webhook", port=port) as stub:
        run(policy(tmp_path, http(port), flush="3600s"), tmp_path, 2, 1,
            program=install(tmp_path / "later", FAKETIME="+1h"))
        assert written(tmp_path) <= set(taken(stub))


class Watched(Stub):
    """How many requests it was asked at once, at most."""

    def __init__(self, *args, **keys):
        super().__init__(*args, **keys)
        self.now = self.most = 0

    def serve(self, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            super().serve(request)
        finally:
            with self.lock:
                self.now -= 1


def holder(path):
    """The process that has the lock beside the spool."""
    inode = path.stat().st_ino
    for line in pathlib.Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "FLOCK" and int(words[5].rsplit(":", 1)[1]) == inode:
            return int(words[4])
    return None


def test_twenty_runs_share_a_spool(tmp_path):
    """One sends at a time; when it is killed, another goes on."""
    with Watched("webhook") as stub:
        config = policy(tmp_path, http(stub.port), file(tmp_path), flush="10s")
        jobs = [start(config, tmp_path, n, 40, "--quiet", pause=0.05) for n in range(20)]
        lock, killed = tmp_path / "spool" / "spool.db.lock", []
        until(lambda: stub.taken, 60)
        for _ in range(3):
            pid = until(lambda: (lambda now: now if now not in killed else None)(holder(lock)), 30)
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            time.sleep(0.3)
        for job in jobs:
            assert (job.communicate(timeout=120)[1], job.returncode) == ("", 0)
        run(policy(tmp_path, http(stub.port), file(tmp_path), flush="60s"), tmp_path, "last", 1)
        got = taken(stub)
    assert set(got) == written(tmp_path) and len({uid for uid, _ in got}) == 20 * 40 + 1
    assert stub.most == 1
    in_file = whole(tmp_path / "file.jsonl")  # one of those that were killed may have written half a line
    records = [record["sequence"] for record in in_file]
    first = list(dict.fromkeys(records))
    assert first == sorted(first)
    assert {(record["id"], record["update"]) for record in in_file} == written(tmp_path)
    print(f"{len(got) - len(set(got))} and {len(records) - len(first)} came again")


# Found as an attacker finds it; each is a load of its own.
ATTACKS = """
import os, pickle, sys, time
import rawcall
class Node:
    def __init__(self, function, *args):
        self.function, self.args = function, args
    def __reduce__(self):
        return self.function, self.args
def load(node):
    try:
        return pickle.loads(pickle.dumps(node))
    except BaseException as error:
        return type(error).__name__
def is_courier(pid):
    try:
        return open(f"/proc/{pid}/comm").read() == "modelwatch-cour\\n" and \\
            open(f"/proc/{pid}/stat").read().split()[3] == str(os.getppid())
    except OSError:
        return False
end = time.monotonic() + 10
couriers = []
while not couriers and time.monotonic() < end:
    couriers = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_courier(pid)]
pid, spool = couriers[0], sys.argv[1]
pidfd = os.pidfd_open(pid)
"""
TRIES = {
    "kill": "os.kill, pid, 9",
    "raw_kill": "rawcall.call, 62, pid, 9",
    "raw_stop": "rawcall.call, 62, pid, 19",
    "raw_ptrace": "rawcall.call, 101, 16, pid, 0, 0",
    "pidfd_signal": "rawcall.call, 424, pidfd, 9, 0, 0",
    "pidfd_socket": "rawcall.call, 438, pidfd, 0, 0",
    "memory": 'os.open, f"/proc/{pid}/mem", os.O_RDWR',
    "ring": 'os.open, f"/proc/{pid}/fd/3", os.O_RDWR',
    "raw_ring": 'rawcall.call, 257, -100, f"/proc/{pid}/fd/3", 2, 0',
    "limits": "rawcall.call, 302, pid, 7, rawcall.pack(3, 3), 0",
    "spool_gone": "os.unlink, spool",
    "spool_opened": "os.open, spool, os.O_RDWR",
    "spool_moved": 'os.rename, spool, spool + ".old"',
    "spool_filled": 'os.open, os.path.dirname(spool) + "/filler", os.O_RDWR | os.O_CREAT, 0o600',
    "lock": 'os.open, spool + ".lock", os.O_RDWR',
}


def attack(directory, tries, mode):
    """What a job that loads these said, its exit status, and the alerts that got out."""
    config = policy(directory, file(directory), flush="60s")
    code = ATTACKS + "".join(f"print({name!r}, load(Node({what})), flush=True)\n" for name, what in tries.items())
    script = directory / "job.py"
    script.write_text(code)
    done = subprocess.run(
        [PROGRAM, "run", "--quiet", f"--mode={mode}", f"--policy={config}", f"--alerts={directory}/alerts-1.jsonl", "--",
         sys.executable, str(script), str(directory / "spool" / "spool.db")], capture_output=True, text=True,
        timeout=120, env={**os.environ, "PYTHONPATH": str(native.directory())})
    return done, names(directory / "file.jsonl") if (directory / "file.jsonl").exists() else []


@pytest.mark.skipif(not native.can_be_built(), reason="x86-64 and a C compiler")
def test_a_load_cannot_stop_what_tells_of_it(tmp_path):
    done, got = attack(tmp_path, TRIES, "deny")
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert set(said) == set(TRIES), done
    assert set(said.values()) == {"UnsafeLoadError"}, said
    assert done.stderr == ""
    assert len({uid for uid, _ in got}) == len(TRIES) and set(got) == written(tmp_path)
    outcomes = {json.loads(line)["outcome"] for line in (tmp_path / "file.jsonl").read_text().splitlines()}
    assert outcomes == {"prevented"}


@pytest.mark.skipif(not native.can_be_built(), reason="x86-64 and a C compiler")
@pytest.mark.parametrize("name", ["kill", "raw_kill", "raw_ptrace", "spool_gone"])
def test_the_end_of_a_job_is_not_the_couriers(name, tmp_path):
    """In mode kill the job is ended with all that is its own; the alert of why gets out."""
    done, got = attack(tmp_path, {name: TRIES[name]}, "kill")
    assert done.returncode == 137 and done.stdout == ""
    assert set(got) == written(tmp_path) and len({uid for uid, _ in got}) == 1


def is_stuck(pipe):
    """Nothing more goes into it."""
    before = fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4)
    time.sleep(0.5)
    return any(before) and fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4) == before


def test_standard_output_is_that_of_the_job_when_the_courier_was_killed(tmp_path):
    """In the middle of a record, of which the pipe had no room for the rest."""
    config = policy(tmp_path, {"name": "out", "type": "stdout"}, flush="10s")
    job = start(config, tmp_path, 1, 200, "--quiet", pause=0.01)
    fcntl.fcntl(job.stdout, fcntl.F_SETPIPE_SZ, 4096)
    until(lambda: is_stuck(job.stdout))
    [courier] = couriers_of(job.pid)
    os.kill(courier, signal.SIGKILL)
    said, _ = job.communicate(timeout=60)
    lines = [line for line in said.split("\n") if line.startswith("{") and line.endswith("}")]
    records = list(map(json.loads, lines))
    assert {(record["id"], record["update"]) for record in records} == written(tmp_path)
    order = list(dict.fromkeys(record["sequence"] for record in records))
    assert order == sorted(order)
