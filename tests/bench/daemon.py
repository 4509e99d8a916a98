"""What `modelwatch daemon` costs everybody else, as a part of docs/benchmarks.md.

    daemon.py [--quick] [--rows=NAME,...]     as root; with --quick, which is a test of this program, nothing
                                              is written, and other daemons may run

In each round every state has its turn, in random order: no daemon; one whose programs for system calls are off,
as they are while no interpreter runs; one whose are on (this program is an interpreter, so that one runs);
no daemon, but somebody who listens to fanotify. What the states of one round measured is a pair. Rows: redis,
calls, fanotify, pickle, torch, latency, found, memory, cpu, overhead.
"""

import contextlib
import csv
import json
import math
import os
import pathlib
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from bench import PROGRAM, QUICK, ROOT, cpu, inner, interval, out, put, ratio, table

sys.path.insert(0, str(ROOT / "tests"))
from interpreters import find  # noqa: E402

BESIDE = pathlib.Path(PROGRAM).parent / "bench"
ROWS = "redis calls fanotify pickle torch latency found memory cpu overhead".split()
BUDGET = 330  # seconds for the rounds, but no fewer than LEAST
LEAST = 1 if QUICK else 5
# In a /run of its own: its lock is nobody else's.
ALONE = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"]
IDLE = ["/usr/bin/python3", "-S", "-c", "import signal; signal.pause()"]

REQUESTS = ["PING_INLINE", "PING_MBULK", "SET", "GET"]
# What the loops of calls.c are, how often, and whether their time is that on a CPU or all of it.
CALLS = {"getppid": ("getppid", 1000000, 0), "read": ("openat and close", 50000, 0),
         "create": ("a file made, written and unlinked", 5000, 0), "map": ("mmap with PROT_EXEC, munmap", 20000, 0),
         "fork": ("fork, exec, wait", 300, 1)}

TINY = """
import pickle, time
stream = pickle.dumps({'a': 1, 'b': [1, 2]})
start = time.perf_counter()
for _ in range(200000):
    pickle.loads(stream)
print(time.perf_counter() - start)
"""
TORCH = """
import sys, time
start = time.perf_counter()
import torch
imported = time.perf_counter() - start
torch.load(sys.argv[1], weights_only=False)
start = time.perf_counter()
torch.load(sys.argv[1], weights_only=False)
print(imported, time.perf_counter() - start)
"""
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
# A load with an effect every millisecond, named for the time since the interpreter was started.
NEW = """
import sys, time, posix, _pickle
class Attack:
    def __reduce__(self):
        return posix.mkdir, (f"{sys.argv[1]}/{time.monotonic_ns() - int(sys.argv[2])}",)
for _ in range(60):
    _pickle.loads(_pickle.dumps(Attack()))
    time.sleep(0.001)
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


def wanted(name):
    rows = [a.removeprefix("--rows=").split(",") for a in sys.argv if a.startswith("--rows=")]
    return not rows or name in rows[-1]


def until(true, seconds, otherwise):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            sys.exit(f"{otherwise} within {seconds} s")
        time.sleep(0.05)


@contextlib.contextmanager
def running(command, **kwargs):
    """A process that is ended afterwards."""
    process = subprocess.Popen(command, **kwargs)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Daemon:
    """One that is up, and settled."""

    def __init__(self, directory, process):
        self.process, self.alerts, self.socket = process, f"{directory}/alerts", f"{directory}/control"

    def status(self, *options):
        done = subprocess.run([PROGRAM, "status", "--json", f"--socket={self.socket}", *options],
                              capture_output=True, text=True)
        if self.process.poll() is not None:
            sys.exit(f"the daemon has ended: {self.process.returncode}")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def calls(self):
        """How it looks at system calls, or "off"."""
        return next(hook["how"] for hook in self.status()["hooks"] if hook["name"] == "syscall")

    def seconds(self):
        """That it has spent on a CPU."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) * 1024

    def share(self, seconds, meanwhile=time.sleep):
        """Of a core."""
        start, used = time.monotonic(), self.seconds()
        meanwhile(seconds)
        return (self.seconds() - used) / (time.monotonic() - start)

    def effects(self):
        """The paths of which there are alerts, in their order."""
        with open(self.alerts) as file:
            return [path_of(line) for line in file.read().split("\n")[:-1]]

    def settle(self):
        """Until it has nothing left to do."""
        end = time.monotonic() + 5
        while self.share(0.2) > 0.02 and time.monotonic() < end:
            pass


def path_of(line):
    return ((json.loads(line).get("effect") or {}).get("detail") or {}).get("path")


