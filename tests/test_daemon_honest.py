"""Every honest program of tests/honest/ with `modelwatch daemon` on the machine: the same output as without, and no
alert."""
import importlib.util
import os
import tempfile

import pytest

from attacks.run import finish
from daemon import PARENT, Victim
from interpreters import MAIN
from test_honest import IMPORTED_AS, PROGRAMS, needs


def describe(record):
    return record["title"], record["cause"], record["effect"], [
        f"{frame['function']} {frame['file']}:{frame['line']}" for frame in record["python_stack"]]


def told(daemon, victim, since):
    return [describe(record) for record in daemon.alerts_of(victim, since)]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_quiet(program, bare, host_daemon):
    for name in needs(program):
        if not importlib.util.find_spec(IMPORTED_AS.get(name, name)):
            pytest.skip(f"{name} is not installed")
    since = host_daemon.mark()
    with tempfile.TemporaryDirectory(prefix="mw-") as directory:  # short: sockets are made in it
        process, output, errors = finish([*PARENT, *MAIN.argv, str(program)], timeout=180,
                                         env={**os.environ, "TMPDIR": directory})
        victim = Victim(directory, program, pid=process.pid)
        host_daemon.settle()
        assert told(host_daemon, victim, since) == []
    assert [output, errors, process.returncode] == bare[program.stem]
    assert process.returncode == 0
