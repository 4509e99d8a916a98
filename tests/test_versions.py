"""What of one version meets what of the next one: it works, or it says so and stays out of the way (docs/protocol.md)."""
import json
import os
import re
import subprocess
import sys

import pytest

import next_version
from attacks.stream import assemble, call
from conftest import PROGRAM
from daemon import Daemon, Victim, lacking

LOADS = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb')); print('loaded')"
OTHER = r"processes of this job carry another version of modelwatch than this one, \S+: they were not watched \(\d+ messages\)"


@pytest.fixture(scope="module")
def following(tmp_path_factory):
    """The directory with the program of the next version."""
    return next_version.build(tmp_path_factory.mktemp("next"))


@pytest.fixture(scope="module")
def this():
    return os.path.dirname(os.path.realpath(PROGRAM))


@pytest.fixture
def poison(tmp_path):
    """A stream that makes a directory."""
    path = tmp_path / "model.pkl"
    path.write_bytes(assemble(call("posix.mkdir", f"{tmp_path}/made")))
    return path


def load(program, poison, *options):
    return subprocess.run([program, "run", "--mode=deny", *options, "--", sys.executable, "-c", LOADS, poison],
                          cwd=poison.parent, capture_output=True, text=True, timeout=60)


def test_the_next_version_works(following, poison, tmp_path):
    """It is one that can be told from this."""
    done = load(following / "modelwatch", poison)
    assert done.returncode == 1 and "UnsafeLoadError" in done.stderr and not (tmp_path / "made").exists()


@pytest.mark.parametrize("newer", ["program", "shim"])
@pytest.mark.parametrize("floor", ["off", "auto"])
def test_program_and_shim(newer, floor, following, this, poison, tmp_path):
    """The job goes on as if there were no shim, and that is said."""
    pair = (following, this) if newer == "program" else (this, following)
    program = next_version.beside(tmp_path / "pair", *pair)
    done = load(program, poison, f"--floor={floor}")
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr
    assert re.fullmatch(f"modelwatch: {OTHER}\n", done.stderr), done.stderr
    assert (tmp_path / "made").exists()


def test_shim_and_extension(following, this, poison, tmp_path):
    """Between these two there is only the table that one finds in the other: it is still the same."""
    program = next_version.beside(tmp_path / "pair", this, this)
    (tmp_path / "pair/_modelwatch.abi3.so").write_bytes((following / "_modelwatch.abi3.so").read_bytes())
    done = load(program, poison)
    assert done.returncode == 1 and "UnsafeLoadError" in done.stderr and not (tmp_path / "made").exists()


@pytest.mark.parametrize("first", ["this", "next"])
def test_spool(first, following, this, poison, tmp_path):
    """Who finds another version's spool leaves it as it is, says so, and stops what is to be stopped."""
    programs = [f"{this}/modelwatch", following / "modelwatch"]
    made, met = programs if first == "this" else reversed(programs)
    def policy(flush):
        path = tmp_path / "policy.yaml"
        path.write_text(f"""version: 1
spool: {{path: {tmp_path}/spool/spool.db, flush: {flush}}}
sinks: [{{name: file, type: file, path: {tmp_path}/out.jsonl}}]
""")
        return f"--policy={path}"
    done = load(made, poison, policy("60s"))
    assert "UnsafeLoadError" in done.stderr and "another version" not in done.stderr, done.stderr
    before = (tmp_path / "spool/spool.db").read_bytes()
    sent = (tmp_path / "out.jsonl").read_text()
    assert "posix.mkdir" in sent
    done = load(met, poison, policy("1s"), f"--alerts={tmp_path}/alerts.jsonl")
    assert "UnsafeLoadError" in done.stderr and not (tmp_path / "made").exists()
    assert "spool.db: another version of modelwatch has made this spool" in done.stderr, done.stderr
    assert (tmp_path / "spool/spool.db").read_bytes() == before
    assert (tmp_path / "out.jsonl").read_text() == sent
    assert "posix.mkdir" in (tmp_path / "alerts.jsonl").read_text()


def is_joint(alert):
    """Of the kernel and of the run."""
    return alert["sensor"] == "kernel" and alert["reports"] and "python" in alert["seen_by"]


@pytest.mark.parametrize("newer", ["daemon", "run"])
def test_run_and_daemon(newer, following, this, poison, tmp_path):
    """What they say to each other is JSON, of which they take what they know."""
    if reason := lacking():
        pytest.skip(reason)
    programs = {"daemon": f"{this}/modelwatch", "run": f"{this}/modelwatch", newer: str(following / "modelwatch")}
    daemon = Daemon(tmp_path / "daemon", program=programs["daemon"]).start()
    try:
        for program in (f"{this}/modelwatch", following / "modelwatch"):
            done = subprocess.run([program, "status", "--json", f"--socket={daemon.socket}"], capture_output=True, check=True)
            assert json.loads(done.stdout)["schema"] == "modelwatch.status/1"
            done = subprocess.run([program, "daemon", "mode", f"--socket={daemon.socket}", "alert"], capture_output=True,
                                  text=True, check=True)
            assert done.stdout == "the mode is alert\n"
        inside = ["nsenter", f"--target={daemon.pid}", "--mount", programs["run"]]
        for _ in range(5):  # a busy machine may be late with a report
            since = daemon.mark()
            done = subprocess.run([*inside, "run", "--mode=observe", "--floor=off", "--quiet", "--", sys.executable, "-c",
                                   LOADS, poison], cwd=tmp_path, capture_output=True, text=True, timeout=60)
            assert done.stdout == "loaded\n", done.stderr
            (tmp_path / "made").rmdir()
            alerts = daemon.wait_for(Victim(tmp_path), since, lambda found: any(map(is_joint, found)))
            if any(map(is_joint, alerts)):
                return
        raise AssertionError(f"they tell of it apart: {alerts}")
    finally:
        assert daemon.stop() == 0
