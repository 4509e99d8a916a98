"""What `modelwatch daemon` costs everybody else, as a part of docs/benchmarks.md.

    daemon.py [--quick] [--rows=NAME,...]     as root; with --quick, which is a test of this program, nothing
                                              is written, and other daemons may run

In each round every state has its turn, in random order: no daemon; one whose programs for system calls are off,
as they are while no interpreter runs; one whose are on (this program is an interpreter, so that one runs);
no daemon, but somebody who listens to fanotify. What the states of one round measured is a pair. Rows: redis,
calls, fanotify, pickle, loads, torch, latency, found, memory, cpu, overhead.
"""

import contextlib
import csv
import os
import pathlib
import platform
import random
import statistics
import sys
import tempfile
import time

from alone import by_itself
from bench import QUICK, ROOT, cpu, inner, interval, out, put, ratio, table
from states import BESIDE, daemon, fanotify, is_met, lost, on_cpu, redis, wanted

sys.path.insert(0, str(ROOT / "tests"))
from interpreters import find  # noqa: E402

ROWS = "redis calls fanotify pickle loads torch latency found memory cpu overhead".split()
BUDGET = 330  # seconds for the rounds, but no fewer than LEAST
LEAST = 1 if QUICK else 5
MEGABYTES = 16 if QUICK else 1024

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
# The time on a CPU: what keeps the inventory has another one, or waits.
FILE = """
import pickle, sys, time
with open(sys.argv[1], 'wb') as file:
    pickle.dump({'a': 1, 'b': [1, 2]}, file)
with open(sys.argv[1], 'rb') as file:
    start = time.process_time()
    for _ in range(50000):
        file.seek(0)
        pickle.load(file)
    print(time.process_time() - start)
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


def requests(port):
    """Seconds for a request, by test; "all": for one of each."""
    text = out([*on_cpu(1), "redis-benchmark", "-p", port, "-t", ",".join(REQUESTS).lower(), "-n", "2000" if QUICK else "60000",
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
    if wanted("calls"):
        found |= {name: loop(name, directory) for name in CALLS}
    if wanted("loads") and state in ("none", "auto", "inventory"):
        found["file"] = inner([*on_cpu(1), sys.executable, "-c", FILE, f"{directory}/tiny.pkl"]) / 50000
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
    contexts = {"none": contextlib.nullcontext, "fanotify": lambda: fanotify(directory),
                "inventory": lambda: daemon(directory, inventory=True)}
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


def titles(states, how):
    known = {"off": "no interpreter runs", "auto": f"one runs ({how})",
             "tracepoints": "one runs (tracepoints)", "fanotify": "fanotify in its place"}
    return [known[state] for state in states]


def redis_table(found, states, how):
    rows = []
    for name in [*REQUESTS, "all"]:
        each = [pairs(found, state, name) for state in states]
        bare = statistics.median(1 / turn[name] for turn in found["none"]) * (4 if name == "all" else 1)
        rows.append([name.lower(), f"{bare:.0f}", *map(lambda s: over(s, faster), each),
                     "interval includes >= 0.99 when no interpreter runs",
                     is_met(interval(each[0], faster)[1] >= 0.99)])
    return table(["redis-benchmark", "requests/s without", *titles(states, how), "target", "met"], rows)


def calls_table(found, states, how):
    rows = []
    for name, (title, _, _) in CALLS.items():
        each = [pairs(found, state, name) for state in states]
        target = ["", ""]
        if name == "fork":
            target = ["intervals include <= 1.03", is_met(all(interval(s, ratio)[0] <= 1.03 for s in each[:2]))]
        rows.append([title, nanoseconds(each[0], 0), *(f"{nanoseconds(s, 1)}, {over(s)}" for s in each), *target])
    return table(["system calls", "without", *titles(states, how), "target", "met"], rows)


def python_table(found):
    rows = []
    for name in ("3.11", "3.13"):
        if sample := pairs(found, "auto", name):
            rows.append([f"a tiny pickle.loads in {name}, of 200,000", nanoseconds(sample, 0),
                         nanoseconds(sample, 1), over(sample), "", ""])
    for name, title in (("import", "import torch"), ("load", f"torch.load of {MEGABYTES} MB, warm")):
        if sample := pairs(found, "auto", name):
            rows.append([title, *(f"{statistics.median(p[i] for p in sample) * 1000:.1f} ms" for i in (0, 1)),
                         over(sample), "interval includes <= 1.01", is_met(interval(sample, ratio)[0] <= 1.01)])
    return table(["Python", "without", "with the daemon", "ratio", "target", "met"], rows)


def loads_table(found):
    rows = [["a tiny pickle.load of a file", nanoseconds(pairs(found, "auto", "file"), 0),
             *(f"{nanoseconds(s, 1)}, {over(s)}" for s in (pairs(found, state, "file") for state in ("auto", "inventory")))]]
    return table(["Loads of files", "without", "with the daemon", "with its inventory"], rows)


def in_turns(directory, how):
    """The tables of ratios, and how many rounds they are of. `how` system calls are looked at here."""
    states = ["none", "off", "auto"] + (["tracepoints"] if how != "tp_btf" else [])
    if wanted("loads"):
        states.append("inventory")
    if wanted("fanotify"):
        with fanotify(directory) as line:
            states += ["fanotify"] if line else []
    big = f"{directory}/big.pt" if wanted("torch") else None
    if big:
        out([sys.executable, "-c", f"import torch; torch.save({{'w': torch.zeros({MEGABYTES} << 18)}}, {big!r})"])
    with redis() if wanted("redis") else contextlib.nullcontext() as port:
        found = rounds(states, port, big, directory)
    tables, rest = [], [state for state in states if state not in ("none", "inventory")]
    if wanted("redis"):
        tables.append(redis_table(found, rest, how))
    if wanted("calls"):
        tables.append(calls_table(found, rest, how))
    if wanted("loads"):
        tables.append(loads_table(found))
    if wanted("pickle") or wanted("torch"):
        tables.append(python_table(found))
    return tables, len(found["none"])


def text_of(absolute, cost, tables, count):
    losses = {kind: sum(each[kind] for each in lost) for kind in lost[0]}
    told = ", ".join(f"{kind} {n}" for kind, n in losses.items() if n) or "nothing"
    return "\n\n".join(filter(None, [
        "## The daemon",
        f"""Made by `make bench-daemon` on {time.strftime("%Y-%m-%d")}: {cpu()}, {os.cpu_count()} cores, Linux
{platform.release().split("-")[0]}. Rounds in which every state has its turn, in random order: {count}; ratios are
of medians, with a 95% bootstrap interval over the rounds. System calls of all processes are looked at while any process
is an interpreter, and not otherwise; the benchmark is one itself, so the columns without are made with `file_writes:
off`. Times of calls that do not wait are those on a CPU. redis and who asks it have a CPU each.""",
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
        absolute, cost, how = by_itself(directory)
        ratios = any(map(wanted, ("redis", "calls", "pickle", "loads", "torch")))
        text = text_of(absolute, cost, *(in_turns(directory, how) if ratios else ([], 0)))
    print(text)
    if not QUICK:
        put("make bench-daemon", text)


if __name__ == "__main__":
    main()
