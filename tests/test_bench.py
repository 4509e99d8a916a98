"""The benchmark of the daemon runs and says something; its figures are not looked at."""
import re
import subprocess
import sys

import pytest

from conftest import PROGRAM, ROOT
from daemon import lacking

SCRIPT = ROOT / "tests" / "bench" / "daemon.py"


def bench(*args, **kwargs):
    return subprocess.run([sys.executable, SCRIPT, *args], capture_output=True, text=True, timeout=300,
                          env={"MODELWATCH": PROGRAM, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, **kwargs)


@pytest.fixture(scope="module")
def programs():
    if reason := lacking():
        pytest.skip(reason)
    build = PROGRAM.rpartition("/")[0]
    subprocess.run(["make", "-s", f"O={build}", "bench-programs"], cwd=ROOT, check=True, timeout=600)


def test_two_rows(programs):
    written = (ROOT / "docs" / "benchmarks.md").read_bytes()
    done = bench("--quick", "--rows=calls,latency")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| effect to alert in the file, p50 / p99 \| \d+\.\d\d / \d+\.\d\d ms, of 30 of 30 \|",
                     done.stdout, re.M), done.stdout
    for name in ("getppid", "fork, exec, wait"):
        row = re.search(rf"^\| {name} \|(.*)$", done.stdout, re.M)[1].split("|")
        times = [re.match(r" (\d+) [nu]s", cell) for cell in row[:3]]
        assert all(times) and all(int(time[1]) for time in times), row
    assert (ROOT / "docs" / "benchmarks.md").read_bytes() == written


def test_an_unknown_row():
    done = bench("--rows=calls,nonsense")
    assert done.returncode == 1
    assert done.stderr.startswith("no such row: nonsense; there are redis, ")


def test_no_other_daemon_is_measured(host_daemon):
    done = bench("--rows=latency")
    assert done.returncode == 1
    assert "another daemon watches this machine" in done.stderr
    assert str(host_daemon.pid) in done.stderr