@contextlib.contextmanager
def daemon(directory, file_writes="auto"):
    config = pathlib.Path(directory, "modelwatch.yaml")
    config.write_text(f"mode: alert\nalerts: {directory}/alerts\ncontrol: {{socket: {directory}/control}}\n"
                      f"reports: {{socket: {directory}/report}}\nfile_writes: {file_writes}\n")
    config.chmod(0o600)
    with running([*ALONE, PROGRAM, "daemon", "--foreground", "--quiet", f"--config={config}"],
                 stdin=subprocess.DEVNULL) as process:
        it = Daemon(directory, process)
        until(it.status, 60, "no daemon is up")
        until(lambda: (it.calls() == "off") == (file_writes == "off"), 10,
              f"system calls are not looked at as file_writes={file_writes} says")
        it.settle()
        yield it
        lost.append(it.status()["losses"])


lost = []


@contextlib.contextmanager
def fanotify(directory):
    with running([BESIDE / "fanotify", directory], stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline().strip()
        yield line
    line and print(f"fanotify: {line}; {process.stdout.read().strip()} events", file=sys.stderr)


@contextlib.contextmanager
def redis():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with running(["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no",
                  "--daemonize", "no"], stdout=subprocess.DEVNULL):
        ask = ["redis-cli", "-p", port, "ping"]
        until(lambda: subprocess.run(ask, capture_output=True).returncode == 0, 10, "no redis-server is up")
        yield port


def requests(port):
    """Seconds for a request, by test; "all": for one of each."""
    text = out(["redis-benchmark", "-p", port, "-t", ",".join(REQUESTS).lower(), "-n", "2000" if QUICK else "60000",
                "--csv"])
    found = {row["test"]: 1 / float(row["rps"]) for row in csv.DictReader(text.splitlines())}
    return {name: found[name] for name in REQUESTS} | {"all": sum(found[name] for name in REQUESTS)}


def loop(name, directory):
    """Seconds for a call: the median of three loops."""
    count = CALLS[name][1] // (20 if QUICK else 1)
    times = [float(out([BESIDE / "calls", name, str(count)], cwd=directory).split()[CALLS[name][2]])
             for _ in range(3)]
    return statistics.median(times) / count


def measure(state, port, big, directory):
    """One turn of a state: seconds, by what took them."""
    found = requests(port) if port else {}
    if wanted("calls") or state == "fanotify":
        found |= {name: loop(name, directory) for name in CALLS}
    if state not in ("none", "auto"):
        return found
    if wanted("pickle"):
        for version in ("3.11", "3.13"):
            if interpreter := find(version):
                found[version] = inner([*interpreter.argv, "-c", TINY]) / 200000
    if big:
        found["import"], found["load"] = map(float, out([sys.executable, "-c", TORCH, big]).split())
    return found


def rounds(states, port, big, directory):
    """What each state measured, round by round."""
    contexts = {"none": contextlib.nullcontext, "fanotify": lambda: fanotify(directory)}
    found, end = {state: [] for state in states}, time.monotonic() + BUDGET
    while len(found["none"]) < LEAST or not QUICK and time.monotonic() < end:
        for state in random.sample(states, len(states)):
            with contexts.get(state, lambda: daemon(directory, state))():
                found[state].append(measure(state, port, big, directory))
            time.sleep(0 if QUICK else 0.5)
    return found


def pairs(found, state, name):
    return [(bare[name], other[name]) for bare, other in zip(found["none"], found[state]) if name in other]


def over(sample, statistic=ratio):
    low, high = interval(sample, statistic)
    return f"{statistic(sample):.3f} ({low:.3f} to {high:.3f})" if sample else ""


def faster(sample):
    """Of times; as requests a second."""
    return 1 / ratio(sample)


def nanoseconds(sample, which):
    value = statistics.median(pair[which] for pair in sample) * 1e9
    return f"{value:.0f} ns" if value < 10000 else f"{value / 1000:.0f} us"


def is_met(true):
    return "yes" if true else "**no**"


def titles(states):
    known = {"off": "no interpreter runs", "auto": f"one runs ({how['auto']})",
             "tracepoints": "one runs (tracepoints)", "fanotify": "fanotify in its place"}
    return [known[state] for state in states]


how = {}


def redis_table(found, states):
    rows = []
    for name in [*REQUESTS, "all"]:
        each = [pairs(found, state, name) for state in states]
        bare = statistics.median(1 / turn[name] for turn in found["none"]) * (4 if name == "all" else 1)
        rows.append([name.lower(), f"{bare:.0f}", *map(lambda s: over(s, faster), each),
                     ">= 0.99 when no interpreter runs", is_met(faster(each[0]) >= 0.99)])
    return table(["redis-benchmark", "requests/s without", *titles(states), "target", "met"], rows)


def calls_table(found, states):
    rows = []
    for name, (title, _, _) in CALLS.items():
        each = [pairs(found, state, name) for state in states]
        target = ["<= 1.03", is_met(all(ratio(s) <= 1.03 for s in each[:2]))] if name == "fork" else ["", ""]
        rows.append([title, nanoseconds(each[0], 0), *(f"{nanoseconds(s, 1)}, {over(s)}" for s in each), *target])
    return table(["system calls", "without", *titles(states), "target", "met"], rows)


def python_table(found):
    rows = []
    for name in ("3.11", "3.13"):
        if sample := pairs(found, "auto", name):
            rows.append([f"a tiny pickle.loads in {name}, of 200,000", nanoseconds(sample, 0),
                         nanoseconds(sample, 1), over(sample), "", ""])
    for name, title in (("import", "import torch"), ("load", f"torch.load of {megabytes()} MB, warm")):
        if sample := pairs(found, "auto", name):
            rows.append([title, *(f"{statistics.median(p[i] for p in sample) * 1000:.1f} ms" for i in (0, 1)),
                         over(sample), "interval includes <= 1.01", is_met(interval(sample, ratio)[0] <= 1.01)])
    return table(["Python", "without", "with the daemon", "ratio", "target", "met"], rows)


def megabytes():
    return 16 if QUICK else 1024


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
    time.sleep(2)
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
    rows = [[hook["name"], hook["how"], str(hook["runs"]), f"{hook['ns_per_run']:.0f}"] for hook in hooks if hook["runs"]]
    return table(["hook", "how", "runs in 2 s", "ns each"], rows)


def by_itself(directory):
    """What is not a ratio, of one daemon."""
    rows, cost = [], ""
    with daemon(directory) as it:
        how["auto"] = it.calls()
        if wanted("latency"):
            rows.append(latency(it, directory))
        if wanted("found"):
            rows.append(first_seen(it, directory))
        if wanted("memory") or wanted("cpu"):
            rows += many(it)
        if wanted("overhead"):
            cost = overhead_table(it, directory)
    return table(["what", "measured", "target", "met"], rows), cost


def in_turns(directory):
    states = ["none", "off", "auto"] + (["tracepoints"] if how["auto"] != "tp_btf" else [])
    if wanted("fanotify"):
        with fanotify(directory) as line:
            states += ["fanotify"] if line else []
    big = f"{directory}/big.pt" if wanted("torch") else None
    if big:
        out([sys.executable, "-c", f"import torch; torch.save({{'w': torch.zeros({megabytes()} << 18)}}, {big!r})"])
    with redis() if wanted("redis") else contextlib.nullcontext() as port:
        found = rounds(states, port, big, directory)
    tables = []
    if wanted("redis"):
        tables.append(redis_table(found, states[1:]))
    if wanted("calls"):
        tables.append(calls_table(found, states[1:]))
    if wanted("pickle") or wanted("torch"):
        tables.append(python_table(found))
    return tables, len(found["none"])


def text_of(absolute, cost, tables, count):
    losses = {kind: sum(each[kind] for each in lost) for kind in lost[0]}
    told = ", ".join(f"{kind} {n}" for kind, n in losses.items() if n) or "nothing"
    return "\n\n".join(filter(None, [
        "## The daemon",
        f"""Made by `make bench-daemon` on {time.strftime("%Y-%m-%d")}: {cpu()}, {os.cpu_count()} cores, Linux
{platform.release().split("-")[0]}. {count} rounds in which every state has its turn, in random order; ratios are of
medians, with a 95% bootstrap interval over the rounds. System calls of all processes are looked at while any process
is an interpreter, and not otherwise; the benchmark is one itself, so the columns without are made with `file_writes:
off`. Times of calls that do not wait are those on a CPU.""",
        *tables, absolute,
        "What each of the kernel's programs takes, with the kernel's own measuring in it (`modelwatch status "
        "--overhead`), while a Python unpickles, runs programs and writes files:" if cost else "", cost,
        f"Lost while all this was measured: {told}."])) + "\n"


def others():
    """Daemons, in whatever namespace."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if len(words) > 1 and os.path.basename(words[0]) == b"modelwatch" and words[1] == b"daemon":
                found.append(path.parent.name)
    return found


def check():
    rows = [name for a in sys.argv if a.startswith("--rows=") for name in a.removeprefix("--rows=").split(",")]
    if set(rows) - set(ROWS):
        sys.exit(f"no such row: {', '.join(set(rows) - set(ROWS))}; there are {', '.join(ROWS)}")
    if os.getuid():
        sys.exit("only root can run the daemon")
    if others() and not QUICK:
        sys.exit(f"another daemon watches this machine, and would be measured too: process {', '.join(others())}")
    if os.getloadavg()[0] > 0.5 and not QUICK:
        print(f"this machine is busy (load {os.getloadavg()[0]:.1f}): the figures will say so", file=sys.stderr)


def main():
    check()
    with tempfile.TemporaryDirectory() as directory:
        absolute, cost = by_itself(directory)
        ratios = any(map(wanted, ("redis", "calls", "pickle", "torch")))
        text = text_of(absolute, cost, *(in_turns(directory) if ratios else ([], 0)))
    print(text)
    if not QUICK:
        put("make bench-daemon", text)


if __name__ == "__main__":
    main()
