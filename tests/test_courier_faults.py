"""A courier whose spool, sinks or monitor are in its way: it keeps what it was told, and uses no processor for that."""
import contextlib
import fcntl
import json
import os
import sqlite3
import struct
import subprocess
import threading
import time

import pytest

from conftest import PROGRAM
from monitor import Monitor
from receivers import until
from sinks_net.http_stub import Stub
from test_alerts_command import alert, modelwatch
from test_courier import policy, records, run

NONE = {"per_rule": "0", "per_artifact": "0"}


def spool_of(place, **keys):
    return {"path": str(place / "spool" / "spool.db"), "flush": "60s", "per_minute": NONE, **keys}


def file(place):
    return {"out": {"type": "file", "path": str(place / "out.jsonl"), "format": "native"}}


def alerts(count, severity="critical"):
    return [alert(f"/bin/{n}", severity=severity) for n in range(count)]


def lines(some):
    return [json.dumps(record).encode() + b"\n" for record in some]


def ids(path):
    return [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []


def listed(place, *args):
    done = modelwatch("alerts", "--json", f"--spool={place}/spool/spool.db", *args)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def shut(tmp_path):
    """A spool that cannot be opened, until its folder is as it should be."""
    folder = tmp_path / "spool"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def test_a_spool_that_can_be_opened_later(shut, tmp_path):
    told = alerts(10)
    with Monitor(file(tmp_path), spool_of(tmp_path)) as monitor:
        monitor.put(lines(told))
        monitor.wait_for_view(lambda view: "others may write" in view["why"])
        before = monitor.cpu()
        time.sleep(2)
        assert monitor.cpu() - before < 0.3
        shut.chmod(0o700)
        monitor.wait()
        monitor.wait_for_view(lambda view: not view["why"])
        assert monitor.close() == 0
    assert ids(tmp_path / "out.jsonl") == [record["id"] for record in told]


@pytest.mark.parametrize("count", [0, 10])
def test_the_end_of_the_monitor_is_noticed_without_a_spool(shut, tmp_path, count):
    """What it was told it tries to keep for as long as `flush` says."""
    with Monitor(file(tmp_path), spool_of(tmp_path, flush="1s")) as monitor:
        monitor.put(lines(alerts(count)))
        monitor.wait_for_view(lambda view: "others may write" in view["why"])
        before, began = monitor.cpu(), time.monotonic()
        monitor.socket.shutdown(2)
        _, status, used = os.wait4(monitor.pid, 0)
        monitor.pid = None
    assert status == 0
    assert (1 if count else 0) <= time.monotonic() - began < 3
    assert used.ru_utime + used.ru_stime - before < 0.3


def test_off_is_no_bound(tmp_path):
    """And no duration is too long to be added to a time."""
    longest = "4886718h"  # in nanoseconds, as a number of 64 bits, less than nothing
    spool = spool_of(tmp_path, max_bytes="off", max_age="off", keep=longest, group={"window": longest, "window_max": longest})
    sink = {"out": {"type": "file", "path": str(tmp_path / "none" / "out.jsonl"), "format": "native"}}
    told = alerts(50)
    with Monitor(sink, spool) as monitor:
        monitor.tell(told + [alert("/bin/0")])
        time.sleep(1.5)  # a look at what is too old
        view = monitor.wait_for_view(lambda view: view["spool"])
        assert (view["spool"]["records"], view["spool"]["evicted"], view["spool"]["grouped"]) == (50, 0, 1)
    assert [record["id"] for record in listed(tmp_path)] == [record["id"] for record in told]


def test_a_longest_flush_and_heartbeat(tmp_path):
    """They are waits of the monitor's, too."""
    longest = f"{2**53 // 3600000}h"
    path = policy(tmp_path)
    path.write_text(path.read_text().replace("flush: 60s", f"flush: {longest}, heartbeat: {longest}"))
    done = subprocess.run([PROGRAM, "run", "--quiet", f"--policy={path}", "--", "true"], capture_output=True, text=True,
                          timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_taken_is_said_again(tmp_path):
    """A monitor that did not read for a while, so that there was no room to say it, hears of all in the end."""
    with Monitor(file(tmp_path), spool_of(tmp_path), buffer=1) as monitor:
        for line in lines(alerts(60)):
            monitor.put([line])
            time.sleep(0.02)
        until(lambda: len(ids(tmp_path / "out.jsonl")) == 60)
        time.sleep(0.5)
        monitor.wait()
        assert monitor.close() == 0


def refuse_dead_letters(place):
    with contextlib.closing(sqlite3.connect(place / "spool" / "spool.db")) as db:
        db.execute("CREATE TRIGGER not_now BEFORE INSERT ON dead BEGIN SELECT RAISE(ABORT, 'no'); END")
        db.commit()


def let_dead_letters_in(place):
    with contextlib.closing(sqlite3.connect(place / "spool" / "spool.db")) as db:
        db.execute("DROP TRIGGER not_now")
        db.commit()


def pending(place):
    """Alerts that the sink still has to get."""
    with contextlib.closing(sqlite3.connect(place / "spool" / "spool.db")) as db:
        return db.execute("SELECT COUNT(*) FROM entries WHERE kind = 0 AND sequence > (SELECT sequence FROM cursors)"
                          ).fetchone()[0]


def dead(place):
    with contextlib.closing(sqlite3.connect(place / "spool" / "spool.db")) as db:
        return db.execute("SELECT id FROM dead JOIN entries USING(sequence)").fetchall()


def test_a_refusal_that_cannot_be_written_down_is_not_passed_over(tmp_path):
    """The record stays, and is a dead letter as soon as there can be one; what was before it is not sent again."""
    refused = []

    def answer(stub, request, body):
        record = json.loads(body)
        refused.append(record["id"]) if record["rule"] == "refused" else None
        return 400 if record["rule"] == "refused" else 200
    first, second, third = alert("/bin/1"), alert("/bin/2", rule="refused"), alert("/bin/3")
    with Stub("webhook", default=answer) as stub:
        sink = {"web": {"type": "http", "url": stub.url, "format": "native"}}
        with Monitor(sink, spool_of(tmp_path)) as monitor:
            monitor.tell([alert("/bin/0")])
            until(lambda: len(stub.taken) == 1)
            refuse_dead_letters(tmp_path)
            monitor.tell([first, second, third])
            why = monitor.wait_for_view(lambda view: view["sinks"] and view["sinks"][0]["why"])["sinks"][0]["why"]
            assert "dead letter" in why
            until(lambda: len(refused) >= 2)  # it is tried again
            assert pending(tmp_path) == 2 and not dead(tmp_path)
            let_dead_letters_in(tmp_path)
            until(lambda: not pending(tmp_path), 30)
            assert dead(tmp_path) == [(second["id"],)]
            assert third["id"] in [record["id"] for record in stub.taken]
            assert [record["id"] for record in stub.taken].count(first["id"]) == 1


def test_what_no_format_has_and_cannot_be_written_down_is_not_passed_over(tmp_path):
    """The same for what is not sent at all."""
    bad, good = alert("/bin/1"), alert("/bin/2")
    sink = {"out": {"type": "file", "path": str(tmp_path / "none" / "out.jsonl"), "format": "ocsf"}}
    with Monitor(sink, spool_of(tmp_path)) as monitor:
        monitor.tell([bad, good])
        refuse_dead_letters(tmp_path)
        with contextlib.closing(sqlite3.connect(tmp_path / "spool" / "spool.db")) as db:
            db.execute("UPDATE entries SET record = 'nothing' WHERE id = ?", [bad["id"]])
            db.commit()
        (tmp_path / "none").mkdir()
        why = monitor.wait_for_view(lambda view: view["sinks"] and "dead letter" in view["sinks"][0]["why"])
        assert why["spool"]["sinks"][0]["pending"] >= 2 and not (tmp_path / "none" / "out.jsonl").exists()
        let_dead_letters_in(tmp_path)
        until(lambda: (tmp_path / "none" / "out.jsonl").exists(), 30)
        assert dead(tmp_path) == [(bad["id"],)]


@contextlib.contextmanager
def somebody_opens(path):
    """As one who checks a large spool: all others wait for their turn."""
    path.parent.mkdir(mode=0o700)
    fd = os.open(f"{path}.guard", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
    try:
        yield lambda: os.close(fd)
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)


def test_a_run_waits_for_its_courier_while_a_spool_is_checked(tmp_path):
    with somebody_opens(tmp_path / "spool" / "spool.db") as let_go:
        threading.Timer(9, let_go).start()
        done, seconds = run(PROGRAM, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert seconds > 8
    assert set(records(tmp_path / "out.jsonl")) == set(records(tmp_path / "alerts.jsonl"))


def test_a_run_that_has_nothing_to_keep_does_not(tmp_path):
    with somebody_opens(tmp_path / "spool" / "spool.db"):
        done, seconds = run(PROGRAM, tmp_path, effects=0, flush="1s")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert seconds < 4
