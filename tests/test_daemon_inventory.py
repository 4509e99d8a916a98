"""The inventory of the daemon: each load of a file that the kernel sees is in it or counted, with the digest of what
was read or none, and nothing that a file or a process does holds up anything else."""
import contextlib
import contextlib
import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import jsonschema
import pytest

from conftest import ROOT
from daemon import Daemon, Made, Victim, lacking
from hanging import Hanging
from receivers import until

pytestmark = pytest.mark.skipif(bool(lacking()), reason=str(lacking()))
SCHEMA = json.loads((ROOT / "docs" / "inventory.schema.json").read_text())
LOAD = "\nwith open('m.pkl', 'rb') as f:\n    pickle.load(f)\n"
START = "import os, pickle, sys, time\nos.chdir(sys.argv[1])\n"


class Inventory(Daemon):
    """A daemon whose sink wants the inventory."""

    def __init__(self, directory):
        super().__init__(directory / "daemon", config=self.lines(directory, True))
        self.home = directory

    @staticmethod
    def lines(directory, on, site="north"):
        sink = {"name": "all", "type": "file", "format": "native", "path": f"{directory}/all.jsonl", "inventory": on}
        return [f"sinks: {json.dumps([sink])}", f"labels: {{site: {site}}}",
                f"spool: {{path: {directory}/spool/s.db, flush: 2s, per_minute: {{per_rule: 0, per_artifact: 0}}}}"]

    def turn(self, on, site="north"):
        before = self.status()["reloaded"]
        self.configure(*self.lines(self.home, on, site))
        self.signal(signal.SIGHUP)
        until(lambda: self.status()["reloaded"] != before)

    def records(self, schema="inventory"):
        path = self.home / "all.jsonl"
        found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [record for record in found if record["schema"] == f"modelwatch.{schema}/1"]

    def of(self, directory):
        return [r for r in self.records() if str(r["load"]["artifact"]["path"]).startswith(f"{directory}/")]

    def told(self, directory, loads):
        """The records about files in the directory, once they are of so many loads. What there is is told when there are
        other labels: nobody has to wait for a minute."""
        def enough():
            time.sleep(0.2)
            self.turn(True, "south")
            self.turn(True)
            time.sleep(0.3)
            found = self.of(directory)
            return sum(record["count"] for record in found) >= loads and found
        found = until(enough)
        for record in found:
            jsonschema.validate(record, SCHEMA)
        return found

    def workers(self):
        """The processes that keep it, by their names: they run what the daemon does."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/cmdline", "rb") as words:
                    if int(stat.read().rpartition(")")[2].split()[1]) == self.pid and words.read() == b"modelwatch-inventory\0":
                        found.append(int(pid))
        return found


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    directory = tmp_path_factory.mktemp("inventory")
    directory.chmod(0o700)
    started = Inventory(directory)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def place(tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"a": 1}))
    return tmp_path


def run(place, job, **more):
    subprocess.run([sys.executable, "-c", START + job, str(place)], check=True, timeout=120, **more)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_clean_loads_are_told(daemon, place):
    run(place, 7 * LOAD)
    (record,) = daemon.told(place, 7)
    artifact, load = record["load"]["artifact"], record["load"]
    assert (record["count"], record["sensor"], load["entry"]) == (7, "kernel", "pickle.load")
    assert artifact["path"] == f"{place}/m.pkl" and artifact["size"] == (place / "m.pkl").stat().st_size
    assert artifact["sha256"] == artifact["stream_sha256"] == digest(place / "m.pkl")
    assert [load[name] for name in ("outcome", "weights_only", "globals", "duration_ns")] == 4 * [None]
    assert record["process"]["argv"][-1] == str(place) and record["user"]["uid"] == 0
    assert record["labels"] == {"site": "north"} and record["policy"]["digest"] == daemon.status()["policy_digest"]


def test_bytes_and_pipes_are_not_told(daemon, place):
    run(place, """
import io
for n in range(5000):
    pickle.loads(b"N."); pickle.load(io.BytesIO(b"N."))
ends = os.pipe()
os.write(ends[1], b"N.")
with os.fdopen(ends[0], "rb") as f:
    pickle.load(f)
import socket
a, b = socket.socketpair()
a.send(b"N.")
with open("m.pkl", "rb") as other, b.makefile("rb") as f:
    pickle.load(f)
