"""Every honest program of tests/honest/: the same output as without modelwatch, and no alert."""

import importlib.util
import pathlib
import re
import subprocess

import pytest

from conftest import run
from interpreters import MAIN

PROGRAMS = sorted((pathlib.Path(__file__).parent / "honest").glob("*.py"))
IMPORTED_AS = {"scikit-learn": "sklearn"}


def needs(program):
    match = re.search(r"^# needs: (.*)$", program.read_text(), re.M)
    return match.group(1).split(", ") if match else []


PLAIN = [program for program in PROGRAMS if not needs(program)]


def check(interpreter, program, tmp_path):
    command = [*interpreter.argv, str(program)]
    bare = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert bare.returncode == 0, bare.stderr
    result = run(command, tmp_path / "alerts")
    assert result.alerts == [], result.stderr
    assert (result.stdout, result.returncode) == (bare.stdout, 0), result.stderr
    assert result.stderr == bare.stderr


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_quiet(program, tmp_path):
    for name in needs(program):
        if not importlib.util.find_spec(IMPORTED_AS.get(name, name)):
            pytest.skip(f"{name} is not installed")
    check(MAIN, program, tmp_path)


@pytest.mark.parametrize("program", PLAIN, ids=lambda program: program.stem)
def test_matrix(interpreter, program, tmp_path):
    check(interpreter, program, tmp_path)
