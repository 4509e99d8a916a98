"""The plugin for Slurm in a real one of one node: a job's own log says what the daemon has alerted of it."""
import pickle
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest

from conftest import PROGRAM, ROOT
from daemon import START, Daemon, Made, until
from daemon import lacking as no_daemon
from hosts import slurm

PLUGIN = Path(PROGRAM).resolve().parent / "spank_modelwatch.so"
PYTHON = "/usr/bin/python3"
LOADER = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb')); print('the job goes on', file=sys.stderr)"


@pytest.fixture
def place():
    reason = slurm.lacking() or no_daemon() or (not PLUGIN.exists() and "needs the headers of Slurm")
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="mw-") as directory:
        (Path(directory) / "data").mkdir()
        yield Path(directory)


@pytest.fixture
def daemon(place):
    """Its alerts are where the node sees them."""
    made = Daemon(place / "data/daemon")
    made.start()
    yield made
    made.stop()


def plugstack(place, options):
    shutil.copy(PLUGIN, place / "data")
    return {"slurm/plugstack.conf": f"required /tmp/data/{PLUGIN.name} {options}\n"}


def poison(place, name="model.pkl", count=1):
    """A model that makes directories, and the command that loads it on the node."""
    made = [f"/tmp/data/made-{uuid.uuid4()}" for _ in range(count)]
    (place / "data" / name).write_bytes(pickle.dumps([Made(path) for path in made]))
    return made, [PYTHON, "-I", "-S", "-c", LOADER, f"/tmp/data/{name}"]


def run(place, command, options="alerts=/tmp/data/daemon/alerts.jsonl settle=3000"):
    """What the job's log has in the end."""
    with slurm.start(place, command, plugstack(place, options)) as machine:
        machine.process.wait(3 * START)
        said = machine.said()
    assert "the job goes on" in said, said
    return [line for line in said.splitlines() if "modelwatch: " in line]


def test_a_job_is_told_of_its_alert(daemon, place):
    # Of another job, by who could have put it there: the daemon's file is of all.
    other = '{"title": "somebody else", "update": 0, "job": {"kind": "slurm", "id": "11", "step": "0"}}\n'
    with open(daemon.alerts, "a") as file:
        file.write(other + "{ no JSON\n")
    (made,), command = poison(place)
    lines = run(place, command)
    assert len(lines) == 1, lines
    line = lines[0]
    assert line.endswith(": not prevented") and made in line and "/tmp/data/model.pkl" in line


def test_a_job_that_does_much_is_not_drowned(daemon, place):
    made, command = poison(place, count=30)
    lines = run(place, command)
    assert len(lines) == 21 and re.search(r"modelwatch: and \d+ more$", lines[-1]), lines


@pytest.mark.parametrize("options", ["alerts=/nowhere/alerts.jsonl settle=0", "alerts=/tmp/data settle=x", "nonsense=1"])
def test_nothing_that_is_missing_keeps_a_job_from_running(options, place):
    _, command = poison(place)
    lines = run(place, command, options)
    assert [line for line in lines if "it takes" not in line] == []


@pytest.fixture
def node(tmp_path):
    """What the scripts call: `modelwatch` answers as it is told to, and `logger` writes a file."""
    def write(name, text):
        (tmp_path / name).write_text("#!/bin/sh\n" + text)
        (tmp_path / name).chmod(0o755)
    write("logger", f'echo "$*" >>{tmp_path}/logged\n')

    def script(name, daemon_is_up=True):
        write("modelwatch", f"exit {int(not daemon_is_up)}\n")
        done = subprocess.run([ROOT / "slurm" / name], capture_output=True, text=True, env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_USER": "ada",
            "MODELWATCH_ALERTS": f"{tmp_path}/alerts.jsonl"})
        logged = tmp_path / "logged"
        return done.returncode, logged.read_text() if logged.exists() else ""
    return script


def test_the_prolog_lets_no_job_start_unwatched(node):
    assert node("prolog.sh") == (0, "")
    status, logged = node("prolog.sh", daemon_is_up=False)
    assert status == 1 and "job 7 is not started" in logged


def test_the_epilog_counts_and_never_fails(node, tmp_path):
    assert node("epilog.sh") == (0, "")
    (tmp_path / "alerts.jsonl").write_text("".join(
        f'{{"title":"x","job":{{"kind":"slurm","id":"{job}","step":"0"}}}}\n' for job in ("7", "77", "7")))
    status, logged = node("epilog.sh")
    assert status == 0 and "job 7 of ada: 2 records" in logged
