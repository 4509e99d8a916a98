"""What refusing costs on other kernels, as a part of docs/benchmarks.md: instructions of who makes a call, in machines
that QEMU emulates with a clock that counts them (tests/kernels/cost.py), so whatever else this machine does.

    kernels.py [KERNEL ...]     with a name, which is a test of this program, nothing is written
"""
import sys
import tempfile
import time
from pathlib import Path

from bench import ROOT, put, table

sys.path.insert(0, str(ROOT / "tests"))
from kernels import machine  # noqa: E402

PATIENCE = 1200
WHO = {"none": "no load", "over": "a load that is over", "open": "a load"}
CALLS = ["getppid", "mprotect", "open to read", "open to write", "chmod", "connect", "mmap with PROT_EXEC", "exec"]


def measure(kernel):
    """What cost.py says there: {state: {call: instructions}}, {program: (runs, instructions)}."""
    with tempfile.TemporaryDirectory() as directory:
        said = machine.boot(kernel, Path(directory), task="cost", patience=PATIENCE)
    for result in said:
        if result.get("error"):
            sys.exit(result["error"])
    states = {result["name"]: result for result in said if result["kind"] == "cost"}
    return states, next(result["programs"] for result in said if result["kind"] == "hooks")


def cell(states, state, before, call):
    return f"{states[state][call]:.0f}, {states[state][call] / states[before][call]:.3f}"


def calls_table(states):
    rows = []
    for call in CALLS:
        own = [cell(states, f"observe/{who}", "nobody", call) for who in ("none", "open")]
        more = [cell(states, f"deny/{who}", f"observe/{who}", call) for who in WHO]
        rows.append([call, f"{states['nobody'][call]:.0f}", *own, *more])
    return table(["a call", "no daemon", "observe, no load: / no daemon", "observe, in a load: / no daemon",
                  *(f"deny, {who}: / observe" for who in WHO.values())], rows)


def programs_table(found):
    """Those that are asked before something happens, the dearest first."""
    asked = {name: numbers for name, numbers in found.items() if name.startswith("may_")}
    rows = [[name, str(runs), f"{each:.0f}"] for name, (runs, each) in sorted(asked.items(), key=lambda item: -item[1][1])]
    return table(["LSM program", "runs", "instructions each"], rows)


def main():
    kernels = [kernel for kernel in machine.kernels() if not sys.argv[1:] or kernel.name in sys.argv[1:]]
    if machine.lacking() or not kernels:
        sys.exit(machine.lacking() or "no such kernel")
    parts = []
    for kernel in kernels:
        states, found = measure(kernel)
        parts += [f"### {kernel.name.removeprefix('vmlinuz-')}", calls_table(states), programs_table(found)]
    text = "\n\n".join([
        "## Refusing, on other kernels",
        f"""Made by `make bench-kernels` on {time.strftime("%Y-%m-%d")}: Debian's kernels for virtual machines, in one that QEMU
emulates with one processor, whose clock goes on by one with each instruction. A figure is instructions of a call, in
user space and kernel, of who makes it: what the daemon does beside is not in it. The second is a ratio to the state that
the column names. The programs' have the kernel's own measuring in them (about 75), and are of all tasks, in loads and
not. In a load that is refused something, the call ends early, and is told of.""",
        *parts]) + "\n"
    print(text)
    if not sys.argv[1:]:
        put("make bench-kernels", text)


if __name__ == "__main__":
    main()
