"""Every attack of tests/attacks/: stopped and explained in deny, let through and told in observe."""
import importlib.util

import pytest

from attacks import expect, native
from attacks.attack import PLACES, read_all
from attacks.run import run
from conftest import PROGRAM
from interpreters import MAIN

ATTACKS = read_all()
BY_NAME = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


def pairs(of):
    found = [(attack, place) for attack in ATTACKS for place in of if place in attack.places]
    return pytest.mark.parametrize(
        "attack, place", found, ids=[f"{attack.name}-{place}" for attack, place in found]
    )


def need(attack, interpreter=MAIN):
    if not attack.runs_on(interpreter.version):
        pytest.skip(f"{attack.name} needs Python {' to '.join(attack.python)}")
    if (attack.environment or attack.is_native) and "-E" in interpreter.argv:
        pytest.skip("this interpreter does not look at the environment")
    if attack.is_native and not native.can_be_built():
        pytest.skip("needs an x86-64 machine with a C compiler")
    for name in attack.packages:
        if not importlib.util.find_spec(name):
            pytest.skip(f"{name} is not installed")


@pairs(PLACES)
def test_denied(attack, place, tmp_path):
    need(attack)
    expect.check(run(attack, place, "deny", MAIN, PROGRAM, tmp_path))


@pairs(["direct", "under_import"])
def test_observed(attack, place, tmp_path):
    need(attack)
    expect.check(run(attack, place, "observe", MAIN, PROGRAM, tmp_path))


@pytest.mark.parametrize(
    "attack", [attack for attack in ATTACKS if not attack.packages], ids=lambda attack: attack.name
)
def test_matrix(interpreter, attack, tmp_path):
    need(attack, interpreter)
    expect.check(run(attack, attack.places[0], "deny", interpreter, PROGRAM, tmp_path))
