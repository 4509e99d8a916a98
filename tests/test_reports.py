"""What `modelwatch run` tells the host's daemon: the daemon's own code as the listener, and listeners that hang, go
away, or are not to be trusted."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

from conftest import PROGRAM, ROOT

HERE = pathlib.Path(__file__).parent

# Loads as many poisoned pickles as it is told to, each a call of `true`; pauses in between if told to, and lives until
# as many lines are in the file that it is told of.
LOADS = """
import os, pickle, sys, time
class Evil:
    def __reduce__(self):
        return os.system, ("true",)
stream = pickle.dumps(Evil())
count, pause, heard = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
for _ in range(count):
    try:
        pickle.loads(stream)
    except Exception:
        pass
    time.sleep(pause)
while heard and open(heard).read().count("\\n") < count:
    time.sleep(0.01)
"""


@pytest.fixture(scope="session")
def daemon():
    build = os.path.relpath(pathlib.Path(PROGRAM).resolve().parent, ROOT)
    program = f"{build}/tests/report_daemon"
    subprocess.run(["make", "-s", f"O={build}", program], cwd=ROOT, check=True)
    return str(ROOT / program)


@pytest.fixture
def host(tmp_path):
    """Runs a job on a host of that kind. Returns how it ended, its alerts, and what the listener has."""
    if os.getuid() or not shutil.which("unshare"):
        pytest.skip("needs root and unshare")

    def run(kind, loads=3, mode="deny", pause=0, heard=False, around=()):
        sent, alerts = tmp_path / "sent", tmp_path / "alerts"
        alerts.unlink(missing_ok=True)
        done = subprocess.run(
            ["unshare", "--mount", sys.executable, str(HERE / "report_host.py"), kind, str(sent),
             *around, PROGRAM, "run", f"--mode={mode}", f"--alerts={alerts}", "--",
             sys.executable, "-c", LOADS, str(loads), str(pause), str(sent) if heard else ""],
            capture_output=True, text=True, timeout=120)
        records = [[json.loads(line) for line in path.read_text().splitlines()] for path in (alerts, sent)]
        return done, *records
    return run


def test_every_alert_becomes_one_of_the_daemons(host, daemon):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs/alert.schema.json").read_text())
    done, alerts, written = host(f"daemon={daemon}", heard=True)
    assert "3 reports 0 forged 0 malformed" in done.stderr
    assert len(written) == len(alerts) == 3
    for own, theirs in zip(written, alerts):
        jsonschema.validate(own, schema)
        jsonschema.validate(theirs, schema)
        assert own["reporter"] == "user" and theirs["reporter"] is None
        assert own["reports"] == [theirs["id"]] and own["id"] != theirs["id"]
        # Who did it the daemon has found out itself, and it is the same.
        assert own["process"] == theirs["process"] and own["user"] == theirs["user"]
        assert own["host"] == theirs["host"]
        changed = {"id", "time", "update", "reporter", "reports", "process", "user", "host"}
        for field in theirs.keys() - changed:
            assert own[field] == theirs[field], field


def test_updates_are_passed_on(host, daemon):
    done, alerts, written = host(f"daemon={daemon}", mode="observe")
    assert {a["update"] for a in alerts} >= {0, 1}, "libc joins what Python announced"
    assert {a["reports"][0] for a in written} == {a["id"] for a in alerts}
    last = {a["id"]: a["seen_by"] for a in alerts}
    assert {a["reports"][0]: a["seen_by"] for a in written} == last


def test_hello_comes_before_the_command_starts(host):
    done, alerts, sent = host("comes_back", loads=1)
    assert [m["schema"] for m in sent[:3]] == ["modelwatch.hello/1", "modelwatch.supervise/1", "modelwatch.alert/1"]
    assert re.fullmatch("[0-9a-f]{64}", sent[0]["policy"]) and sent[0]["mode"] == "deny"
    assert sent[0]["policy"] == alerts[0]["policy"]["digest"]
    assert sent[2] == alerts[0]


def test_a_daemon_that_comes_back_is_told_the_rest(host):
    done, alerts, sent = host("comes_back", loads=12, pause=0.25)
    gone = [m["schema"] for m in sent].index("gone")
    after = sent[gone + 1:]
    assert [m["schema"] for m in after[:2]] == ["modelwatch.hello/1", "modelwatch.supervise/1"]
    told = {m["id"] for m in sent if m["schema"] == "modelwatch.alert/1"}
    # What lay in the socket of the one that went is lost with it, and no more.
    assert len({a["id"] for a in alerts} - told) <= 1
    assert alerts[-1]["id"] in told


def test_a_daemon_that_hangs_costs_nothing(host):
    """Whoever waited for it would wait for ever."""
    done, alerts, _ = host("hangs", loads=300)
    assert len(alerts) == 300 and done.returncode == 0
    lost = re.search(r"(\d+) alerts did not reach this machine's modelwatch daemon", done.stderr)
    assert lost and 0 < int(lost[1]) <= 300


@pytest.mark.parametrize("kind", ["nobody", "squatted"])
def test_only_root_is_told(host, kind):
    done, alerts, sent = host(kind)
    assert len(alerts) == 3 and sent == []
    assert "did not reach" not in done.stderr


def test_pids_of_another_namespace_mean_nothing(host, daemon):
    done, alerts, written = host(f"daemon={daemon}", around=["unshare", "-pf", "--mount-proc"])
    assert "0 reports 0 forged 0 malformed" in done.stderr
    assert len(alerts) == 3 and written == []


def test_no_daemon_is_no_news(host):
    done, alerts, _ = host("none")
    assert len(alerts) == 3 and "daemon" not in done.stderr
