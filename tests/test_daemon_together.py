"""`modelwatch run` on a machine that has a daemon: one effect gives one alert."""
import os
import subprocess
import sys
import time

import pytest

from attacks.stream import assemble, call
from conftest import PROGRAM
from daemon import Victim
from test_honest import PROGRAMS, needs

LOADS = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
KEPT = 2  # seconds: longer than reports and alerts are waited for


@pytest.fixture
def supervised(daemons, tmp_path):
    """Has a run load a payload where the daemon's socket for reports is. Returns the alerts about it."""
    daemon = daemons()

    def load(mode, *payload):
        artifact = tmp_path / "model.pkl"
        artifact.write_bytes(assemble(list(payload)))
        since = daemon.mark()
        subprocess.run(["nsenter", f"--target={daemon.pid}", "--mount", PROGRAM, "run", f"--mode={mode}", "--quiet",
                        "--", sys.executable, "-c", LOADS, artifact], cwd=tmp_path, capture_output=True, timeout=60)
        daemon.settle()
        time.sleep(KEPT)
        return daemon.alerts_of(Victim(tmp_path), since)

    return load


def test_what_both_see_is_one_alert(supervised, tmp_path):
    alerts = supervised("observe", call("posix.system", f"touch {tmp_path}/made"))
    program = [alert for alert in alerts if alert["effect"]["class"] == "exec"][0]
    assert program["sensor"] == "kernel" and program["reporter"] is None
    assert {"kernel", "python"} <= set(program["seen_by"]) and len(program["reports"]) == 1
    assert program["evasion"] is False and program["outcome"] == "observed"
    assert (tmp_path / "made").exists()
    # No report stands beside the kernel's alert of the same effect; nor is our own library one.
    assert not [alert for alert in alerts if alert["effect"]["class"] == "exec" and alert["reporter"] == "user"
                and alert["effect"]["detail"]["argv"] == program["effect"]["detail"]["argv"]]
    assert not [alert for alert in alerts if "libmodelwatch" in str(alert["effect"]["detail"])]


def test_honest_programs_in_a_run_raise_nothing(daemons):
    """What `run` does in them by itself is no effect of their loads."""
    daemon = daemons()
    programs = [program for program in PROGRAMS if not needs(program) and
                program.stem.startswith(("cold_", "after_", "import"))]
    assert "cold_ctypes" in [program.stem for program in programs]
    for program in programs:
        done = subprocess.run([PROGRAM, "run", "--quiet", sys.executable, program], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
    daemon.settle()
    assert daemon.alerts_of(Victim("/nonexistent", *programs, pid=os.getpid())) == []


def test_what_was_prevented_is_a_users_word(supervised, tmp_path):
    alerts = supervised("deny", call("posix.system", f"touch {tmp_path}/made"))
    assert [(alert["reporter"], alert["outcome"], alert["load"]["call"]) for alert in alerts] == [
        ("user", "prevented", "posix.system")]
    assert not (tmp_path / "made").exists()
