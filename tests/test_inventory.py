"""Which loads there were: told to the sinks that ask for it, of the file that was read, and to nobody else."""
import hashlib
import json
import subprocess
import sys

import jsonschema
import pytest
from conftest import PROGRAM, ROOT

SCHEMA = json.loads((ROOT / "docs" / "inventory.schema.json").read_text())
WRITE = "import os, pickle, sys\nMONITOR = os.getppid()\nhere = sys.argv[1]\nos.chdir(here)\npickle.dump({'a': 1}, open('m.pkl', 'wb'))\n"
LOAD = "\nwith open('m.pkl', 'rb') as f:\n    pickle.load(f)\n"
EVIL = """
class Evil:
    def __reduce__(self):
        return os.mkdir, ("made",)
pickle.dump(Evil(), open("evil.pkl", "wb"))
for load in (lambda: pickle.load(open("evil.pkl", "rb")), lambda: pickle.loads(open("evil.pkl", "rb").read())):
    try:
        load()
    except Exception:
        pass
"""
# Stops the monitor, and has somebody else let it go on when this process has ended.
STOPPED = """
ready, end = os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(end[1])
    os.write(ready[1], b"x")
    os.read(end[0], 1)
    os.kill(MONITOR, 18)
    os._exit(0)
os.read(ready[0], 1)
os.kill(MONITOR, 19)
"""


def policy(directory, inventory=True, **more):
    sink = {"name": "all", "type": "file", "path": f"{directory}/inventory.jsonl", "inventory": inventory, **more}
    other = {"name": "other", "type": "file", "path": f"{directory}/other.jsonl"}
    path = directory / "policy.yaml"
    path.write_text(json.dumps({
        "version": 1, "sinks": [sink, other], "spool": {"path": f"{directory}/spool/s.db", "flush": "60s"}}))
    return path


