"""What a daemon must not lose: what it was told while it could not read, loads that are open when it is told to read
its configuration again, what happened just before its end."""
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

from attacks.run import finish
from attacks.stream import assemble, call
from daemon import PARENT, PATIENCE, Made, Victim, until
from test_honest import PROGRAMS

# Loads argv[1], which may call wait(): until the file argv[2] is there.
VICTIM = """
import os, pickle, sys, time
def wait():
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.01)
print("ready", flush=True)
with open(sys.argv[1], "rb") as file:
    pickle.load(file)
"""
MANY = 400


@pytest.fixture(scope="module")
def own_daemon(daemons):
    """Nobody else's, with the smallest buffer that it takes."""
    return daemons(config=["ring:", "  bytes: 1 MiB"])


class Job:
    """A victim with an artifact of its own."""

    def __init__(self, directory, *payload, stream=None, end=""):
        self.artifact, self.go = directory / "model.pkl", directory / "go"
        self.artifact.write_bytes(stream or assemble(list(payload)))
        self.process = subprocess.Popen([sys.executable, "-c", VICTIM + end, self.artifact, self.go],
                                        stdout=subprocess.PIPE, text=True, cwd=directory)
        self.victim = Victim(directory, pid=self.process.pid)
        assert self.process.stdout.readline() == "ready\n"

    def finish(self):
        self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0


def of_class(alerts, name):
    return [alert for alert in alerts if alert["effect"]["class"] == name]


def losses(daemon):
    return [record for record in daemon.records() if record["schema"] == "modelwatch.loss/1"]


def test_what_does_not_fit_is_counted_and_told(own_daemon, tmp_path):
    since, before = own_daemon.mark(), own_daemon.status()["losses"]["ring_full"]
    told_before = len(losses(own_daemon))
    own_daemon.signal(signal.SIGSTOP)
    try:
        job = Job(tmp_path, stream=pickle.dumps([Made(f"{tmp_path}/{n}") for n in range(MANY)]))
        job.finish()
    finally:
        own_daemon.signal(signal.SIGCONT)
    own_daemon.settle()
    told = of_class(own_daemon.alerts_of(job.victim, since), "write")
    until(lambda: len(losses(own_daemon)) > told_before, PATIENCE, "no record of a loss", own_daemon)
    lost = own_daemon.status()["losses"]["ring_full"] - before
    assert 0 < len(told) < MANY
    assert len(told) + lost >= MANY, f"{MANY} effects: {len(told)} told, {lost} counted as lost"
    assert sum(record["lost"] for record in losses(own_daemon)[told_before:]) > 0
    # And it goes on.
    since = own_daemon.mark()
    again = tmp_path / "again"
    again.mkdir()
    job = Job(again, call("posix.mkdir", f"{again}/made"))
    job.finish()
    assert of_class(own_daemon.wait_for(job.victim, since), "write")


@pytest.mark.parametrize("floods", [1, 3])
def test_a_flood_does_not_drown_others(floods, own_daemon, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    before = own_daemon.status()["losses"]["ring_full"]
    own_daemon.signal(signal.SIGSTOP)
    try:
        for number in range(floods):
            flood = tmp_path / f"flood{number}"
            flood.mkdir()
            Job(flood, stream=pickle.dumps([Made(f"{flood}/{n}") for n in range(MANY)])).finish()
        job = Job(other, call("posix.mkdir", f"{other}/made"))
        job.finish()
    finally:
        own_daemon.signal(signal.SIGCONT)
    assert of_class(own_daemon.wait_for(job.victim), "write")
    assert own_daemon.status()["losses"]["ring_full"] > before


@pytest.mark.parametrize("end", ["", "os.execv('/bin/true', ['true'])",
                                 "os.execv(sys.executable, [sys.executable, '-c', 'import pickle'])"])
def test_whose_code_it_was_is_known_when_it_has_gone(end, own_daemon, tmp_path):
    """Its native stack, which also tells whether the load was over by then: when it ends, or becomes another program."""
    job = Job(tmp_path, call("posix.mkdir", f"{tmp_path}/before"), call("__main__.wait"),
              call("posix.mkdir", f"{tmp_path}/made"), end=end)
    assert own_daemon.wait_for(job.victim)
    own_daemon.signal(signal.SIGSTOP)
    try:
        job.go.touch()
        job.finish()
    finally:
        own_daemon.signal(signal.SIGCONT)
    _, alert = own_daemon.wait_for(job.victim, enough=lambda alerts: len(alerts) > 1)
    symbols = [frame["symbol"] for frame in alert["native_stack"]]
    assert "mkdir" in symbols[:2] and "_PyEval_EvalFrameDefault" in symbols, symbols


@pytest.mark.parametrize("program", ["after_loads", "cold_ctypes"])
def test_honest_though_it_has_gone_after_it_was_noticed(program, own_daemon, tmp_path):
    """Whose code made the effect, and whether the load was over, is told by code that is mapped no more."""
    source, since = next(path for path in PROGRAMS if path.stem == program), own_daemon.mark()
    process = subprocess.Popen([sys.executable, source], stdout=subprocess.DEVNULL)
    until(lambda: "python" in os.readlink(f"/proc/{process.pid}/exe"), PATIENCE, "it does not start", own_daemon)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)  # it has only begun to start: what it has mapped is noticed
    own_daemon.signal(signal.SIGSTOP)
    try:
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
    finally:
        own_daemon.signal(signal.SIGCONT)
    own_daemon.settle()
    assert own_daemon.alerts_of(Victim(tmp_path, source, pid=process.pid), since) == []


