"""The daemon with sinks: what they get, how they come and go, and what it says of them."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from daemon import Daemon, Made, Victim, lacking
from receivers import free_port, until
from sinks_net.http_stub import Stub
from test_courier import couriers_of

pytestmark = pytest.mark.skipif(bool(lacking()), reason=str(lacking()))
LOAD = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))"


def lines(directory, port, *sinks):
    """Of a configuration."""
    return [f"metrics: {{listen: '127.0.0.1:{port}'}}",
            f"sinks: {json.dumps([{'format': 'native', **sink} for sink in sinks])}",
            f"spool: {{path: {directory}/spool/spool.db, heartbeat: 1s, flush: 2s, "
            "per_minute: {per_rule: 0, per_artifact: 0}}"]


def file(directory, name):
    return {"name": name, "type": "file", "path": f"{directory}/{name}.jsonl"}


def load(path):
    """One that makes a directory."""
    import pickle
    subprocess.run([sys.executable, "-I", "-S", "-c", LOAD, pickle.dumps(Made(str(path)), 2).hex()], check=True)
    return Victim(path)


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def alerts(path, victim):
    return [record for record in records(path)
            if record["schema"].startswith("modelwatch.alert/") and victim.owns(record)]


def heartbeats(path):
    return [record for record in records(path) if record["schema"].startswith("modelwatch.heartbeat/")]


@pytest.fixture
def daemon(tmp_path):
    """And the port of its metrics."""
    tmp_path.chmod(0o700)
    port = free_port()
    started = Daemon(tmp_path / "daemon", config=lines(tmp_path, port, file(tmp_path, "one")))
    started.port = port
    started.start()
    yield started
    started.stop()


def reload(daemon, directory, *sinks):
    daemon.configure(*lines(directory, daemon.port, *sinks))
    daemon.signal(signal.SIGHUP)


def sinks_of(daemon):
    courier = (daemon.status() or {}).get("courier") or {}
    return {sink["name"]: sink for sink in courier.get("sinks") or []}


def test_alerts_and_heartbeats_arrive(daemon, tmp_path):
    one = tmp_path / "one.jsonl"
    victim = load(tmp_path / "made")
    until(lambda: alerts(one, victim))
    assert alerts(one, victim)[0]["id"] == daemon.wait_for(victim)[0]["id"]
    seen = until(lambda: len(heartbeats(one)) >= 4 and heartbeats(one))
    assert {beat["state"] for beat in seen[1:4]} == {"running"}
    daemon.stop()
    assert heartbeats(one)[-1]["state"] == "stopping"


def test_sinks_come_and_go(daemon, tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    first = load(tmp_path / "first")
    until(lambda: alerts(one, first))
    reload(daemon, tmp_path, file(tmp_path, "one"), file(tmp_path, "two"))
    until(lambda: set(sinks_of(daemon)) == {"one", "two"})
    second = load(tmp_path / "second")
    until(lambda: alerts(one, second) and alerts(two, second))
    assert not alerts(two, first)  # it begins with what comes from now on
    reload(daemon, tmp_path, file(tmp_path, "two"))
    until(lambda: set(sinks_of(daemon)) == {"two"})
    third = load(tmp_path / "third")
    until(lambda: alerts(two, third))
    assert not alerts(one, third)
    reload(daemon, tmp_path)
    until(lambda: not couriers_of(daemon.pid))
    fourth = load(tmp_path / "fourth")
    assert daemon.wait_for(fourth) and not alerts(two, fourth)
    reload(daemon, tmp_path, file(tmp_path, "one"))
    fifth = load(tmp_path / "fifth")
    until(lambda: alerts(one, fifth))


def test_status_and_metrics_say_how_they_are(daemon, tmp_path):
    port = free_port()
    web = {"name": "web", "type": "http", "url": f"http://127.0.0.1:{port}", "timeout": "1s"}
    reload(daemon, tmp_path, file(tmp_path, "one"), web)
    victim = load(tmp_path / "made")
    until(lambda: sinks_of(daemon).get("web", {}).get("why") and alerts(tmp_path / "one.jsonl", victim))
    text = subprocess.run([daemon.program, "status", f"--socket={daemon.socket}"], capture_output=True, text=True,
                          check=True).stdout
    assert "one" in text and "web" in text and "refused" in text, text
    with urllib.request.urlopen(f"http://127.0.0.1:{daemon.port}/metrics") as answer:
        metrics = answer.read().decode()
    assert 'sink="web"' in metrics and 'sink="one"' in metrics
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with Stub("webhook", port=port) as stub:
        until(lambda: any(victim.owns(record) for record in stub.taken
                          if record["schema"].startswith("modelwatch.alert/")), 30)


def test_it_goes_on_when_its_courier_is_killed(daemon, tmp_path):
    one = tmp_path / "one.jsonl"
    [before] = until(lambda: couriers_of(daemon.pid))
    os.kill(before, signal.SIGKILL)
    victim = load(tmp_path / "made")
    until(lambda: alerts(one, victim))
    assert couriers_of(daemon.pid) != [before]


def test_what_it_told_is_sent_when_it_is_killed(daemon, tmp_path):
    """Though nobody had read it yet."""
    one = tmp_path / "one.jsonl"
    [courier] = until(lambda: couriers_of(daemon.pid))
    os.kill(courier, signal.SIGSTOP)
    try:
        victim = load(tmp_path / "made")
        until(lambda: daemon.alerts_of(victim))
        assert not alerts(one, victim)
        daemon.signal(signal.SIGKILL)
        daemon.process.wait(20)
    finally:
        os.kill(courier, signal.SIGCONT)
    until(lambda: alerts(one, victim))
    time.sleep(0.1)
    assert alerts(one, victim)[0]["id"] == daemon.alerts_of(victim)[0]["id"]


def children(pid, state=""):
    """Of that state, where one is named."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid and (not state or words[0] == state):
            found.append(int(stat.parent.name))
    return found