""" + LOAD)
    (record,) = daemon.told(place, 1)
    assert record["count"] == 1


def test_loads_inside_of_a_load_are_a_part_of_it(daemon, place):
    (place / "outer.pkl").write_bytes(b"cbuiltins\neval\n(S\"__import__('pickle').load(open('m.pkl', 'rb'))\"\ntR.")
    run(place, "with open('outer.pkl', 'rb') as f:\n    pickle.load(f)\n")
    (record,) = daemon.told(place, 1)
    assert record["load"]["artifact"]["path"] == f"{place}/outer.pkl"


@pytest.mark.parametrize("after", ["", "os.unlink('m.pkl')", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_what_goes_at_once_is_told(daemon, place, after):
    subprocess.run([sys.executable, "-c", START + LOAD + after, str(place)])
    (record,) = daemon.told(place, 1)
    assert record["process"]["pid"] and record["user"]["uid"] == 0 and record["process"]["start_time"]


@pytest.mark.parametrize("change", [
    "os.replace('other', 'm.pkl')",
    "open('m.pkl', 'r+b').write(b'I')",
    "t = os.stat('m.pkl'); open('m.pkl', 'r+b').write(b'I'); os.utime('m.pkl', ns=(t.st_atime_ns, t.st_mtime_ns))",
])
def test_a_digest_is_of_what_was_read_or_there_is_none(daemon, place, change):
    """Whoever keeps the inventory is stopped meanwhile: it comes too late."""
    was = digest(place / "m.pkl")
    (place / "other").write_bytes(pickle.dumps([2]))
    (worker,) = daemon.workers()
    os.kill(worker, signal.SIGSTOP)
    run(place, LOAD + "time.sleep(0.1)\n" + change)
    assert digest(place / "m.pkl") != was
    os.kill(worker, signal.SIGCONT)
    (record,) = daemon.told(place, 1)
    assert (record["load"]["artifact"]["sha256"], record["load"]["artifact"]["digest_state"]) == (None, "unavailable")
    assert record["load"]["artifact"]["stream_sha256"] is None


def test_libraries_are_told(daemon, place):
    pytest.importorskip("torch")
    pytest.importorskip("joblib")
    run(place, """
import collections, joblib, torch
for n in "ab":
    torch.save({"w": torch.zeros(2)}, n + ".pt")
    joblib.dump(collections.OrderedDict({n: 1}), n + ".joblib")
joblib.dump(collections.OrderedDict(c=1), "c.joblib", compress=3)
for n in "ab":
    torch.load(n + ".pt", weights_only=n == "a")
    joblib.load(n + ".joblib")
joblib.load("c.joblib")
torch.jit.script(torch.nn.Linear(2, 2)).save("s.pt")
torch.jit.load("s.pt")
time.sleep(0.5)
""")
    found = {r["load"]["artifact"]["path"][len(str(place)) + 1:]: r for r in daemon.told(place, 6)}
    assert {name: r["load"]["entry"] for name, r in found.items()} == {
        "a.pt": "torch.load", "b.pt": "torch.load", "a.joblib": "pickle._Unpickler.load",
        "b.joblib": "pickle._Unpickler.load", "c.joblib": "pickle._Unpickler.load", "s.pt": "torch.jit.load"}
    for name, record in found.items():
        assert (record["count"], record["load"]["artifact"]["sha256"]) == (1, digest(place / name))


def test_links_lead_where_they_lead_the_process(daemon, place):
    """TorchScript's file is known by its name alone, and the process has another root."""
    torch = pytest.importorskip("torch")
    host, inside = place / "host", place / "inside"
    for directory, size in ((host, 2), (inside, 3)):
        directory.mkdir()
        torch.jit.script(torch.nn.Linear(size, 2)).save(directory / "s.pt")
    os.rename(host, f"{place}/data")
    (inside / "data").symlink_to(f"{place}/data")
    root = place / "root"
    (root / str(place)[1:]).mkdir(parents=True)
    (root / str(place)[1:] / "data").symlink_to("/model")
    (root / "model").mkdir()
    os.link(inside / "s.pt", root / "model/s.pt")
    run(place, f"""
import torch
os.chroot("root")
torch.jit.load("{place}/data/s.pt")
time.sleep(1)
""")
    (record,) = [r for r in daemon.told(place, 1) if r["load"]["entry"] == "torch.jit.load"]
    assert record["load"]["artifact"]["sha256"] == digest(inside / "s.pt")


