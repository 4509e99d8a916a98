"""Victims that are not simply there: in namespaces and control groups of their own, with interpreters of their own that
nobody has seen before."""
import os
import pickle
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from daemon import PATIENCE, Made, Victim, until

# In one file: nothing else of an interpreter has to be copied.
STATIC = "/usr/bin/python3.11"
OWN_NAMESPACES = ["unshare", "--mount", "--pid", "--fork"]
AS_USER = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
           "unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork"]
# With a file system of its own over argv 1, an interpreter and an artifact in it, that nobody outside can name.
INSIDE = """
set -e
mount -t tmpfs none "$1"
cp "$2" "$1/interpreter"
cd "$1"
exec ./interpreter -I -S -c "$3" "$1/model.pkl" "$4"
"""
# Waits, so that the probes are there and the process still is when it is looked at.
LOADER = """
import pickle, sys, time
with open(sys.argv[1], "wb") as file:
    file.write(bytes.fromhex(sys.argv[2]))
time.sleep(1)
with open(sys.argv[1], "rb") as file:
    pickle.load(file)
time.sleep(0.5)
"""
AT_ONCE = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))"
TIMES = 20
HELD = ["hold_new_interpreters: true"]


def need_static():
    if not os.access(STATIC, os.X_OK) or b"libpython" in subprocess.run(["ldd", STATIC], capture_output=True).stdout:
        pytest.skip(f"needs {STATIC}, with everything in one file")


@pytest.mark.parametrize("prefix, uid", [(OWN_NAMESPACES, 0), (AS_USER, None)], ids=["root", "nobody"])
def test_container(prefix, uid, host_daemon, tmp_path_factory):
    need_static()
    place = Path(tmp_path_factory.mktemp("container"))
    for directory in place, *place.parents[:-2]:
        directory.chmod(0o711 if directory != place else 0o777)
    since = host_daemon.mark()
    made = f"{place}/made"
    stream = pickle.dumps(Made(made)).hex()
    process = subprocess.Popen([*prefix, "sh", "-c", INSIDE, "sh", place, STATIC, LOADER, stream])
    assert process.wait(PATIENCE) == 0
    assert not os.listdir(place), "it is to be seen outside"
    alerts = host_daemon.wait_for(Victim(place, pid=process.pid), since)
    assert alerts, "no alert"
    effect, load = alerts[0]["effect"], alerts[0]["load"]
    assert (effect["class"], effect["detail"]["path"]) == ("write", made)
    assert load["artifact"]["path"] == f"{place}/model.pkl"
    assert load["artifact"]["digest_state"] == "done"
    assert (load["call"], alerts[0]["cause"]) == ("posix.mkdir", "call")
    assert alerts[0]["process"]["exe"] == f"{place}/interpreter"
    assert alerts[0]["process"]["ns_pid"] == 1
    if uid is None:
        uid = int(subprocess.run(["id", "-u", "nobody"], capture_output=True, check=True).stdout)
    assert alerts[0]["user"]["uid"] == uid


def cgroup_root():
    """Where the hierarchy is that says who a process is: of version 2, alone or beside others."""
    for path in Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"):
        if (path / "cgroup.controllers").exists():
            return path
    pytest.skip("needs cgroup2")


@pytest.fixture
def cgroup():
    """Makes one with that path; in it are no limits."""
    base = cgroup_root() / f"modelwatch-test-{secrets.token_hex(4)}"

    def make(path):
        try:
            (base / path).mkdir(parents=True)
        except OSError as error:
            pytest.skip(f"no control group can be made: {error}")
        return base / path
    yield make
    for directory, _, _ in os.walk(base, topdown=False):
        os.rmdir(directory)


ID, POD = "0123456789abcdef" * 4, "12345678_1234_1234_1234_123456789abc"


@pytest.mark.parametrize("path, pod", [
    (f"docker/{ID}", None),
    (f"system.slice/docker-{ID}.scope", None),
    (f"machine.slice/libpod-{ID}.scope", None),
    (f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD}.slice/cri-containerd-{ID}.scope", POD),
    (f"kubepods.slice/kubepods-pod{POD}.slice/crio-{ID}.scope", POD),
    (f"kubepods/besteffort/pod{POD.replace('_', '-')}/{ID}", POD),
], ids=["docker", "docker-systemd", "podman", "containerd", "crio", "kubelet"])
def test_container_is_named(path, pod, cgroup, host_daemon, tmp_path):
    since = host_daemon.mark()
    group, stream = cgroup(path), pickle.dumps(Made(f"{tmp_path}/made")).hex()
    process = subprocess.Popen(["sh", "-c", 'echo $$ >"$0" && exec "$@"', group / "cgroup.procs", STATIC, "-I", "-S",
                                "-c", AT_ONCE, stream])
    assert process.wait(PATIENCE) == 0
    alerts = host_daemon.wait_for(Victim(tmp_path, pid=process.pid), since)
    container = alerts[0]["container"]
    assert container["id"] == ID
    assert (container["pod"] or {}).get("uid") == (pod and pod.replace("_", "-"))


def count_seen(daemon, directory):
    """Of TIMES interpreters that nobody has seen, each of which loads at once: how many are told of."""
    need_static()
    since, seen = daemon.mark(), 0
    for n in range(TIMES):
        interpreter = directory / f"interpreter-{n}"
        shutil.copy(STATIC, interpreter)
        stream = pickle.dumps(Made(f"{directory}/made-{n}")).hex()
        subprocess.run([interpreter, "-I", "-S", "-c", AT_ONCE, stream], check=True, timeout=PATIENCE)
        interpreter.unlink()
    daemon.settle()
    for n in range(TIMES):
        assert (directory / f"made-{n}").exists()
        seen += bool(daemon.alerts_of(Victim(f"{directory}/made-{n}"), since))
    return seen


def test_gap(host_daemon, tmp_path, record_property):
    """Stated in docs/daemon.md, and measured here: nothing holds the new program."""
    seen = count_seen(host_daemon, tmp_path)
    record_property("seen", seen)
    print(f"\nof {TIMES} interpreters that nobody has seen before and that load at once, {seen} were seen")
    documented = (Path(__file__).parent.parent / "docs/daemon.md").read_text()
    assert "an interpreter that nobody has seen before loads within" in documented


def test_held(daemons, tmp_path):
    daemon = daemons(config=HELD)
    try:
        assert count_seen(daemon, tmp_path) == TIMES
    finally:
        assert daemon.stop() == 0


def test_nobody_stays_held(daemons, tmp_path):
    """The daemon ends while new interpreters start: they all go on."""
    need_static()
    daemon, jobs = daemons(config=HELD), []
    try:
        for n in range(TIMES):
            interpreter = tmp_path / f"interpreter-{n}"
            shutil.copy(STATIC, interpreter)
            jobs.append(subprocess.Popen([interpreter, "-I", "-S", "-c", "pass"]))
            if n == TIMES // 2:
                daemon.signal(signal.SIGTERM)
        assert daemon.stop() == 0
        until(lambda: all(job.poll() == 0 for job in jobs), PATIENCE, "not all have ended", daemon)
    finally:
        for job in jobs:
            job.send_signal(signal.SIGCONT)
            job.wait(PATIENCE)
