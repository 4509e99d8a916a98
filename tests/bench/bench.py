"""What modelwatch costs: paired runs, ratio of medians with its 95% interval, as a table.

    bench.py [--quick]     writes its part of docs/benchmarks.md

Each pair runs the same program bare and watched, in random order. The interval is a bootstrap over the
pairs. Nothing here is a test: machines are noisy, and a figure that misses its target is shown so.
"""

import json
import os
import pathlib
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("MODELWATCH", str(ROOT / "build" / "modelwatch"))
QUICK = "--quick" in sys.argv
WATCHED = [PROGRAM, "run", "--quiet", "--"]
FLOORLESS = [PROGRAM, "run", "--quiet", "--floor=off", "--"]

TINY = """
import pickle, sys, time
class Plain:
    def __init__(self):
        self.x = 1
stream = pickle.dumps({value})
start = time.perf_counter()
for _ in range(200000):
    pickle.loads(stream)
print(time.perf_counter() - start)
"""
LOAD = """
import sys, time, torch
torch.load(sys.argv[1])
start = time.perf_counter()
torch.load(sys.argv[1])
print(time.perf_counter() - start)
"""
IMPORT = """
import time
start = time.perf_counter()
import torch
print(time.perf_counter() - start)
"""
WRITES = """
import time
start = time.perf_counter()
for _ in range(10000):
    with open("bench-file", "w"):
        pass
print(time.perf_counter() - start)
"""
CHECKPOINTS = """
import time, torch
state = {"w": torch.zeros(4 << 20)}
spent = 0
for _ in range(5):
    start = time.perf_counter()
    torch.save(state, "bench-checkpoint")
    spent += time.perf_counter() - start
    time.sleep(max(0, 1 - (time.perf_counter() - start)))
print(spent)
"""
TASKS = """
import os, subprocess, sys
children = [subprocess.Popen(["sleep", "60"]) for _ in range(1000)]
print([line for line in open(f"/proc/{os.getppid()}/status") if line.startswith("VmRSS")][0].split()[1])
for child in children:
    child.kill()
for child in children:
    child.wait()
"""
FICKLING = "import fickling; fickling.always_check_safety()\n"
LATENCY = """
import pickle, sys, time
class Attack:
    def __reduce__(self):
        import os
        return os.mkdir, (sys.argv[1],)
stream = pickle.dumps(Attack())
times = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    try:
        pickle.loads(stream)
    except Exception:
        pass
    times.append(time.perf_counter() - start)
print(times)
"""
THROUGH_TORCH = """
import os, pickle, sys, torch
class Attack:
    def __reduce__(self):
        return os.mkdir, (sys.argv[1],)
stream = pickle.dumps(Attack())
def load(grad):
    try:
        pickle.loads(stream)
    except Exception:
        pass
for _ in range(100):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(load)
    y.sum().backward()
pid = os.getppid()
print([line for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")][0].split()[1])
"""


def out(command, **kwargs):
    return subprocess.run(command, capture_output=True, text=True, check=True, **kwargs).stdout


def wall(command):
    start = time.perf_counter()
    out(command)
    return time.perf_counter() - start


def inner(command):
    return float(out(command).split()[-1])


def pairs(command, other, measure, count):
    """`count` pairs of (bare, other) in random order."""
    result = []
    for _ in range(count):
        order = [0, 1]
        random.shuffle(order)
        pair = [None, None]
        for which in order:
            pair[which] = measure((command, other)[which])
        result.append(pair)
    return result


def ratio(sample):
    return statistics.median(p[1] for p in sample) / statistics.median(p[0] for p in sample)


