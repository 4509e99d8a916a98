"""A courier that is out of order: the monitor does not believe it, does not wait for it, and says what was not kept."""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import BESIDE, PROGRAM
from receivers import until

EFFECTS = 20
ROOM = 2 << 20
JOB = """
import os, pickle, sys
class Made:
    def __init__(self, path):
        self.path = path
    def __reduce__(self):
        return os.mkdir, (self.path,)
for n in range(int(sys.argv[2])):
    pickle.loads(pickle.dumps(Made(f"{sys.argv[1]}/{n}")))
print("done")
"""
HEAR = "import json, os, socket, sys, time\nmonitor = socket.socket(fileno=0)\n"
# What each is, and whether it keeps what it is told.
COURIERS = {
    "not_there": (None, False),
    "goes_at_once": ("", False),
    "dies": (HEAR + "monitor.recv(100)\nos.abort()\n", False),
    "says_nonsense": (HEAR + "monitor.sendall(b'\\xff\\xfe nonsense\\n' * 100)\ntime.sleep(60)\n", False),
    "takes_too_much": (HEAR + "monitor.sendall(b'{\"taken\": 1000000}\\n')\ntime.sleep(60)\n", False),
    "takes_less_than_nothing": (HEAR + "monitor.sendall(b'{\"taken\": -5}\\n')\ntime.sleep(60)\n", False),
    "never_ends_a_line": (HEAR + "monitor.sendall(b'x' * (1 << 23))\ntime.sleep(60)\n", False),
    "never_reads": (HEAR + "time.sleep(60)\n", False),
    "nests": (HEAR + "monitor.sendall(b'[' * 100000 + b'\\n')\ntime.sleep(60)\n", False),
    "takes_its_time": (HEAR + """
lines = monitor.makefile("r")
next(lines)
for n, line in enumerate(lines, 1):
    time.sleep(0.1)
    monitor.sendall(json.dumps({"taken": n}).encode() + b"\\n")
""", True),
    "odd_view": (HEAR + """
monitor.sendall(b'{"view": {"why": 5, "spool": [], "sinks": [1, {"why": "\\\\u001b[2J"}]}}\\n')
lines = monitor.makefile("r")
next(lines)
for n, line in enumerate(lines, 1):
    monitor.sendall(json.dumps({"taken": n}).encode() + b"\\n")
""", True),
}


def install(directory, source):
    """modelwatch with that courier beside it."""
    for name in {*BESIDE, "modelwatch"}:
        shutil.copy(pathlib.Path(PROGRAM).resolve().parent / name, directory)
    courier = directory / "modelwatch-courier"
    courier.unlink(missing_ok=True)
    if source is not None:
        courier.write_text(f"#!{sys.executable} -IS\n{source}")
        courier.chmod(0o755)
    return directory / "modelwatch"


def policy(directory, flush="60s"):
    """A run waits for its sinks no longer than it has to."""
    path = directory / "policy.yaml"
    path.write_text(f"""version: 1
sinks: [{{name: out, type: file, path: {directory}/out.jsonl}}]
spool: {{path: {directory}/spool/spool.db, flush: {flush}, per_minute: {{per_rule: 0, per_artifact: 0}}}}
""")
    return path


def run(program, directory, effects=EFFECTS, **keys):
    started = time.monotonic()
    (directory / "made").mkdir()
    done = subprocess.run(
        [program, "run", "--mode=alert", "--quiet", f"--policy={policy(directory, **keys)}",
         f"--alerts={directory}/alerts.jsonl", "--", sys.executable, "-c", JOB, directory / "made", str(effects)],
        capture_output=True, text=True, timeout=120)
    return done, time.monotonic() - started


def records(path):
    """Which, in their order: an alert comes again with what became known of it later."""
    return [(record["id"], record["update"]) for record in map(json.loads, path.read_text().splitlines())]


