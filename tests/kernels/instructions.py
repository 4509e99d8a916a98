"""What the daemon's programs are in a kernel: instructions that its verifier has looked at, instructions that it has made
of them, bytes of machine code. They are kept in instructions.txt; `make instructions` writes it anew."""
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT = HERE / "instructions.txt"
HEAD = """\
# The daemon's programs, by kernel: instructions that the verifier has looked at, instructions that it has left, bytes of
# machine code. Made by `make instructions`. The first column has the name that the kernel keeps.
"""
COLUMNS = ["verified", "translated", "jited"]
# How much more there may be. Another compiler chooses other branches and registers, and what the verifier looks at
# multiplies that: what clang 16 makes has 0.83 to 1.03 times as much for it as what clang 14 does, clang 19's 0.68 to 1.57,
# and 0.92 to 1.01 times the length. A program of a few instructions may have a few more.
GROWTH = {"verified": 0.6, "translated": 0.2, "jited": 0.2}
FEW = 64


def series(release):
    """6.1 of 6.1.0-42-cloud-amd64."""
    return ".".join(re.findall(r"\d+", release)[:2])


def read():
    """{(program, series): {column: number}}"""
    rows = [line.split() for line in KEPT.read_text().splitlines() if not line.startswith("#")]
    return {(name, kernel): dict(zip(COLUMNS, map(int, numbers))) for name, kernel, *numbers in rows}


def write(known):
    """Sorted, so that a change of one program is a change of its lines."""
    def order(key):
        return key[0], [int(number) for number in key[1].split(".")]

    lines = [f"{name:15} {kernel:5} {found['verified']:7} {found['translated']:6} {found['jited']:6}\n"
             for (name, kernel), found in sorted(known.items(), key=lambda item: order(item[0]))]
    KEPT.write_text(HEAD + "".join(lines))


def grown(kernel, measured):
    """What has grown, a text each. `measured`: {program: {column: number}}."""
    known, found = read(), []
    for name, numbers in measured.items():
        before = known.get((name, kernel))
        if not before:
            found.append(f"{name} is not known on {kernel}")
            continue
        found += [f"{name} on {kernel}: {column} {before[column]} has become {numbers[column]}" for column in COLUMNS
                  if numbers[column] > before[column] * (1 + GROWTH[column]) + FEW]
    if found:
        found.append(f"where that is meant, `make instructions` writes {KEPT.name} anew")
    return found


def renew():
    """Measures them here, as root, and on each kernel that can be booted."""
    import os
    import tempfile

    sys.path.insert(0, str(HERE.parent))
    import daemon
    import programs
    from kernels import machine

    reason = machine.lacking() or daemon.lacking()
    if reason:
        sys.exit(reason)
    measured = {}
    with tempfile.TemporaryDirectory() as directory:
        own = daemon.Daemon(f"{directory}/own").start()
        measured[series(os.uname().release)] = {name: program._asdict()
                                                for name, program in programs.of_process(own.pid).items()}
        own.stop()
        for kernel in machine.kernels():
            said = machine.boot(kernel, Path(directory), task="count")
            measured[series(kernel.name)] = next(result["programs"] for result in said if result["kind"] == "programs")
    known = {key: numbers for key, numbers in read().items() if key[1] not in measured} if KEPT.exists() else {}
    write(known | {(name, kernel): numbers for kernel, found in measured.items() for name, numbers in found.items()})


if __name__ == "__main__":
    renew()
