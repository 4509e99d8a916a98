"""What one daemon costs and how fast it is, by itself: the rows of daemon.py that are no ratios."""

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from bench import QUICK, ROOT, out, table
from states import BESIDE, daemon, is_met, path_of, running, until, wanted

IDLE = ["/usr/bin/python3", "-S", "-c", "import signal; signal.pause()"]
# The time is taken in the load, right before the effect.
EFFECTS = """
import json, os, pickle, sys, time
times = {}
def act(path):
    times[path] = time.clock_gettime_ns(time.CLOCK_REALTIME)
    os.mkdir(path)
class Attack:
    def __init__(self, path):
        self.path = path
    def __reduce__(self):
        return act, (self.path,)
for i in range(int(sys.argv[2])):
    pickle.loads(pickle.dumps(Attack(f"{sys.argv[1]}/{i}")))
    time.sleep(0.01)
print(json.dumps(times))
"""
# A load with an effect every other millisecond, few enough not to keep the daemon busy; named for the time since
# the interpreter was started.
NEW = """
import sys, time, posix, _pickle
class Attack:
    def __reduce__(self):
        return posix.mkdir, (f"{sys.argv[1]}/{time.monotonic_ns() - int(sys.argv[2])}",)
for _ in range(25):
    _pickle.loads(_pickle.dumps(Attack()))
    time.sleep(0.002)
"""
BUSY = """
import pickle, subprocess
stream = pickle.dumps({'a': 1})
while True:
    for _ in range(20000):
        pickle.loads(stream)
    subprocess.run(["true"])
    open("bench-file", "w").close()
"""


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * part // 100)]


def latency(it, directory):
    """From right before an effect until its alert can be read in the file, by another process."""
    count, folder = 30 if QUICK else 300, tempfile.mkdtemp(dir=directory)
    with open(f"{directory}/arrivals", "w+") as lines, \
            running([BESIDE / "arrivals", it.alerts], stdout=lines) as reader:
        until(lambda: os.path.getsize(lines.name), 10, "the alerts cannot be followed")
        times = json.loads(out([sys.executable, "-c", EFFECTS, folder, str(count)]))
        time.sleep(1)
        reader.send_signal(signal.SIGTERM)
        reader.wait()
        lines.seek(0)
        arrived = {}
        for line in list(lines)[1:]:
            at, _, alert = line.partition(" ")
            arrived.setdefault(path_of(alert), int(at))
    took = [(arrived[path] - at) / 1e6 for path, at in times.items() if path in arrived]
    if not took:
        sys.exit("no effect was told")
    p50, p99 = percentile(took, 50), percentile(took, 99)
    return ["effect to alert in the file, p50 / p99", f"{p50:.2f} / {p99:.2f} ms, of {len(took)} of {count}",
            "p99 < 5 ms", is_met(p99 < 5 and len(took) == count)]


def first_seen(it, directory):
    """From the exec of interpreters that nobody has seen until a load in them is told."""
    folders = []
    for i in range(3 if QUICK else 100):
        folders.append(tempfile.mkdtemp(dir=directory))
        program = f"{folders[-1]}/python"
        shutil.copy(os.path.realpath(IDLE[0]), program)
        out([program, "-S", "-c", NEW, folders[-1], str(time.monotonic_ns())], env={"PYTHONHOME": "/usr"})
        os.unlink(program)
        time.sleep(0.1)  # alerts take longer to write than to cause
    it.settle()
    time.sleep(1)
    at = {}
    for path in it.effects():
        folder, _, time_of = (path or "").rpartition("/")
        if folder in folders:
            at.setdefault(folder, int(time_of))
    first = sum(at.get(folder) == min(map(int, os.listdir(folder))) for folder in folders)
    took = [at.get(folder, math.inf) / 1e6 for folder in folders]
    p50, p99 = percentile(took, 50), percentile(took, 99)
    return ["exec of a new interpreter to its first load that is seen, p50 / p99",
            f"{p50:.1f} / {p99:.1f} ms; of {len(folders)}, the very first load of {first}", "< 50 ms", is_met(p99 < 50)]


def compile_for(seconds):
    end, source = time.monotonic() + seconds, ROOT / "tests" / "bench" / "calls.c"
    while time.monotonic() < end:
        out(["cc", "-D_GNU_SOURCE", "-O2", "-c", "-o", "/dev/null", source])


def many(it):
    count, seconds, rows = 20 if QUICK else 500, 2 if QUICK else 30, []
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(running(IDLE))
        until(lambda: it.status()["processes"] >= count, 60, "not all processes are known")
        it.settle()
        rows.append([f"memory with {count} Python processes", f"{it.memory() / 1e6:.1f} MB", "< 32 MB",
                     is_met(it.memory() < 32e6)])
        used = it.share(seconds)
        rows.append([f"CPU in {seconds} s with them idle", f"{used:.2%} of a core", "< 1%", is_met(used < 0.01)])
    it.settle()
    used = it.share(seconds, compile_for)
    rows.append([f"CPU in {seconds} s of compiling", f"{used:.2%} of a core", "< 1%", is_met(used < 0.01)])
    return rows if wanted("cpu") else rows[:1]


def overhead_table(it, directory):
    with running([sys.executable, "-c", BUSY], cwd=directory):
        time.sleep(0.5)
        hooks = it.status("--overhead")
    rows = [[hook["name"], hook["how"], str(hook["runs"]), f"{hook['ns_per_run']:.0f}"]
            for hook in hooks if hook["runs"]]
    return table(["hook", "how", "runs in 2 s", "ns each"], rows)


def by_itself(directory):
    """What is not a ratio, of one daemon: a table, that of the hooks, and how it looks at system calls."""
    rows, cost = [], ""
    with daemon(directory) as it:
        how = it.calls()
        if wanted("latency"):
            rows.append(latency(it, directory))
        if wanted("found"):
            rows.append(first_seen(it, directory))
        if wanted("memory") or wanted("cpu"):
            rows += many(it)
        if wanted("overhead"):
            cost = overhead_table(it, directory)
    return table(["what", "measured", "target", "met"], rows) if rows else "", cost, how
