"""Programs that do what badly made probes break: with the daemon's probes in them they print what they print
without, and end as they do. MODELWATCH_VICTIM_SECONDS=60 makes each run for about a minute, and those that
need nothing on every interpreter."""
import concurrent.futures
import contextlib
import functools
import os
import platform
import re
import subprocess
import time

import pytest

from daemon import PATIENCE, Daemon, lacking, until
from interpreters import MAIN, VERSIONS, find
from victims import build

SECONDS = int(os.environ.get("MODELWATCH_VICTIM_SECONDS", 2))
BY_HAND = "MODELWATCH_VICTIM_SECONDS" in os.environ
DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "victims")
SAYS = re.compile(r"loads: (\d+) probed: (\d+) (\d+)\n")
OTHER_VERSIONS = [*VERSIONS, "debian-3.11"]
# Everywhere; the others are about the process, not about the version.
GENERIC = "generic"
RESTARTS = 3

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="probes are for x86-64")


def state(pid):
    """Runs, sleeps or is stopped, and where."""
    with open(f"/proc/{pid}/status") as status, open(f"/proc/{pid}/wchan") as where:
        return re.search(r"^State:\t(.*)", status.read(), re.M)[1], where.read()


class Run:
    """One run of a victim: what has to be the same, and what it said of itself."""

    def __init__(self, command, seconds, **environment):
        environment = dict(os.environ, **environment, PYTHONPATH=os.pathsep.join(
            [str(build.directory()), os.environ.get("PYTHONPATH", "")]))
        process = subprocess.Popen([*command, str(seconds)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, errors="replace", env=environment)
        said = None
        try:
            out, errors = process.communicate(timeout=60 + 20 * seconds)
        except subprocess.TimeoutExpired:
            self.result = ("hangs", state(process.pid))
            process.kill()
            process.communicate()
        else:
            said = SAYS.fullmatch(errors)
            self.result = (process.returncode, out, "" if said else errors)
        self.loads, self.before, self.after = map(int, said.groups()) if said else (0, -1, -1)


def scripts():
    return {name[:-3]: os.path.join(DIRECTORY, name) for name in sorted(os.listdir(DIRECTORY))
            if name.endswith(".py") and name not in ("victim.py", "build.py", "__init__.py")}


@functools.lru_cache(maxsize=None)
def victims():
    """The commands, by name."""
    found = {name: (*MAIN.argv, path) for name, path in scripts().items()}
    found["red_zone"] = (str(build.directory() / "red_zone"),)
    for version in OTHER_VERSIONS:
        for name, path in scripts().items():
            with open(path) as file:
                plain = "# needs:" not in file.read()
            if find(version) and (name == GENERIC or BY_HAND and plain):
                found[f"{name}-{version}"] = (*find(version).argv, path)
    return found


def run_all(names, seconds, **environment):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(lambda name: Run(victims()[name], seconds, **environment), names)))


def bare(names, seconds):
    """Runs that nobody's probes reach."""
    runs = run_all(names, seconds, LD_PRELOAD=str(build.directory() / "unprobed.so"))
    assert {name: run.result for name, run in runs.items() if run.result[0] != 0} == {}
    assert {name for name, run in runs.items() if (run.before, run.after) != (0, 0)} == set()
    return runs


def wait_for_probes(names):
    """In the interpreter of each: a daemon that has met one knows it from then on."""
    for command in {victims()[name][:-1] for name in names if len(victims()[name]) > 1}:
        subprocess.run([*command, os.path.join(DIRECTORY, "victim.py"), "20"], check=True, timeout=60)


@contextlib.contextmanager
def daemon_on(directory):
    daemon = Daemon(directory, mode="observe").start()
    try:
        yield daemon
    finally:
        assert daemon.stop() == 0, daemon.said()


def status(daemon):
    """Of a daemon that may have much to do."""
    said = []
    until(lambda: said.append(daemon.status()) or said[-1], 3 * PATIENCE, "no answer", daemon)
    return said[-1]


@pytest.fixture
def host():
    if why := lacking():
        pytest.skip(why)


def results(runs):
    return {name: run.result for name, run in runs.items()}


def test_victims_are_not_harmed(host, tmp_path):
    names = list(victims())
    unprobed = bare(names, SECONDS)
    with daemon_on(tmp_path / "daemon") as daemon:
        wait_for_probes(names)
        before = status(daemon)
        probed = run_all(names, SECONDS)
        after = status(daemon)
    assert results(probed) == results(unprobed)
    assert [name for name, run in probed.items() if run.after <= 0] == []
    loads = sum(run.loads for run in probed.values())
    assert after["loads"] - before["loads"] >= loads, f"of {loads} loads"
    # leaves.S has two functions that no probe is safe in.
    assert after["refused_sites"] >= before["refused_sites"] + 2
    assert probed["red_zone"].after >= 22


def test_daemon_comes_and_goes(host, tmp_path):
    """Probes are put in and taken out while the victims run, in the middle of their loads."""
    names = [name for name in ("contexts", "generic", "greenlets", "processes", "recursion", "red_zone", "signals",
                               "starts", "threads") if name in victims()]
    unprobed = results(bare(names, 1))
    wrong, over = [], False

    def work(name):
        count = 0
        while not over:
            result = Run(victims()[name], 1).result
            if result != unprobed[name]:
                wrong.append((name, result))
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        working = [pool.submit(work, name) for name in names]
        loads = []
        try:
            for _ in range(RESTARTS * (10 if BY_HAND else 1)):
                with daemon_on(tmp_path / "daemon") as daemon:
                    before = status(daemon)["loads"]
                    time.sleep(2)
                    loads.append(status(daemon)["loads"] - before)
        finally:
            over = True
        rounds = [one.result() for one in working]
    assert wrong == []
    assert min(rounds) > 0 and min(loads) > 0


def test_a_bad_probe_would_be_noticed(host, tmp_path):
    """The same functions with a probe that nobody refused, in a library of the test's own."""
    for name in ("red_zone", "libtorch_cpu.so"):
        (tmp_path / name).write_bytes((build.directory() / name).read_bytes())
    (tmp_path / "red_zone").chmod(0o755)
    symbols = subprocess.run(["objdump", "-t", tmp_path / "libtorch_cpu.so"], capture_output=True, text=True,
                             check=True).stdout
    offset = re.search(r"^([0-9a-f]+) .*PyTorchStreamReaderD0Ev$", symbols, re.M)[1]
    probe = f"modelwatch_victims/nop5_{os.getpid()}"
    script = f"""
        mount -t tracefs none /mnt && cd /mnt &&
        echo 'p:{probe} {tmp_path}/libtorch_cpu.so:0x{offset}' >> uprobe_events || exit 77
        echo 1 > events/{probe}/enable
        {tmp_path}/red_zone 1
        echo 0 > events/{probe}/enable
        echo '-:{probe}' >> uprobe_events"""
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, timeout=60)
    if done.returncode == 77:
        pytest.skip("no probes by tracefs here")
    calls, wrong = map(int, re.search(r"(\d+) calls .* (\d+) wrong", done.stdout).groups())
    if not wrong:
        pytest.skip("this kernel puts no call in place of a nop of 5 bytes")
    assert wrong > calls / 2
