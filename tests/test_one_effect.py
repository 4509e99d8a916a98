"""One effect, one alert: what a lower sensor sees of an effect joins its alert."""
import sys

import pytest

from conftest import run

LOAD = """
import pickle, sys
class Act:
    def __reduce__(self):
        import os, shutil, socket, subprocess, time
        return eval(sys.argv[1])
stream = pickle.dumps(Act())
pickle.loads(stream)
"""

ACTS = {
    "system": "(os.system, ('true',))",
    "popen": "(subprocess.Popen, (['true'],))",
    "posix_spawn": "(os.posix_spawn, ('/bin/true', ['true'], {}))",
    "open": "(open, ('made', 'w'))",
    "rename": "(os.rename, ('old', 'new'))",
    "rmtree": "(shutil.rmtree, ('tree',))",
    "copyfile": "(shutil.copyfile, ('old', 'copy'))",
    "getaddrinfo": "(socket.getaddrinfo, ('localhost', 80))",
    "kill": "(os.kill, (os.getpid(), 18))",
}


def last_updates(alerts):
    last = {}
    for alert in alerts:
        assert alert["update"] == last[alert["id"]]["update"] + 1 if alert["id"] in last else True
        last[alert["id"]] = alert
    return list(last.values())


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_joined(act, tmp_path):
    (tmp_path / "old").write_text("x")
    (tmp_path / "tree" / "branch").mkdir(parents=True)
    (tmp_path / "tree" / "leaf").write_text("x")
    result = run([sys.executable, "-c", LOAD, act], tmp_path / "alerts", "observe", cwd=tmp_path)
    own = [a for a in last_updates(result.alerts) if a["process"]["argv"][0] == sys.executable
           and not a["load"]["after_load"] and a["effect"]["detail"]["op"] != "find_class"]
    assert len(own) == 1, [(a["title"], a["effect"]) for a in own]
    # A signal to itself is none of the floor's business.
    floor = [] if "kill" in act else ["syscall"]
    assert own[0]["seen_by"] == ["python", "libc", *floor]
    assert not own[0]["evasion"]
