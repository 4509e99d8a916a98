"""Who runs a load, told by what really makes containers, units and jobs."""
import contextlib
import pickle
import socket
import tempfile
import uuid
from pathlib import Path

import pytest

from daemon import PATIENCE, START, Made, Victim, until
from hosts import containerd, slurm, systemd

# Goes on once the test has looked at it. It lies beside the model.
LOADER = """
import os, pickle, time
os.chdir(os.path.dirname(__file__))
with open("model.pkl", "rb") as file:
    pickle.load(file)
while not os.path.exists("end"):
    time.sleep(0.02)
"""
IMAGE = containerd.TRAINER
PYTHON = "/usr/bin/python3"


@pytest.fixture
def place():
    """A directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="mw-") as directory:
        yield Path(directory)


@pytest.fixture
def runtime(place):
    reason = containerd.lacking()
    if reason:
        pytest.skip(reason)
    with containerd.Containerd(place) as runtime:
        yield runtime


def last_of(daemon, alert):
    """The alert as its last update has it."""
    return [record for record in daemon.records() if record.get("id") == alert["id"]][-1]


def numbers_of(pid):
    """What a process is called outside and inside."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid:"))
    return [int(word) for word in line.split()[1:]]


def poison(data, seen_at):
    """A program that loads a model, which makes a directory; processes that run it see `data` at `seen_at`."""
    made = f"{seen_at}/made-{uuid.uuid4()}"
    data.mkdir()
    (data / "loader.py").write_text(LOADER)
    (data / "model.pkl").write_bytes(pickle.dumps(Made(made)))
    return Victim(made), [PYTHON, "-I", f"{seen_at}/loader.py"]


class Load:
    """In a container of a pod."""

    def __init__(self, runtime, place, group, labels):
        self.uid, data = str(uuid.uuid4()), place / "data"
        self.victim, command = poison(data, "/data")
        name = self.uid.replace("-", "_") if ".slice" in group else self.uid
        pod = runtime.pod("train-0", "ml", self.uid, group.format(name), {})
        self.container = runtime.container(pod, "trainer", command, labels, [(data, "/data")])
        self.numbers = numbers_of(runtime.first_process(self.container))


# As kubelet calls control groups, by itself and for systemd. Its own labels tell the pod; without them the runtime
# has to be asked for it.
@pytest.mark.parametrize("group, labels", [
    ("/kubepods/burstable/pod{}", {"io.kubernetes.pod.name": "train-0", "io.kubernetes.pod.namespace": "ml"}),
    ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice", {}),
], ids=["cgroupfs", "systemd"])
def test_containerd_tells(group, labels, daemons, runtime, place):
    daemon = daemons(config=[f"cri: {{sockets: {runtime.socket}}}"])
    load = Load(runtime, place, group, labels)
    alerts = daemon.wait_for(load.victim)
    assert len(alerts) == 1, daemon.said()
    until(lambda: last_of(daemon, alerts[0])["container"]["image"], PATIENCE, alerts[0]["container"], daemon)
    alert = last_of(daemon, alerts[0])
    assert alert["container"] == {
        "id": load.container, "runtime": "containerd", "name": "trainer", "image": IMAGE, "trust": "cgroup",
        "pod": {"namespace": "ml", "name": "train-0", "uid": load.uid}}
    assert [alert["process"]["pid"], alert["process"]["ns_pid"]] == load.numbers
    assert alert["verdict"] == alerts[0]["verdict"] and alert["rule"] == alerts[0]["rule"]


def test_alerts_do_not_wait_for_runtimes(daemons, runtime, place):
    """Three that do not answer are asked before the one that does, until the alert has come."""
    silent = [f"{place}/silent-{i}.sock" for i in range(3)]
    with contextlib.ExitStack() as stack:
        for path in silent:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(path)
            listener.listen()
        daemon = daemons(config=[f"cri: {{sockets: [{', '.join([*silent, runtime.socket])}]}}"])
        load = Load(runtime, place, "/kubepods/pod{}", {})
        until(lambda: daemon.alerts_of(load.victim), PATIENCE, "no alert", daemon)
    first, = daemon.wait_for(load.victim)
    assert first["container"] == {
        "id": load.container, "runtime": None, "name": None, "image": None, "trust": "cgroup",
        "pod": {"namespace": None, "name": None, "uid": load.uid}}
    until(lambda: last_of(daemon, first)["update"], PATIENCE, first["container"], daemon)
    last = last_of(daemon, first)
    assert (last["container"]["image"], last["container"]["pod"]["name"]) == (IMAGE, "train-0")
    assert {key for key in last if last[key] != first[key]} == {"container", "update"}
    assert daemon.status()["runtimes_failed"] > 0


def alert_in(host, place, host_daemon):
    """The alert of a load that `host` runs."""
    reason = host.lacking()
    if reason:
        pytest.skip(reason)
    victim, command = poison(place / "data", "/tmp/data")
    with host.start(place, command) as machine:
        until(lambda: host_daemon.alerts_of(victim), START, "no alert", machine)
        alert, = host_daemon.wait_for(victim)
        number = alert["process"]["pid"]
        assert [number, alert["process"]["ns_pid"]] == numbers_of(number)
    assert alert["container"] is None
    return alert


def test_systemd_names_units(host_daemon, place):
    alert = alert_in(systemd, place, host_daemon)
    assert (alert["process"]["unit"], alert["process"]["user_unit"], alert["job"]) == ("trainer.service", None, None)
    assert alert["process"]["ancestors"][0]["comm"] == "systemd"


def test_slurm_numbers_jobs(host_daemon, place):
    alert = alert_in(slurm, place, host_daemon)
    assert alert["job"] == {"kind": "slurm", "id": "1", "step": "0", "rank": 0, "trust": "cgroup"}
    assert alert["process"]["ancestors"][0]["comm"].startswith("slurmstepd")
