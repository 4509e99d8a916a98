"""The walker of Python stacks and the reader of line tables against what Python itself says."""
import os
import pathlib
import subprocess

import pytest

from stacks import still

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = os.environ.get("MODELWATCH_BUILD", str(ROOT / "build"))

# Prints the tables and the lines of all code in some modules, as `walk lines` reads them, and then
# the answers.
LINES = """
import dis, sys, types

def codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)

def lines_of(code):
    if sys.version_info < (3, 10):
        starts = list(dis.findlinestarts(code)) + [(len(code.co_code), None)]
        for (start, line), (end, _) in zip(starts, starts[1:]):
            yield start, end, line
    else:
        yield from code.co_lines()

answers = []
for name in sys.argv[1:]:
    path = __import__(name, fromlist=["x"]).__file__
    with open(path, "rb") as file:
        module = compile(file.read(), path, "exec")
    for code in codes(module):
        table = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
        print("code", sys.hexversion >> 16, code.co_firstlineno, table.hex())
        for start, end, line in lines_of(code):
            for at in range(start, end, 2):
                print("at", at)
                answers.append(-2 if line is None else line)
print("answers", *answers)
"""
MODULES = ["argparse", "ast", "asyncio.base_events", "collections", "ctypes", "dataclasses", "decimal", "doctest",
           "email.message", "enum", "inspect", "json.decoder", "logging", "pickle", "pickletools", "re", "tarfile",
           "threading", "typing", "unittest.mock", "zipfile"]


@pytest.fixture(scope="module")
def program():
    out = os.path.relpath(BUILD, ROOT)
    subprocess.run(["make", "-s", "-C", ROOT, f"O={out}", f"{out}/tests/walk"], check=True,
                   env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")})
    return f"{BUILD}/tests/walk"


def test_stacks_of_a_living_process(interpreter, program):
    with still.scene(interpreter.argv) as (process, said):
        stacks = still.seen(still.walk(program, process.pid, said))
    assert len(said["threads"]) == 12
    for thread in said["threads"]:
        assert stacks[thread["id"]] == still.expected(thread)


def test_every_line_of_real_modules(interpreter, program):
    run = subprocess.run([*interpreter.argv, "-c", LINES, *MODULES], capture_output=True, text=True, check=True)
    questions, answers = run.stdout.rsplit("answers ", 1)
    told = subprocess.run([program, "lines"], input=questions, capture_output=True, text=True, check=True)
    assert len(answers.split()) > 50000
    assert told.stdout.split() == answers.split()