def start(program, directory, effects):
    """A job that ends when it is no longer told to go on."""
    (directory / "made").mkdir()
    slowly = JOB.replace("pickle.loads", "import time; time.sleep(0.005); pickle.loads")
    return subprocess.Popen(
        [program, "run", "--mode=alert", "--quiet", f"--policy={policy(directory)}",
         f"--alerts={directory}/alerts.jsonl", "--", sys.executable, "-c", slowly + "sys.stdin.read()\n",
         directory / "made", str(effects)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kind", COURIERS)
def test_a_job_does_not_notice(kind, tmp_path):
    source, keeps = COURIERS[kind]
    done, seconds = run(install(tmp_path, source), tmp_path, flush="1s")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert len(list((tmp_path / "made").iterdir())) == EFFECTS
    alerts = records(tmp_path / "alerts.jsonl")
    assert len({uid for uid, _ in alerts}) == EFFECTS
    lost = kind != "not_there" and not keeps
    assert (f"{len(alerts)} records could not be kept for the sinks" in done.stderr) == lost, done.stderr
    assert ("no alert reaches a sink" in done.stderr) == (kind == "not_there")
    assert "\x1b" not in done.stderr
    assert seconds < 30


def test_one_that_is_killed_is_started_anew(tmp_path):
    """All of them reach their sink, though who puts it there dies again and again."""
    program = install(tmp_path, None)
    shutil.copy(pathlib.Path(PROGRAM).resolve().parent / "modelwatch-courier", tmp_path)
    effects = 400
    job = start(program, tmp_path, effects)
    killed = 0
    while job.poll() is None and len(list((tmp_path / "made").iterdir())) < effects:
        for pid in couriers_of(job.pid):
            os.kill(pid, signal.SIGKILL)
            killed += 1
        time.sleep(0.2)
    stdout, stderr = job.communicate(timeout=60)  # now the job may end
    assert (job.returncode, stdout, stderr) == (0, "done\n", "")
    assert killed > 3
    assert set(records(tmp_path / "out.jsonl")) == set(records(tmp_path / "alerts.jsonl"))


def test_one_that_dies_at_the_end_is_started_anew_in_time(tmp_path):
    """Though it has died so often that the next start would come when the job has long ended."""
    program, died, over = install(tmp_path, None), tmp_path / "died", tmp_path / "over"
    real = shutil.copy(pathlib.Path(PROGRAM).resolve().parent / "modelwatch-courier", tmp_path / "real")
    courier = tmp_path / "modelwatch-courier"
    courier.write_text(f"#!/bin/sh\necho >>{died}\ntest -e {over} || kill -9 $$\nread -r times <{over}\n"
                       f"test $times = 2 && exec {real}\necho 2 >{over}\nkill -9 $$\n")
    courier.chmod(0o755)
    job = start(program, tmp_path, EFFECTS)
    until(lambda: died.exists() and died.stat().st_size > 5)
    over.write_text("1\n")
    assert (job.communicate(timeout=60), job.returncode) == (("done\n", ""), 0)
    assert set(records(tmp_path / "out.jsonl")) == set(records(tmp_path / "alerts.jsonl"))


def couriers_of(parent):
    """Its children of that name that live."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        name, rest = stat[stat.index("(") + 1:].rsplit(")", 1)
        state, ppid, *_ = rest.split()
        if int(ppid) == parent and state != "Z" and name.startswith("modelwatch-cour"):
            found.append(int(pid))
    return found


def in_spool(directory):
    done = subprocess.run([PROGRAM, "alerts", "--json", f"--spool={directory}/spool/spool.db"], capture_output=True,
                          text=True, check=True)
    return list(map(json.loads, done.stdout.splitlines()))


def limit_files():
    """As `ulimit -S -f`: it also bounds the memory that monitor and courier share."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))


def start_bounded(directory, effects):
    """A job with little of that memory, and its courier."""
    (directory / "made").mkdir()
    job = subprocess.Popen(
        [PROGRAM, "run", "--mode=alert", "--quiet", f"--policy={policy(directory)}", f"--alerts={directory}/alerts.jsonl",
         "--", sys.executable, "-c", JOB, directory / "made", str(effects)], stdout=subprocess.DEVNULL,
        preexec_fn=limit_files)
    [courier] = until(lambda: couriers_of(job.pid))
    return job, courier


def test_all_that_there_was_room_for_is_kept_when_the_monitor_is_killed(tmp_path):
    """And how many others there were is told. Nobody had read any of it when the memory was full."""
    made, effects, path = tmp_path / "made", 300, tmp_path / "alerts.jsonl"
    job, courier = start_bounded(tmp_path, effects)
    os.kill(courier, signal.SIGSTOP)
    try:
        for pid in (job.pid, courier):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: len(list(made.iterdir())) == effects, 60)
        job.kill()
        job.wait(20)
    finally:
        os.kill(courier, signal.SIGCONT)
    until(lambda: not pathlib.Path(f"/proc/{courier}").exists(), 60)
    alerts, kept = records(path), in_spool(tmp_path)
    losses = [record for record in kept if record["schema"] == "modelwatch.loss/1"]
    names = [(record["id"], record["update"]) for record in kept if record not in losses]
    assert names == alerts[:len(names)]
    assert sum(len(line) for line in path.read_text().splitlines(True)[:len(names)]) > 0.9 * ROOM
    assert sum(record["lost"] for record in losses) == len(alerts) - len(names) > 100
    assert {record["kind"] for record in losses} == {"courier"}


def test_a_job_goes_on_at_the_pace_of_the_disk(tmp_path):
    """The memory holds a tenth of what it makes, and what takes that out of it is now and then away."""
    made, effects, path = tmp_path / "made", 600, tmp_path / "alerts.jsonl"
    job, courier = start_bounded(tmp_path, effects)
    for pid in (job.pid, courier):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    while len(list(made.iterdir())) < effects:
        os.kill(courier, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(courier, signal.SIGCONT)
        time.sleep(0.3)
    assert job.wait(60) == 0
    alerts = records(path)
    assert sum(map(len, path.read_text().splitlines())) > 2 * ROOM
    assert [(record["id"], record.get("update")) for record in in_spool(tmp_path)] == alerts


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_one_that_is_killed_before_it_says_that_it_has_them_has_them_once(tmp_path):
    """What it sends is what it has taken, and now and then a view."""
    made, over, killed = tmp_path / "made", tmp_path / "over", 0
    made.mkdir()
    slow = JOB.replace("    pickle.loads", f"    import time; time.sleep(0.01)\n    if os.path.exists('{over}'): break\n"
                       "    pickle.loads")
    command = [PROGRAM, "run", "--mode=alert", "--quiet", f"--policy={policy(tmp_path)}",
               f"--alerts={tmp_path}/alerts.jsonl", "--", sys.executable, "-c"]
    job = subprocess.Popen([*command, slow, made, "10000"], stdout=subprocess.DEVNULL)
    while killed < 5 and job.poll() is None:
        for courier in couriers_of(job.pid):
            done = subprocess.run(["strace", "-p", str(courier), "-o", "/dev/null", "-e", "trace=sendto", "-e",
                                   f"inject=sendto:signal=KILL:when={killed + 1}"], capture_output=True, timeout=30)
            killed += done.returncode in (0, -signal.SIGKILL)
        time.sleep(0.02)
    over.touch()
    job.wait(60)
    # One that is killed after all was taken is not started anew: the next run sends what is left.
    (tmp_path / "more").mkdir()
    subprocess.run([*command, JOB, tmp_path / "more", "1"], stdout=subprocess.DEVNULL, check=True, timeout=60)
    kept = in_spool(tmp_path)
    assert killed == 5
    assert [record["sequence"] for record in kept] == list(range(1, len(kept) + 1))
    assert [(record["id"], record["update"]) for record in kept] == records(tmp_path / "alerts.jsonl")
    assert set(records(tmp_path / "out.jsonl")) == set(records(tmp_path / "alerts.jsonl"))


def test_all_is_kept_when_the_monitor_is_killed_and_the_courier_is_busy(tmp_path):
    """What a monitor has written down itself reaches the spool, though nobody had read any of it when it was killed."""
    (tmp_path / "made").mkdir()
    effects = 1000
    job = subprocess.Popen(
        [PROGRAM, "run", "--mode=alert", "--quiet", f"--policy={policy(tmp_path)}", f"--alerts={tmp_path}/alerts.jsonl",
         "--", sys.executable, "-c", JOB, tmp_path / "made", str(effects)], stdout=subprocess.DEVNULL)
    until(lambda: len(list((tmp_path / "made").iterdir())) > 10)
    [courier] = couriers_of(job.pid)
    os.kill(courier, signal.SIGSTOP)
    try:
        until(lambda: len(list((tmp_path / "made").iterdir())) == effects, 60)
        job.kill()
        job.wait(20)
    finally:
        os.kill(courier, signal.SIGCONT)
    until(lambda: not pathlib.Path(f"/proc/{courier}").exists())
    written = records(tmp_path / "alerts.jsonl")
    assert len({uid for uid, _ in written}) > effects - 10
    assert set(written) <= {(record["id"], record["update"]) for record in in_spool(tmp_path)}
