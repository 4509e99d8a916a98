"""What the tests share: the program, the interpreters there are, and a matrix at the end."""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from interpreters import MATRIX, find

pytest_plugins = ["daemon"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
# The journal of these tests is not the user's.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="modelwatch-tests-")
BESIDE = ("modelwatch", "libmodelwatch.so", "_modelwatch.abi3.so", "modelwatch.py")
PROGRAM = os.environ.get("MODELWATCH", str(ROOT / "build" / "modelwatch"))

# Runs a command while another thread has a load open that has made a call.
HOLDER = """
import pickle, re, subprocess, sys, threading
opened, over = threading.Event(), threading.Event()
class Held:
    def __setstate__(self, state):
        opened.set()
        over.wait()
held = Held()
held.x = 1
thread = threading.Thread(target=pickle.loads, args=(pickle.dumps([re.compile("a+"), held]),))
thread.start()
opened.wait()
done = subprocess.run(sys.argv[1:])
over.set()
thread.join()
sys.exit(done.returncode)
"""


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


@pytest.fixture
def nobody():
    """modelwatch as an ordinary user runs it: how to, and the program."""
    if os.getuid() or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    with tempfile.TemporaryDirectory(prefix="modelwatch-nobody-") as directory:
        os.chmod(directory, 0o755)
        for name in BESIDE:
            shutil.copy(pathlib.Path(PROGRAM).resolve().parent / name, directory)
        yield (["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env",
                "HOME=/nonexistent"], f"{directory}/modelwatch")


@pytest.fixture(params=MATRIX)
def interpreter(request):
    """Each interpreter of the matrix in turn."""
    found = find(request.param)
    if not found:
        pytest.skip(f"no interpreter {request.param} on this machine")
    return found


def pytest_terminal_summary(terminalreporter):
    """interpreter x set, from the names of the tests that ran."""
    matrix = collections.defaultdict(collections.Counter)
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            name = getattr(report, "nodeid", "")
            for interpreter in MATRIX:
                if f"[{interpreter}-" in name or f"[{interpreter}]" in name:
                    set_name = name.split("::")[0].removeprefix("tests/test_").removesuffix(".py")
                    matrix[interpreter, set_name][outcome] += 1
    if not matrix:
        return
    terminalreporter.section("interpreter x set")
    for (interpreter, set_name), count in sorted(matrix.items()):
        line = ", ".join(f"{n} {outcome}" for outcome, n in count.items())
        terminalreporter.write_line(f"{interpreter:12} {set_name:10} {line}")