def test_many_distinct_files_are_told_or_counted(daemon, place):
    """While they come, an effect is told as ever."""
    before, lost = sum(r["count"] for r in daemon.records()), daemon.status()["losses"]["inventory"]
    done = threading.Thread(target=run, args=(place, """
for n in range(6000):
    with open(f"{n % 200}.{n}", "wb") as f:
        f.write(b"N.")
    with open(f"{n % 200}.{n}", "rb") as f:
        pickle.load(f)
    os.unlink(f"{n % 200}.{n}")
"""))
    done.start()
    for n in range(5):
        start = time.monotonic()
        made = place / f"made{n}"
        subprocess.run([sys.executable, "-I", "-S", "-c", "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))",
                        pickle.dumps(Made(str(made)), 2).hex()], check=True)
        until(lambda: any(str(made) in r["title"] for r in Daemon.records(daemon)
                          if r["schema"] == "modelwatch.alert/1"))
        assert time.monotonic() - start < 5
    done.join()
    daemon.told(place, 1000)
    until(lambda: sum(r["count"] for r in daemon.of(place)) + daemon.status()["losses"]["inventory"] - lost >= 6000)
    assert not daemon.status()["losses"]["ring_full"] and sum(r["count"] for r in daemon.records()) - before <= 7024
    losses = [r for r in daemon.records("loss") if r["kind"] == "inventory"]
    assert losses and not any(record["lost"] for record in losses)


def test_a_file_that_hangs_holds_up_nothing(daemon, place):
    """Whoever looks at it is killed: the load is told without a digest, and others are told as ever."""
    mount = place / "mount"
    mount.mkdir()
    hung = daemon.status()["inventory_hung"]
    try:
        hanging = Hanging(mount, "m.pkl", pickle.dumps([1]))
    except OSError as error:
        pytest.skip(f"no file system in user space: {error}")
    try:
        victim = subprocess.Popen([sys.executable, "-c", START + "input()" + LOAD + "print(1, flush=True)\ninput()\n",
                                   str(mount)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        hanging.pid = victim.pid
        victim.stdin.write("\n")
        victim.stdin.flush()
        assert victim.stdout.readline() == "1\n"
        assert hanging.waiting.wait(20)
        run(place, LOAD)
        start = time.monotonic()
        made = Victim(place / "made")
        subprocess.run([sys.executable, "-I", "-S", "-c", "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))",
                        pickle.dumps(Made(str(place / "made")), 2).hex()], check=True)
        until(lambda: [r for r in Daemon.records(daemon) if str(place / "made") in r.get("title", "")])
        assert made and time.monotonic() - start < 5
        until(lambda: daemon.status()["inventory_hung"] == hung + 1)
        until(lambda: daemon.of(mount))
        (record,) = daemon.of(mount)
        assert record["load"]["artifact"]["digest_state"] == "unavailable" and record["process"]["pid"] == victim.pid
        (other,) = [r for r in daemon.told(place, 2) if r["load"]["artifact"]["path"] == f"{place}/m.pkl"]
        assert other["load"]["artifact"]["sha256"] == digest(place / "m.pkl")
        victim.communicate("\n")
        assert daemon.status()["inventory_hung"] == hung + 1
    finally:
        hanging.close()


def test_who_keeps_it_may_die(daemon, place):
    lost = daemon.status()["losses"]["inventory"]
    run(place, 3 * LOAD)
    time.sleep(0.5)
    (worker,) = daemon.workers()
    os.kill(worker, signal.SIGKILL)
    until(lambda: daemon.workers() not in ([], [worker]))
    (record,) = until(lambda: daemon.of(place))
    assert record["load"]["artifact"]["sha256"] == digest(place / "m.pkl")
    assert record["count"] + daemon.status()["losses"]["inventory"] - lost == 3
    run(place, LOAD)
    assert len(daemon.told(place, 2)) == 2


def test_it_has_no_more_rights_than_to_read(daemon):
    (worker,) = daemon.workers()
    with open(f"/proc/{worker}/status") as status:
        fields = {name: value.strip() for name, _, value in (line.partition(":") for line in status)}
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 1 << 19 | 1 << 2
    assert fields["NoNewPrivs"] == "1"


def test_it_is_there_when_asked_for(daemon, place):
    daemon.turn(False)
    until(lambda: not daemon.workers())
    run(place, LOAD)
    daemon.turn(True)
    assert len(until(daemon.workers)) == 1
    run(place, LOAD)
    (record,) = daemon.told(place, 1)
    assert record["count"] == 1


def test_large_files_are_hashed_until_the_end(tmp_path):
    tmp_path.chmod(0o700)
    daemon = Inventory(tmp_path)
    daemon.start()
    try:
        with open(tmp_path / "m.pkl", "wb") as file:
            file.write(b"N.")
            file.truncate(64 << 20)
        os.utime(tmp_path / "m.pkl")
        run(tmp_path, LOAD)
        time.sleep(0.5)
    finally:
        daemon.stop()
    (record,) = daemon.of(tmp_path)
    assert record["load"]["artifact"]["sha256"] == digest(tmp_path / "m.pkl")
    assert record["load"]["artifact"]["stream_sha256"] == hashlib.sha256(b"N.").hexdigest()