def test_it_watches_on_while_a_courier_retires_that_hangs(daemon, tmp_path):
    """What is told to it before reaches its sink in the end; what happens meanwhile is seen at once."""
    one = tmp_path / "one.jsonl"
    [courier] = until(lambda: couriers_of(daemon.pid))
    os.kill(courier, signal.SIGSTOP)
    try:
        before = load(tmp_path / "before")
        until(lambda: daemon.alerts_of(before))
        reload(daemon, tmp_path)
        began = time.monotonic()
        until(lambda: (daemon.status() or {"courier": 1})["courier"] is None)
        during = [load(tmp_path / f"during-{n}") for n in range(3)]
        until(lambda: all(daemon.alerts_of(victim) for victim in during))
        assert time.monotonic() - began < 6  # it waits for no end: 3 s for all to be taken, flush, and 3 s more
        assert couriers_of(daemon.pid) == [courier] and not alerts(one, before)
    finally:
        os.kill(courier, signal.SIGCONT)
    until(lambda: alerts(one, before))
    until(lambda: not children(daemon.pid))
    assert not any(alerts(one, victim) for victim in during)


def test_no_courier_leaves_a_zombie(daemon, tmp_path):
    for n in range(3):
        [courier] = until(lambda: couriers_of(daemon.pid))
        os.kill(courier, signal.SIGKILL)
        until(lambda: couriers_of(daemon.pid) not in ([], [courier]))
        reload(daemon, tmp_path, file(tmp_path, f"to-{n}"))
        until(lambda: set(sinks_of(daemon)) == {f"to-{n}"})
        reload(daemon, tmp_path)
        until(lambda: not children(daemon.pid))
        reload(daemon, tmp_path, file(tmp_path, "one"))
    until(lambda: couriers_of(daemon.pid))
    until(lambda: not children(daemon.pid, "Z"), 5)


def test_it_says_at_its_end_what_was_not_kept(daemon, tmp_path):
    [courier] = until(lambda: couriers_of(daemon.pid))
    os.kill(courier, signal.SIGSTOP)
    victim = load(tmp_path / "made")
    until(lambda: daemon.alerts_of(victim))
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 15
    assert re.search(r"modelwatch: [1-9][0-9]* records could not be kept for the sinks", daemon.said())
    assert not alerts(tmp_path / "one.jsonl", victim)
