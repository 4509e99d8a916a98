#!/usr/bin/env python3
"""Writes tests/unit/recorded/: the memory that a walk of the scene reads, and the stacks that Python says.

    tests/stacks/record.py build/tests/walk [VERSION...]

Needed again only when the walker reads what it did not read before, or for another version.
"""
import gzip
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from interpreters import VERSIONS, find  # noqa: E402
from stacks import still  # noqa: E402


def main(program, *versions):
    for version in versions or VERSIONS:
        with still.scene(find(version).argv) as (process, said):
            lines = still.walk(program, process.pid, said)
        kept = list(dict.fromkeys(line for line in lines if line.startswith(("offsets ", "runtime ", "memory "))))
        for thread in said["threads"]:
            kept += [f"thread {thread['id']}", *still.expected(thread)]
        data = "".join(f"{line}\n" for line in kept).encode()
        path = ROOT / f"tests/unit/recorded/python-{version}.gz"
        path.write_bytes(gzip.compress(data, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
