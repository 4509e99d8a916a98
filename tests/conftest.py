"""What the tests share: the program, the interpreters there are, and a matrix at the end."""

import collections
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("MODELWATCH", str(ROOT / "build" / "modelwatch"))
VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]


class Result:
    """A finished run: what it printed, how it ended, and the alerts it left."""

    def __init__(self, process, alerts):
        self.stdout, self.stderr = process.stdout, process.stderr
        self.returncode = process.returncode
        self.alerts = alerts


def run(command, alerts, mode="deny", options=(), **kwargs):
    """Runs a command under modelwatch."""
    process = subprocess.run(
        [PROGRAM, "run", f"--mode={mode}", f"--alerts={alerts}", *options, "--", *command],
        capture_output=True,
        text=True,
        timeout=120,
        **kwargs,
    )
    records = []
    if os.path.exists(alerts):
        with open(alerts) as file:
            records = [json.loads(line) for line in file]
    return Result(process, records)


@functools.cache
def interpreters():
    """name -> path of every interpreter of the matrix; None for one that is not on this machine."""
    found = {}
    for version in VERSIONS:
        pyenv = sorted(pathlib.Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"))
        path = str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")
        found[version] = path
    debian = pathlib.Path("/usr/bin/python3.11")
    found["debian-3.11"] = str(debian) if debian.exists() else None
    found["venv"] = sys.executable
    return found


@pytest.fixture(params=[*VERSIONS, "debian-3.11", "venv"])
def python(request):
    """Each interpreter of the matrix in turn."""
    path = interpreters()[request.param]
    if not path:
        pytest.skip(f"no interpreter {request.param} on this machine")
    return path


@functools.cache
def version_of(python):
    out = subprocess.run(
        [python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True
    )
    return tuple(map(int, out.stdout.split()))


def pytest_terminal_summary(terminalreporter):
    """interpreter x set, from the names of the tests that ran."""
    matrix = collections.defaultdict(collections.Counter)
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            name = getattr(report, "nodeid", "")
            for interpreter in [*VERSIONS, "debian-3.11", "venv"]:
                if f"[{interpreter}-" in name or f"[{interpreter}]" in name:
                    set_name = name.split("::")[0].removeprefix("tests/test_").removesuffix(".py")
                    matrix[interpreter, set_name][outcome] += 1
    if not matrix:
        return
    terminalreporter.section("interpreter x set")
    for (interpreter, set_name), count in sorted(matrix.items()):
        line = ", ".join(f"{n} {outcome}" for outcome, n in count.items())
        terminalreporter.write_line(f"{interpreter:12} {set_name:10} {line}")