def interval(sample, statistic, draws=2000):
    drawn = sorted(statistic(random.choices(sample, k=len(sample))) for _ in range(draws))
    return drawn[draws // 40], drawn[draws - draws // 40 - 1]


def row(name, sample, target, met):
    low, high = interval(sample, ratio)
    bare = statistics.median(p[0] for p in sample)
    return [name, f"{bare * 1000:.1f} ms", f"{ratio(sample):.3f} ({low:.3f} to {high:.3f})", target,
            "yes" if met(low, ratio(sample)) else "**no**"]


def at_most(limit):
    return lambda low, middle: middle <= limit


def includes(limit):
    return lambda low, middle: low <= limit


def main():
    python = sys.executable
    directory = tempfile.mkdtemp()
    count = 5 if QUICK else 15
    big = os.path.join(directory, "big.pt")
    size = 64 if QUICK else 1024
    out([python, "-c", f"import torch; torch.save({{'w': torch.zeros({size} << 18)}}, {big!r})"])
    tiny = {name: [python, "-c", TINY.format(value=value)]
            for name, value in (("builtins", "{'a': 1, 'b': [1, 2]}"), ("a plain class", "Plain()"))}
    start = [python, "-c", "pass"]
    torch_import = [python, "-c", IMPORT]
    torch_load = [python, "-c", LOAD, big]
    rows = [row("import torch", pairs(torch_import, WATCHED + torch_import, inner, count),
                "interval includes <= 1.01", includes(1.01)),
            row(f"torch.load of {size} MB, warm",
                pairs(torch_load, WATCHED + torch_load, inner, count),
                "interval includes <= 1.01", includes(1.01))]
    for name, command in tiny.items():
        rows.append(row(f"200,000 pickle.loads of {name}",
                        pairs(command, WATCHED + command, inner, count), "<= 1.5", at_most(1.5)))
    beside = []
    if shutil.which("strace"):
        traced = ["strace", "-f", "-o", "/dev/null"]
        for name, command in (("import torch", torch_import), ("torch.load", torch_load),
                              ("pickle.loads of builtins", tiny["builtins"])):
            beside.append(row(f"{name} under strace -f",
                              pairs(command, traced + command, inner, 3), "", includes(9e9))[:3])
    if subprocess.run([python, "-c", "import fickling"], capture_output=True).returncode == 0:
        few = TINY.replace("200000", "2000")
        for name, value in (("builtins", "{'a': 1, 'b': [1, 2]}"), ("a plain class", "Plain()")):
            bare = [python, "-c", few.format(value=value)]
            hooked = [python, "-c", FICKLING + few.format(value=value).replace(
                "    pickle.loads(stream)",
                "    try: pickle.loads(stream)\n    except Exception: pass")]
            beside.append(row(f"2,000 pickle.loads of {name} under fickling's hook",
                              pairs(bare, hooked, inner, 3), "", includes(9e9))[:3])
    below = floor(count, torch_import, torch_load, size, tiny, directory)
    begin = pairs(start, WATCHED + start, wall, 4 * count)
    more = [p[1] - p[0] for p in begin]
    absolute = [["start of a trivial Python", f"+{statistics.median(more) * 1000:.1f} ms",
                 "<= +15 ms", "yes" if statistics.median(more) <= 0.015 else "**no**"]]
    begin = pairs(FLOORLESS + start, WATCHED + start, wall, 4 * count)
    more = [p[1] - p[0] for p in begin]
    absolute.append(["of that, by the floor", f"+{statistics.median(more) * 1000:.1f} ms", "<= +5 ms",
                     "yes" if statistics.median(more) <= 0.005 else "**no**"])
    alerts = os.path.join(directory, "alerts")
    repeats = 100 if QUICK else 1000
    victim = [python, "-c", LATENCY, os.path.join(directory, "x"), str(repeats)]
    times = sorted(json.loads(out([PROGRAM, "run", "--quiet", f"--alerts={alerts}", "--", *victim])))
    p50, p99 = times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000
    absolute.append(["effect to alert on disk, p50 / p99", f"{p50:.2f} / {p99:.2f} ms", "p99 < 5 ms",
                     "yes" if p99 < 5 else "**no**"])
    rss = int(inner([*WATCHED[:2], "--quiet", f"--alerts={alerts}", "--", python, "-c",
                     THROUGH_TORCH, os.path.join(directory, "y")])) / 1024
    absolute.append(["monitor's peak memory after 100 alerts through libtorch", f"{rss:.1f} MiB",
                     "< 16 MiB", "yes" if rss < 16 else "**no**"])
    rss = int(inner([*WATCHED, python, "-c", TASKS])) / 1024
    absolute.append(["monitor's memory with 1,000 live tasks", f"{rss:.1f} MiB", "< 24 MB",
                     "yes" if rss * 1.048576 < 24 else "**no**"])
    absolute += [decide("the built-in policy", 1.0, []),
                 decide("1,000 rules more", 5.0, [f"--policy={thousand(directory)}"])]
    write(rows, below, beside, absolute)
    shutil.rmtree(directory)


def floor(count, torch_import, torch_load, size, tiny, directory):
    """The floor over the same without one, and its calls over those of a bare program."""
    python = sys.executable
    rows = []
    for name, command in (("import torch", torch_import), (f"torch.load of {size} MB, warm", torch_load),
                          *((f"200,000 pickle.loads of {n}", c) for n, c in tiny.items())):
        rows.append(row(f"{name}, floor / no floor",
                        pairs(FLOORLESS + command, WATCHED + command, inner, count),
                        "interval includes <= 1.01", includes(1.01)))
    os.chdir(directory)
    calls = os.path.join(os.path.dirname(PROGRAM), "bench", "calls")
    for name, command, limit in (
            ("10,000 opens for reading, in C", [calls, "read", "10000"], 1.10),
            ("10,000 opens for writing, in C", [calls, "write", "10000"], 4.5),
            ("10,000 open(..., 'w') in Python", [python, "-c", WRITES], 2.0),
            ("10,000 datagrams sent and read, in C", [calls, "send", "10000"], 4.5)):
        rows.append(row(name, pairs(command, WATCHED + command, inner, count), f"<= {limit}", at_most(limit)))
    spawn = [calls, "spawn", "500"]
    rows.append(row("500 programs started, in C, floor / no floor", pairs(FLOORLESS + spawn, WATCHED + spawn, inner, count),
                    "<= 1.25", at_most(1.25)))
    rows.append(row("500 programs started, in C, with the shim in each", pairs(spawn, WATCHED + spawn, inner, count),
                    "", at_most(9e9))[:4] + [""])
    saves = [python, "-c", CHECKPOINTS]
    rows.append(row("torch.save of 16 MB every second", pairs(saves, WATCHED + saves, inner, 3 if QUICK else 7),
                    "interval includes <= 1.01", includes(1.01)))
    return rows


def thousand(directory):
    """Rules as `policy allow` prints them, and as a site writes them."""
    path = os.path.join(directory, "thousand.yaml")
    allow = "verdict: allow, reason: r, owner: o"
    rules = [f"name: call-{i}, effect: exec, cause: call, op: subprocess.Popen, executable: /usr/bin/tool{i}, "
             f"argv: tool{i} --probe, call: subprocess.Popen, stream_sha256: {i:064x}, {allow}"
             for i in range(300)]
    rules += [f"name: write-{i}, effect: write, path: '{{home}}/models/team{i}/cache/**', {allow}"
              for i in range(300)]
    rules += [f"name: file-{i}, effect: write, cause: call, path: /srv/out/{i}.log, sha256: {i:064x}, {allow}"
              for i in range(200)]
    rules += [f"name: net-{i}, effect: connect, address: 10.{i}.0.0/16, port: [443, 8000-8999], {allow}"
              for i in range(100)]
    rules += [f"name: code-{i}, effect: code, module: 'vendor{i}.*', artifact: '/models/{i}/**', {allow}"
              for i in range(100)]
    with open(path, "w") as file:
        file.write("version: 1\nrules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules))
    return path


def decide(name, limit, options):
    """The median and the slowest of the cases in tests/policy/default.yaml, the best of five runs each."""
    command = [os.path.join(os.path.dirname(PROGRAM), "bench", "decide"), str(ROOT / "tests/policy/default.yaml"),
               *(o.removeprefix("--policy=") for o in options)]
    runs = [[float(line.split()[0]) for line in out(command).splitlines()] for _ in range(5)]
    times = sorted(min(times) / 1000 for times in zip(*runs))
    worst, middle = times[-1], statistics.median(times)
    return [f"decide() with {name}, median / slowest case", f"{middle:.2f} / {worst:.2f} us",
            f"< {limit:g} us", "yes" if worst < limit else "**no**"]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows])


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def write(rows, below, beside, absolute):
    text = f"""Made by `make bench` on {time.strftime("%Y-%m-%d")}: {cpu()}, {os.cpu_count()} cores, Linux
{platform.release().split("-")[0]}, {" ".join(platform.libc_ver())}, CPython
{platform.python_version()}. Paired runs, bare and watched, in random order; ratios are of medians, with
a 95% bootstrap interval.

{table(["what", "bare", "watched / bare", "target", "met"], rows)}

{table(["what", "measured", "target", "met"], absolute)}

With a floor, outside loads:

{table(["what", "before", "with the floor", "target", "met"], below)}

The time from effect to alert is measured in the job: a load that is denied, from its start to its
exception, with the alert written to its file before the monitor answers. It bounds the figure from above.

Beside it, the same work under tools that also watch it:

{table(["what", "bare", "watched / bare"], beside)}
"""
    put("make bench", text)
    print(text)


def put(name, text):
    """Makes `text` what `name` has written in docs/benchmarks.md; what others have stays."""
    path = ROOT / "docs" / "benchmarks.md"
    before, begin, rest = path.read_text().partition(f"<!-- begin {name} -->\n")
    after = rest.partition(f"<!-- end {name} -->\n")[2]
    if not begin:
        before += "\n"
    path.write_text(f"{before}<!-- begin {name} -->\n{text}<!-- end {name} -->\n{after}")


if __name__ == "__main__":
    main()