def run(directory, job, *words, inventory=True, status=0, **more):
    """The records of the sink that asks for the inventory, and those of the one that does not."""
    done = subprocess.run([PROGRAM, "run", f"--policy={policy(directory, inventory, **more)}", "--quiet", *words, "--",
                           sys.executable, "-c", WRITE + job, str(directory)], timeout=120, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return [[json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
            for path in (directory / "inventory.jsonl", directory / "other.jsonl")]


def loads(records):
    found = [record for record in records if record["schema"] == "modelwatch.inventory/1"]
    for record in found:
        jsonschema.validate(record, SCHEMA)
    return found


@pytest.mark.parametrize("floor", ["auto", "off"])
def test_a_clean_load_of_a_file_is_told(tmp_path, floor):
    records, others = run(tmp_path, 7 * LOAD, f"--floor={floor}")
    (record,) = loads(records)
    artifact = record["load"]["artifact"]
    digest = hashlib.sha256((tmp_path / "m.pkl").read_bytes()).hexdigest()
    assert (artifact["path"], artifact["sha256"], artifact["stream_sha256"]) == (f"{tmp_path}/m.pkl", digest, digest)
    assert (record["load"]["entry"], record["load"]["outcome"], record["count"]) == ("pickle.load", "returned", 7)
    assert record["process"]["argv"][0] == sys.executable and record["load"]["duration_ns"] > 0
    assert record["last"] > record["time"] and not others


@pytest.mark.parametrize("floor", ["auto", "off"])
@pytest.mark.parametrize("forked", [False, True], ids=["first", "forked"])
def test_who_has_ended_is_known(tmp_path, floor, forked):
    """Killed at once, and without a floor (which waits) with the monitor stopped: it hears of the second load late."""
    stopped = STOPPED if floor == "off" else ""
    job = f"{LOAD}os.link('m.pkl', 'n.pkl')\n{stopped}{LOAD.replace('m.pkl', 'n.pkl')}os.kill(os.getpid(), 9)\n"
    if forked:
        job = "if os.fork():\n    os._exit(os.wait()[1] & 127 ^ 9)\n" + job
    told = loads(run(tmp_path, job, f"--floor={floor}", status=0 if forked else 137)[0])
    assert len(told) == 2
    for process in (record["process"] for record in told):
        assert process["argv"][0] == sys.executable and process["exe"] and process["cwd"] and process["start_time"]


def test_nobody_asks_and_nothing_is_told(tmp_path):
    assert run(tmp_path, LOAD, inventory=False) == [[], []]


def test_bytes_without_a_file_are_no_flood(tmp_path):
    records, _ = run(tmp_path, LOAD + "for n in range(200000):\n    pickle.loads(pickle.dumps(n))\n")
    assert len(loads(records)) == len(records) == 1


@pytest.mark.parametrize("floor", ["auto", "off"])
def test_loads_that_were_stopped_are_told_too(tmp_path, floor):
    records, others = run(tmp_path, EVIL, f"--floor={floor}")
    by_file, by_bytes = sorted(loads(records), key=lambda r: r["load"]["artifact"]["path"] or "~")
    assert by_file["load"]["artifact"]["path"] == f"{tmp_path}/evil.pkl"
    assert by_bytes["load"]["artifact"]["path"] is None and by_bytes["load"]["origin"] == "bytes"
    assert by_file["load"]["outcome"] == by_bytes["load"]["outcome"] == "raised"
    assert not loads(others) and len(others) == 2


@pytest.mark.parametrize("floor", ["auto", "off"])
def test_processes_tell_of_their_own(tmp_path, floor):
    job = "if os.fork() == 0:" + LOAD.replace("\n", "\n    ") + "\n    os._exit(0)\nos.wait()" + LOAD
    records, _ = run(tmp_path, job, f"--floor={floor}")
    assert len({record["process"]["pid"] for record in loads(records)}) == 2


def test_a_file_that_was_replaced_has_no_digest_of_another_one(tmp_path):
    job = "\nwith open('m.pkl', 'rb') as f:\n    os.replace('policy.yaml', 'm.pkl')\n    pickle.load(f)\n"
    (record,) = loads(run(tmp_path, job + "import time\ntime.sleep(0.2)\n")[0])
    other = hashlib.sha256((tmp_path / "m.pkl").read_bytes()).hexdigest()
    assert record["load"]["artifact"]["sha256"] != other


def test_many_files_are_bounded_and_the_rest_is_counted(tmp_path):
    job = """
for n in range(1200):
    pickle.dump(n, open(f"{n}.pkl", "wb"))
    with open(f"{n}.pkl", "rb") as f:
        pickle.load(f)
"""
    records, others = run(tmp_path, job)
    (loss,) = [record for record in others if record["schema"] == "modelwatch.loss/1"]
    told = loads(records)
    assert len(told) == 1024 and loss["kind"] == "inventory"
    assert sum(record["count"] for record in told) + loss["count"] == 1200


def test_a_monitor_that_does_not_read_delays_nobody(tmp_path):
    """Its queue is full at last; what does not fit is counted by the process and told with the next one."""
    job = f"""
import signal, time
monitor = os.getppid(){LOAD}
os.kill(monitor, signal.SIGSTOP)
start = time.monotonic()
for n in range(6000):
    with open("m.pkl", "rb") as f:
        pickle.load(f)
took = time.monotonic() - start
os.kill(monitor, signal.SIGCONT)
time.sleep(2){LOAD}
assert took < 5, took
"""
    records, others = run(tmp_path, job, "--floor=off")
    losses = [record["count"] for record in others if record["schema"] == "modelwatch.loss/1"]
    assert sum(record["count"] for record in loads(records)) + sum(losses) == 6002


TORCH = """
import torch
torch.save({"w": torch.zeros(2)}, "m.pt")
torch.load("m.pt", weights_only=True)
torch.load("m.pt", weights_only=False)
"""


def test_torch_is_asked_for_weights_only(tmp_path):
    pytest.importorskip("torch")
    found = loads(run(tmp_path, TORCH)[0])
    digest = hashlib.sha256((tmp_path / "m.pt").read_bytes()).hexdigest()
    assert [record["load"]["weights_only"] for record in found] == [True, False]
    for record in found:
        artifact = record["load"]["artifact"]
        assert (record["load"]["entry"], artifact["sha256"], artifact["member"]) == ("torch.load", digest, "m/data.pkl")
        assert len(artifact["stream_sha256"]) == 64 and artifact["stream_sha256"] != digest


@pytest.mark.parametrize("form", ["ocsf", "ecs"])
def test_other_formats_have_the_file(tmp_path, form):
    (record,), _ = run(tmp_path, LOAD, format=form)
    file = record["file"] if form == "ecs" else record["evidences"][0]["file"]
    assert file["path"] == f"{tmp_path}/m.pkl"
    if form == "ocsf":
        assert record["finding_info"]["types"] == ["inventory"] and record["is_alert"] is False
    else:
        assert record["event"]["action"] == "inventory"
