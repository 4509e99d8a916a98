"""modelwatch alerts: what the spool holds, as people and programs are shown it."""
import contextlib
import json
import os
import sqlite3
import subprocess
import time
import uuid

import pytest
from conftest import PROGRAM
from monitor import Monitor

HOSTILE = "\x1b]0;owned\x07\x1b[2J\n\r\u202e\u2066\u009b31m\u200b"


def modelwatch(*args, **kwargs):
    kwargs.setdefault("timeout", 60)
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, **kwargs)


def alert(program="/bin/sh", **changes):
    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9))
    number = uuid.uuid4().hex
    record = {
        "schema": "modelwatch.alert/1",
        "id": f"{now // 10**6:012x}"[:8] + "-" + f"{now // 10**6:012x}"[8:] + "-7" + number[:3]
        + "-8" + number[3:6] + "-" + number[6:18],
        "update": 0, "time": f"{stamp}.{now % 10**9:09d}Z", "rule": "load-exec",
        "title": f"/models/a.pt tried to run `{program}`: prevented", "severity": "critical",
        "effect": {"class": "exec", "detail": {
            "op": "os.system", "path": program, "executable": program, "executable_owner": 0,
            "argv": [program], "argv_cut": False, "facts": []}},
        "verdict": "deny", "requested": "deny", "mode": "deny", "outcome": "prevented",
        "sensor": "python", "seen_by": ["python"], "evasion": False, "cause": "call",
        "load": {"id": "89b60cad050eef75", "entry": "torch.load", "origin": "file",
                 "artifact": {"path": "/models/a.pt", "member": None, "size": 1, "sha256": "ab" * 32,
                              "digest_state": "done", "stream_sha256": "cd" * 32, "model": None},
                 "call": "posix.system", "args": "('x',)", "opcode": "REDUCE", "offset": 2,
                 "offset_range": None, "nested": False, "after_load": False},
        "python_stack": [], "native_stack": [],
        "process": {"pid": 5, "ns_pid": None, "tid": 5, "start_time": None, "comm": "python",
                    "exe": "/usr/bin/python", "argv": ["python"], "cwd": "/", "unit": None,
                    "user_unit": None, "ancestors": []},
        "user": {"uid": 1000, "name": "ada", "groups": [], "loginuid": None}, "job": None,
        "container": None, "host": {"name": "h", "boot_id": "b", "kernel": "6"},
        "policy": {"digest": "0" * 64, "rule": "load-exec", "severity": None, "expired": None}, "version": "0.1.0",
        "labels": {}, "count": 1, "reporter": None, "reports": [],
    }
    record.update(changes)
    return record


class Spool:
    def __init__(self, place):
        self.path = place / "spool" / "spool.db"
        self.out = place / "sent.jsonl"

    @contextlib.contextmanager
    def courier(self):
        """A courier, as a monitor starts it. Gives what hands it records and waits for the answer."""
        with Monitor({"file": {"type": "file", "path": str(self.out)}}, {"path": str(self.path)}) as monitor:
            yield lambda *records: monitor.tell(records)
            assert monitor.close() == 0

    def put(self, *records):
        with self.courier() as put:
            put(*records)

    def alerts(self, *args, **kwargs):
        return modelwatch("alerts", *args, "--spool", self.path, **kwargs)

    def lines(self, *args):
        done = self.alerts(*args)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path)


def is_harmless(text):
    return all(c == "\n" or c.isprintable() for c in text)


def test_lists_what_is_kept(spool):
    first, second = alert(), alert("/bin/true", severity="low", rule="other")
    spool.put(first, second)
    lines = spool.lines()
    assert len(lines) == 2
    assert first["id"] in lines[0] and "critical" in lines[0] and "tried to run `/bin/sh`" in lines[0]
    assert second["id"] in lines[1]
    assert [l for l in spool.lines("--severity=high")] == lines[:1]
    assert spool.lines("--rule=oth*") == lines[1:]
    assert spool.lines("--artifact=a.pt") == lines
    assert spool.lines("--artifact=/models/*.pt") == lines
    assert spool.lines("--artifact=" + "cd" * 16) == lines
    assert spool.lines("--artifact=b.pt") == []
    assert spool.lines("--since=1h") == lines
    assert spool.lines("--until=1h") == []
    records = [json.loads(l) for l in spool.lines("--json")]
    assert [r["id"] for r in records] == [first["id"], second["id"]]
    assert all(len(r["group"]["key"]) == 64 for r in records)


def test_shows_one_in_every_format(spool):
    record = alert()
    spool.put(record)
    whole = spool.alerts("show", record["id"])
    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout)["id"] == record["id"]
    short = spool.alerts("show", record["id"][:25].upper())
    assert short.stdout == whole.stdout
    for name in ("native", "ocsf", "ecs"):
        done = spool.alerts("show", record["id"], f"--format={name}")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1 and json.loads(done.stdout)
    ocsf = spool.alerts("show", record["id"], "--format=ocsf", "--ocsf-version=1.1")
    assert json.loads(ocsf.stdout)["metadata"]["version"].startswith("1.1")
    by_uid = spool.alerts("show", json.loads(spool.alerts(
        "show", record["id"], "--format=ocsf").stdout)["metadata"]["uid"])
    assert by_uid.stdout == whole.stdout
    assert spool.alerts("show", record["id"], "--format=cef").stdout.startswith("CEF:0|")


