"""A program of another language, that brings no libc: lefthook, a static Go binary. It writes a file in
its repository, makes threads by clone(2) and starts git."""
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import run

lefthook = pytest.importorskip("lefthook", reason="the package's wheel is for x86-64")
GO = next(pathlib.Path(lefthook.__file__).resolve().parent.glob("bin/*/lefthook"))

LOAD = """
import os, pickle, sys
class Act:
    def __reduce__(self):
        return os.spawnv, (os.P_WAIT, sys.argv[1], [sys.argv[1], "install"])
print(pickle.loads(pickle.dumps(Act())))
"""
PLAIN = "import subprocess, sys; subprocess.run([sys.argv[1], 'install'], check=True, capture_output=True)"


@pytest.fixture
def repository(tmp_path):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    directory = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", directory], check=True)
    return directory


def started(repository, tmp_path, code, mode="deny", **kwargs):
    return run([sys.executable, "-c", code, str(GO)], tmp_path / "alerts", mode, cwd=repository, **kwargs)


def writes(done):
    return [alert for alert in done.alerts
            if alert["effect"]["class"] == "write" and alert["process"]["exe"] == str(GO)]


def test_outside_a_load_it_does_what_it_does(repository, tmp_path):
    done = started(repository, tmp_path, PLAIN)
    assert done.alerts == [] and done.returncode == 0, done.stderr
    assert (repository / "lefthook.yml").exists()


def test_what_a_load_has_started_is_seen(repository, tmp_path):
    done = started(repository, tmp_path, LOAD, "observe")
    assert (repository / "lefthook.yml").exists(), done.stderr
    alerts = [a for a in writes(done) if a["effect"]["detail"]["file"] == str(repository / "lefthook.yml")]
    assert len(alerts) == 1
    assert alerts[0]["sensor"] == "syscall" and alerts[0]["outcome"] == "observed"
    assert not alerts[0]["evasion"]  # nobody could have announced it
    assert alerts[0]["load"]["call"] in ("posix.spawnv", "os.spawnv")


def test_what_a_load_has_started_is_stopped(repository, tmp_path):
    """A rule lets the program start, under the load's name."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules: [{name: start, effect: exec, verdict: alert}]\n")
    done = started(repository, tmp_path, LOAD, options=[f"--policy={policy}"])
    assert not (repository / "lefthook.yml").exists()
    assert [(a["sensor"], a["outcome"], a["effect"]["detail"]["file"]) for a in writes(done)] == [
        ("syscall", "prevented", str(repository / "lefthook.yml"))]
    assert "UnsafeLoadError" in done.stderr and "lefthook.yml" in done.stderr
