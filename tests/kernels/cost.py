"""What refusing costs, in a machine whose clock counts instructions (machine.py): system calls by who makes them, in the
mode observe and in the mode deny, and what each of the kernel's programs takes."""
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import guest
import programs

ROUNDS = 3  # of which the middle one counts: interrupts come when they come
# The loops of loops.c, in its order: how often a round. A refused call is told of, so that there are fewer of those.
LOOPS = [("getppid", 400), ("mprotect", 400), ("open to read", 400), ("open to write", 400), ("chmod", 400), ("connect", 400), ("mmap with PROT_EXEC", 400),
         ("exec", 30)]
OPEN = 20
# Who makes the calls: a Python that has loaded nothing, one whose load is over, and one that is in a load.
JOB = """
import ctypes, json, pickle, sys
sys.path.insert(0, "/tests")
from attacks.stream import assemble, attr, call, get
loops = ctypes.CDLL("/tests/loops.so")
loops.mw_loop.restype = ctypes.c_long
who, path, counts = sys.argv[1], sys.argv[2].encode(), json.loads(sys.argv[3])
if who != "none":
    pickle.loads(pickle.dumps([1, 2]))
for which, count in enumerate(counts):
    if who == "open":
        took = pickle.loads(assemble(call(attr(get("__main__", "loops"), "mw_loop"), which, count, path)))
    else:
        loops.mw_loop(which, 1, path)  # that the load is over has been noticed
        took = loops.mw_loop(which, count, path)
    print(took / count)
"""
STATISTICS = Path("/proc/sys/kernel/bpf_stats_enabled")


def job(who):
    """Instructions a call, by loop."""
    counts = [min(count, OPEN) if who == "open" else count for _, count in LOOPS]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "file"
        path.touch()
        done = subprocess.run([sys.executable, "-c", JOB, who, path, json.dumps(counts)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return dict(zip([name for name, _ in LOOPS], map(float, done.stdout.split())))


def middle(found):
    """Of several rounds, the median of each."""
    return {name: statistics.median(turn[name] for turn in found) for name in found[0]}


def hooks(daemon):
    """Instructions a run, by the name of the program."""
    before = programs.of_process(daemon.process.pid)
    STATISTICS.write_text("1")
    for who in ("none", "over", "open"):
        job(who)
    guest.attempts("/tests/hooks")
    STATISTICS.write_text("0")
    found = programs.of_process(daemon.process.pid)
    runs = {name: now.runs - before[name].runs for name, now in found.items()}
    return {name: (runs[name], (now.run_ns - before[name].run_ns) / runs[name]) for name, now in found.items() if runs[name]}


def measure(out):
    """Without a daemon; with one that has never refused anything, whose programs are not asked then; and with one that
    does."""
    guest.tell(out, "cost", "nobody", **middle([job("none") for _ in range(ROUNDS)]))
    with guest.watch(out, "cost", "storm: 0") as daemon:
        for mode in ("observe", "deny"):
            daemon.turn(mode)
            for who in ("none", "over", "open"):
                guest.tell(out, "cost", f"{mode}/{who}", **middle([job(who) for _ in range(ROUNDS)]))
        guest.tell(out, "hooks", "deny", programs=hooks(daemon))