def test_shows_the_count_of_a_finding(spool):
    record = alert()
    spool.put(record)
    # Its window has passed: the next courier tells.
    with sqlite3.connect(spool.path) as db:
        db.execute("UPDATE groups SET count = 12, due = 0")
    db.close()
    spool.put(alert("/bin/other"))
    assert [l for l in spool.lines() if "(12 times)" in l and record["id"] in l]
    shown = json.loads(spool.alerts("show", record["id"]).stdout)
    assert (shown["count"], shown["update"]) == (12, 1)


def test_tells_the_count_of_a_storm_when_it_ends(spool):
    records = [alert() for _ in range(3000)]
    spool.put(*records)
    lines = spool.lines("--json")
    assert len(lines) < 20
    assert json.loads(lines[-1])["count"] == 3000
    assert {json.loads(l)["id"] for l in lines} == {records[0]["id"]}
    # All of it was sent before the courier went.
    assert len(spool.out.read_text().splitlines()) == len(lines)


def test_says_which_id_it_cannot_show(spool):
    first, second = alert(), alert("/bin/true")
    second["id"] = first["id"][:-4] + "0000"
    spool.put(first, second)
    done = spool.alerts("show", first["id"][:20])
    assert done.returncode == 1 and first["id"] in done.stderr and second["id"] in done.stderr
    done = spool.alerts("show", "ffffffff")
    assert done.returncode == 1 and "no record" in done.stderr
    assert spool.alerts("show", "../x").returncode == 125
    assert spool.alerts("show").returncode == 125
    assert spool.alerts("show", first["id"], "--format=xml").returncode == 125


def test_writes_nothing_that_a_terminal_obeys(spool):
    record = alert(HOSTILE, title=HOSTILE, rule=HOSTILE)
    record["load"]["artifact"]["path"] = "/m/" + HOSTILE
    record["load"]["args"] = HOSTILE
    record["process"]["argv"] = [HOSTILE] * 3
    spool.put(record)
    for args in ((), ("--json",), ("show", record["id"]), ("show", record["id"], "--format=native"),
                 ("show", record["id"], "--format=ocsf"), ("show", record["id"], "--format=ecs"),
                 ("show", record["id"], "--format=cef"), ("dead",)):
        done = spool.alerts(*args)
        assert done.returncode == 0, done.stderr
        assert is_harmless(done.stdout) and is_harmless(done.stderr), args


def test_follows(spool):
    old, new = alert(), alert("/bin/new")
    spool.put(old)
    process = subprocess.Popen([PROGRAM, "alerts", "--follow", "--since=1h", "--json", "--spool", spool.path],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(process.stdout.readline())["id"] == old["id"]
        spool.put(new)
        assert json.loads(process.stdout.readline())["id"] == new["id"]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def wait_for_lines(path, count):
    end = time.time() + 20
    while time.time() < end:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return [json.loads(l) for l in lines]
        time.sleep(0.05)
    raise AssertionError(f"{len(lines)} of {count} lines")


def test_replays(spool):
    first, second = alert(), alert("/bin/true")
    with spool.courier() as put:
        put(first, second)
        before = wait_for_lines(spool.out, 2)
        done = spool.alerts("replay", "--since=1h", "--sink=file")
        assert done.returncode == 0 and done.stdout.startswith("2 records"), done.stderr
        after = wait_for_lines(spool.out, 4)
        # The same records with the same ids, so that the receiver can tell.
        assert after[2:] == before
    assert spool.alerts("replay").returncode == 125
    done = spool.alerts("replay", "--since=1h", "--sink=nobody")
    assert done.returncode == 1 and "file" in done.stderr
    assert spool.alerts("replay", "--since=soon").returncode == 125


def test_lists_dead_letters(spool):
    spool.put(alert())
    assert spool.lines("dead") == []
    with sqlite3.connect(spool.path) as db:
        db.execute("INSERT INTO dead VALUES(1, 'file', 0, 'it is too long')")
    db.close()
    (line,) = spool.lines("dead")
    assert "file: it is too long" in line


def test_says_when_there_is_no_spool(tmp_path):
    home = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    done = modelwatch("alerts", env=home)
    assert done.returncode == 1 and "nothing was kept" in done.stderr
    assert not list(tmp_path.iterdir())
    done = modelwatch("alerts", "--spool", tmp_path)
    assert done.returncode == 125
    # What is no spool stays as it is.
    other = tmp_path / "alerts.jsonl"
    other.write_text("{}\n" * 1000)
    done = modelwatch("alerts", "--spool", other)
    assert done.returncode == 125 and "no spool" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["alerts.jsonl"]
    assert other.read_text() == "{}\n" * 1000


def test_takes_the_spool_of_the_policy(spool, tmp_path):
    spool.put(alert())
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"version: 1\nspool:\n  path: {spool.path}\n")
    done = modelwatch("alerts", "--policy", policy)
    assert done.returncode == 0 and "tried to run" in done.stdout, done.stderr