@pytest.mark.parametrize("program", ["shared_memory_elsewhere", "cold_ctypes", "cold_bytecode"])
def test_honest_though_it_has_gone_when_it_is_judged(program, own_daemon, tmp_path):
    """What the evidence is has to come with the event."""
    source, since = next(path for path in PROGRAMS if path.stem == program), own_daemon.mark()
    own_daemon.signal(signal.SIGSTOP)
    try:
        process, _, errors = finish([*PARENT, sys.executable, source], timeout=PATIENCE)
        time.sleep(0.5)  # for what it leaves behind
    finally:
        own_daemon.signal(signal.SIGCONT)
    own_daemon.settle()
    assert (process.returncode, errors) == (0, "")
    assert own_daemon.alerts_of(Victim(tmp_path, source, pid=process.pid), since) == []


def reload(daemon, *lines):
    before = daemon.status()["reloaded"]
    daemon.configure(*lines)
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.status()["reloaded"] != before, PATIENCE, "not reloaded", daemon)


@pytest.mark.parametrize("payload, expected", [
    ("thread", {"write": "posix.mkdir"}),
    ("child", {"exec": "posix.system", "write": "posix.system"}),
])
def test_reload_keeps_what_is_open(payload, expected, own_daemon, tmp_path):
    """The load is open on the thread; or what it has started acts when the load waits for it."""
    waits = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; touch {tmp_path}/made"
    job = Job(tmp_path, *{
        "thread": [call("__main__.wait"), call("posix.mkdir", f"{tmp_path}/made")],
        "child": [call("posix.system", waits)]}[payload])
    if payload == "child":
        own_daemon.wait_for(job.victim, enough=lambda alerts: of_class(alerts, "exec"))
    since = own_daemon.mark()
    reload(own_daemon, "ring:", "  bytes: 1 MiB", "labels:", f"  reloaded: {payload}")
    job.go.touch()
    job.finish()
    alerts = own_daemon.wait_for(job.victim, since, lambda found: all(of_class(found, name) for name in expected))
    for name, function in expected.items():
        last = of_class(alerts, name)[-1]
        assert last["load"]["artifact"]["path"] == str(job.artifact)
        assert last["load"]["call"].split("(")[0] == function
        assert last["labels"] == {"reloaded": payload}
        assert str(tmp_path / "made") in str(last["effect"]["detail"])


def test_a_bad_configuration_changes_nothing(own_daemon, tmp_path):
    own_daemon.configure("mode: nonsense")
    own_daemon.signal(signal.SIGHUP)
    until(lambda: "nothing is changed" in own_daemon.said(), PATIENCE, "the error is not said", own_daemon)
    job = Job(tmp_path, call("posix.mkdir", f"{tmp_path}/made"))
    job.finish()
    assert own_daemon.wait_for(job.victim)[0]["verdict"] == "alert"


def test_what_happened_before_the_end_is_told(own_daemon, tmp_path):
    own_daemon.signal(signal.SIGSTOP)
    job = Job(tmp_path, call("posix.mkdir", f"{tmp_path}/made"))
    job.finish()
    os.kill(own_daemon.pid, signal.SIGTERM)  # it waits with the event
    own_daemon.signal(signal.SIGCONT)
    assert own_daemon.process.wait(PATIENCE) == 0
    alerts = own_daemon.alerts_of(job.victim)
    assert [alert["effect"]["class"] for alert in alerts] == ["write"]
    assert alerts[0]["load"]["artifact"]["path"] == str(job.artifact)
