"""`limits:` of a policy: a load's time, memory and nesting."""
import operator
import os
import pickle
import signal
import struct
import subprocess
import sys
import textwrap
import time

import pytest

from conftest import PROGRAM, run

PYTHON = [sys.executable]

# Loads a file and says how that went, what is left of the limit, and that the job goes on.
LOAD = """
import pickle, resource, sys
import calls
before = resource.getrlimit(resource.RLIMIT_DATA)
for name in sys.argv[2:]:
    try:
        with open(name, "rb") as file:
            {load}
        print("loaded")
    except BaseException as error:
        print(type(error).__name__, type(error.__cause__).__name__)
assert resource.getrlimit(resource.RLIMIT_DATA) == before
print("on")
"""

# What streams call: no effect of theirs is judged but the limit.
CALLS = """
import re, time
def spin():
    while True:
        pass
def stubborn():
    while True:
        try:
            for i in range(1000000):
                pass
        except BaseException:
            pass
def lists():
    laughs = ["ha"] * 1000
    while True:
        laughs = laughs + laughs
"""


class Call:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def call(name):
    """A stream that calls a function of the job's own module."""
    return f"ccalls\n{name}\n(tR.".encode()


def nested(depth):
    """A stream with `depth` loads in all inside one another."""
    data = pickle.dumps("the innermost")
    for _ in range(depth - 1):
        data = pickle.dumps(Call(pickle.loads, data))
    return data


HUNGRY = {
    "length": b"\x80\x04\x8e" + struct.pack("<Q", 10**11) + b"short.",
    "text": b"\x80\x04\x8d" + struct.pack("<Q", 10**11) + b"short.",
    "memo": b"\x80\x04Nr" + struct.pack("<I", 2**30) + b".",
    "product": pickle.dumps(Call(operator.mul, b"ha", 10**9)),
    "laughs": call("lists"),
}
LOADERS = {
    "load": "pickle.load(file)",
    "loads": "pickle.loads(file.read())",
    "python": "pickle._Unpickler(file).load()",
}


class Job:
    def __init__(self, directory, limits):
        self.directory = directory
        self.policy = directory / "limits.yaml"
        self.policy.write_text(f"version: 1\nlimits: {{{limits}}}\n")
        (directory / "calls.py").write_text(CALLS)

    def run(self, *streams, load="load", mode="deny", interpreter=PYTHON, rule=""):
        if rule:
            self.policy.write_text(self.policy.read_text() + f"rules:\n  - {{{rule}}}\n")
        files = []
        for i, stream in enumerate(streams):
            files.append(self.directory / f"{i}.pkl")
            files[-1].write_bytes(stream)
        return self.python(LOAD.format(load=LOADERS[load]), *files, mode=mode,
                           interpreter=interpreter)

    def python(self, code, *args, mode="deny", interpreter=PYTHON):
        alerts = self.directory / "alerts.jsonl"
        alerts.unlink(missing_ok=True)
        command = [*interpreter, "-c", f"import sys; sys.path.insert(0, sys.argv[1])\n{code}"]
        return run([*command, str(self.directory), *map(str, args)], alerts, mode=mode,
                   options=[f"--policy={self.policy}"])


@pytest.fixture
def job(tmp_path):
    return lambda limits: Job(tmp_path, limits)


def ops(done):
    return [alert["effect"]["detail"]["op"] for alert in done.alerts]


# Lengths are only believed by the C unpickler, and of a file; Python's keeps its memo in a dictionary.
ONLY_LOAD = {"length", "text"}
ONLY_C = {"memo"}


@pytest.mark.parametrize("stream, load", [
    (stream, load) for stream in HUNGRY for load in LOADERS
    if not (stream in ONLY_LOAD and load != "load" or stream in ONLY_C and load == "python")])
def test_memory_ends_the_load_and_not_the_job(stream, load, job):
    done = job("memory: 400MiB").run(HUNGRY[stream], pickle.dumps([1]), load=load)
    assert done.stdout == "UnsafeLoadError MemoryError\nloaded\non\n", done.stderr
    alert, = done.alerts
    assert (alert["effect"]["class"], ops(done)) == ("limit", ["memory"])
    assert alert["effect"]["detail"]["number"] == 400 << 20
    assert alert["outcome"] == "prevented"
    assert "tried to take more than 400 MiB of memory" in alert["title"]


def test_limits_in_each_interpreter(interpreter, job):
    limited = job("memory: 400MiB, nesting: 3, time: 500ms")
    done = limited.run(HUNGRY["length"], nested(4), call("spin"), nested(3),
                       interpreter=interpreter.argv)
    assert done.stdout.split("\n") == ["UnsafeLoadError MemoryError",
                                       "UnsafeLoadError PermissionError",
                                       "UnsafeLoadError OutOfTime", "loaded", "on", ""], done.stderr
    assert ops(done) == ["memory", "nesting", "time"]


@pytest.mark.parametrize("load", LOADERS)
def test_nesting_counts_the_outermost(load, job):
    done = job("nesting: 2").run(nested(3), nested(2), nested(1), load=load)
    assert done.stdout == "UnsafeLoadError PermissionError\nloaded\nloaded\non\n", done.stderr
    alert, = done.alerts
    assert alert["title"].endswith("tried to open more than 2 loads inside one another "
                                   "(_pickle.loads at byte %d of a stream nested in it): prevented"
                                   % alert["load"]["offset"])


def test_time_ends_a_load_that_runs_python(job):
    done = job("time: 300ms").run(call("spin"), pickle.dumps([1]))
    assert done.stdout == "UnsafeLoadError OutOfTime\nloaded\non\n", done.stderr
    assert ops(done) == ["time"]
    assert done.alerts[0]["load"]["call"] == "calls.spin"
    assert done.alerts[0]["load"]["offset"] == call("spin").index(b"R")


@pytest.mark.parametrize("stream", [pickle.dumps(Call(time.sleep, 60)), call("stubborn"),
                                    pickle.dumps(Call(operator.pow, 7, 10**8))])
def test_what_cannot_be_interrupted_ends_with_its_process(stream, job):
    done = job("time: 300ms").run(stream)
    assert done.returncode == 128 + signal.SIGKILL
    assert ops(done) == ["time", "hang"]
    assert "it is not out of memory" in done.stderr


def test_a_load_that_ends_late_is_refused(job):
    done = job("time: 300ms").run(pickle.dumps(Call(time.sleep, 1)), pickle.dumps([1]))
    assert done.stdout == "UnsafeLoadError NoneType\nloaded\non\n", done.stderr
    assert ops(done) == ["time"]


def test_only_the_thread_of_the_load_is_interrupted(job):
    done = job("time: 300ms").python("""
        import pickle, threading, time
        turns = 0
        def work():
            global turns
            while not over:
                turns += 1
                time.sleep(0.01)
        over = False
        worker = threading.Thread(target=work)
        worker.start()
        def load():
            try:
                pickle.loads(b"ccalls\\nspin\\n(tR.")
            except Exception as error:
                print(type(error).__name__)
        loader = threading.Thread(target=load)
        loader.start()
        loader.join()
        time.sleep(0.2)
        over = True
        worker.join()
        print("on" if turns > 20 else turns)
    """.replace("\n        ", "\n"))
    assert done.stdout == "UnsafeLoadError\non\n", done.stderr


def test_no_exception_comes_after_the_load(job):
    """Loads that end in the moment their time is over: interrupted in there, or not at all."""
    done = job("time: 100ms").python("""
        import pickle, time, random
        ends = set()
        for i in range(40):
            stream = pickle.dumps(Wait(random.uniform(0.05, 0.25)))
            try:
                pickle.loads(stream)
                ends.add("loaded")
            except Exception:
                ends.add("refused")
            for j in range(10000):
                pass
        print(*sorted(ends))
    """.replace("\n        ", "\n").replace("ends = set()", textwrap.dedent("""
        def wait(seconds):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                pass
        class Wait:
            def __init__(self, seconds): self.seconds = seconds
            def __reduce__(self): return wait, (self.seconds,)
        ends = set()""")))
    assert done.stdout == "loaded refused\n", done.stderr
    assert set(ops(done)) == {"time"}


def test_a_stopped_process_does_not_use_its_time(job, tmp_path):
    limited = job("time: 1500ms")
    (tmp_path / "calls.py").write_text(CALLS + textwrap.dedent("""
        def stopped():
            import os
            with open(0) as go:
                go.readline()
            print("awake", flush=True)
            go = time.monotonic() + 0.3
            while time.monotonic() < go:
                pass
    """))
    artifact = tmp_path / "it.pkl"
    artifact.write_bytes(call("stopped"))
    code = ("import sys, pickle, os; sys.path.insert(0, sys.argv[1]); print(os.getpid(), flush=True);"
            "pickle.load(open(sys.argv[2], 'rb')); print('loaded')")
    with subprocess.Popen([PROGRAM, "run", f"--policy={limited.policy}", "--", *PYTHON, "-c", code,
                           str(tmp_path), str(artifact)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(pid, signal.SIGCONT)
        out, err = process.communicate("go\n", timeout=60)
    assert out == "awake\nloaded\n", err


def test_observe_records_and_stops_nothing(job):
    grow = pickle.dumps(Call(operator.mul, b"ha", 10**8))
    limited = job("memory: 100MiB, time: 2s, nesting: 1")
    done = limited.run(grow, pickle.dumps(Call(time.sleep, 3)), nested(2), mode="observe")
    assert done.stdout == "loaded\nloaded\nloaded\non\n", done.stderr
    assert ops(done) == ["memory", "time", "nesting"]
    assert {alert["outcome"] for alert in done.alerts} == {"observed"}


def test_a_rule_for_one_file_lets_it_through(job):
    """The rule asks for what only the monitor knows."""
    import hashlib
    stream = pickle.dumps(Call(operator.mul, b"ha", 3 * 10**8))
    rule = (f"name: it, effect: limit, op: [memory, time], sha256: "
            f"{hashlib.sha256(stream).hexdigest()}, verdict: allow, reason: a test, owner: tests")
    done = job("memory: 200MiB").run(stream, stream + b" ", rule=rule)
    assert done.stdout == "loaded\nUnsafeLoadError MemoryError\non\n", done.stderr
    assert len(done.alerts) == 1


def test_an_exception_for_an_alert(job, tmp_path):
    limited = job("time: 200ms")
    slow = pickle.dumps(Call(time.sleep, 0.6))
    done = limited.run(slow)
    rule = subprocess.run([PROGRAM, "policy", "allow", done.alerts[0]["id"], "--reason=a test",
                           "--owner=tests", f"--alerts={tmp_path / 'alerts.jsonl'}"],
                          capture_output=True, text=True, timeout=60)
    assert rule.returncode == 0, rule.stderr
    limited.policy.write_text(limited.policy.read_text() + "rules:\n" +
                              rule.stdout[rule.stdout.index("  - name"):])
    done = limited.run(slow, slow + b" ")
    assert done.stdout.startswith("loaded\nUnsafeLoadError"), done.stderr


def test_programs_and_children_of_other_threads_have_no_limit(job):
    done = job("memory: 2GiB").python("""
        import os, pickle, resource, subprocess, sys, threading
        import calls
        limit = lambda: resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY
        def load():
            pickle.loads(b"ccalls\\nwait\\n(tR.")
        loader = threading.Thread(target=load)
        loader.start()
        calls.began.wait()
        ask = [sys.executable, "-c",
               "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0])"]
        said = [subprocess.run(ask, capture_output=True).stdout,
                subprocess.run(ask, capture_output=True, preexec_fn=lambda: None).stdout,
                subprocess.run(ask, capture_output=True, close_fds=False).stdout]
        pid = os.posix_spawn(ask[0], ask, os.environ)
        os.waitpid(pid, 0)
        child = os.fork()
        if not child:
            os._exit(0 if limit() else 1)
        said.append(os.waitpid(child, 0)[1])
        print(said, "here:", limit(), flush=True)
        calls.over.set()
        loader.join()
        print("after:", limit())
    """.replace("\n        ", "\n").replace("import calls\n", "import calls\ncalls.ready()\n"))
    assert done.stdout == ("-1\n[b'-1\\n', b'-1\\n', b'-1\\n', 0] here: False\n"
                           "after: True\n"), (done.stdout, done.stderr)


@pytest.fixture(autouse=True)
def waiting(monkeypatch):
    """A load that lasts until somebody says so."""
    monkeypatch.setitem(globals(), "CALLS", CALLS + textwrap.dedent("""
        def ready():
            global began, over
            import threading
            began, over = threading.Event(), threading.Event()
        def wait():
            began.set()
            over.wait()
    """))


def test_a_lower_limit_of_the_job_stays(job):
    done = job("memory: 8GiB").python("""
        import pickle, resource
        own = 1 << 30, resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_DATA, own)
        pickle.loads(pickle.dumps([1]))
        try:
            pickle.loads(b"\\x80\\x04Nr\\x00\\x00\\x00\\x40.")
        except Exception as error:
            print(type(error).__name__)
        print(resource.getrlimit(resource.RLIMIT_DATA) == own)
    """.replace("\n        ", "\n"))
    assert done.stdout == "UnsafeLoadError\nTrue\n", done.stderr


def test_a_load_cannot_raise_its_limit(job):
    import resource
    stream = pickle.dumps([Call(resource.setrlimit, resource.RLIMIT_DATA, (-1, -1)),
                           Call(operator.mul, b"ha", 10**9)])
    done = job("memory: 200MiB").run(stream)
    assert done.stdout.startswith("UnsafeLoadError"), done.stderr
    assert done.alerts[0]["effect"]["class"] == "tamper"


def test_loads_of_several_threads_share_the_limit(job):
    done = job("memory: 300MiB, time: 20s").python("""
        import operator, pickle, resource, threading
        class Product:
            def __init__(self, n): self.n = n
            def __reduce__(self): return operator.mul, (b"ha", self.n)
        def load(n, ends):
            for i in range(50):
                try:
                    pickle.loads(pickle.dumps(Product(n)))
                    ends.append("loaded")
                except Exception:
                    ends.append("refused")
        small, large = [], []
        threads = [threading.Thread(target=load, args=(1000, small)) for i in range(3)]
        threads.append(threading.Thread(target=load, args=(10**9, large)))
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(set(small), len(small), set(large), len(large))
        print(resource.getrlimit(resource.RLIMIT_DATA)[0])
    """.replace("\n        ", "\n"))
    assert done.stdout == "{'loaded'} 150 {'refused'} 50\n-1\n", done.stderr


def test_honest_loads_within_the_limits(job):
    """Many loads, torch among them, and a process that ends with the watchdog alive."""
    pytest.importorskip("torch")
    done = job("memory: 4GiB, time: 1m, nesting: 8").python("""
        import io, pickle, torch, os
        for i in range(20000):
            pickle.loads(pickle.dumps({"i": i}))
        file = io.BytesIO()
        torch.save(torch.nn.Linear(1000, 1000), file)
        file.seek(0)
        print(torch.load(file, weights_only=False))
        if not os.fork():
            file.seek(0)
            torch.load(file, weights_only=False)
            os._exit(0)
        print(os.wait()[1])
    """.replace("\n        ", "\n"))
    assert done.stdout == "Linear(in_features=1000, out_features=1000, bias=True)\n0\n", done.stderr
    assert not done.alerts


def test_a_child_that_a_load_forks_keeps_to_its_limits(job, tmp_path):
    """os.fork() in an import: the child ends its own copy of the load."""
    done = job("memory: 1GiB, time: 30s").python("""
        import os, pickle, resource
        class It:
            def __setstate__(self, state):
                pass
        pid = None
        def fork():
            global pid
            pid = os.fork()
            return 0
        import __main__
        try:
            pickle.loads(b"c__main__\\nfork\\n(tR.")
        except Exception as error:
            pass
        if pid == 0:
            os._exit(resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY)
        if pid:
            print(os.waitpid(pid, 0)[1])
    """.replace("\n        ", "\n"), mode="observe")
    assert done.stdout == "0\n", done.stderr


@pytest.mark.parametrize("limits, complaint", [
    ("time: 5", "a number and ms, s, m or h"),
    ("time: 0s", "is no limit of time"),
    ("time: -5s", "is no limit of time"),
    ("memory: 4", "a number and MiB"),
    ("memory: 99999999999999TiB", "is no limit of memory"),
    ("memory: 4gb", "is no limit of memory"),
    ("nesting: 0", "a number from 1 to 1000"),
    ("nesting: 4x", "a number from 1 to 1000"),
    ("nesting: 18446744073709551617", "a number from 1 to 1000"),
    ("depth: 4", "limit 'depth' is not known: there are time, memory and nesting"),
    ("time: [1s]", "time"),
])
def test_bad_limits_start_nothing(limits, complaint, job):
    done = job(limits).python("print('started')")
    assert done.returncode == 125
    assert done.stdout == ""
    assert "limits.yaml:2:" in done.stderr
    assert complaint in done.stderr


def test_the_last_text_that_names_a_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "modelwatch").mkdir()
    (tmp_path / "modelwatch" / "policy.yaml").write_text(
        "version: 1\nlimits: {time: 90s, memory: 3000MB, nesting: 7}\n")
    own = tmp_path / "own.yaml"
    own.write_text("version: 1\nlimits: {time: none, memory: 2GiB}\n")
    shown = subprocess.run([PROGRAM, "policy", "show", f"--policy={own}"], capture_output=True,
                           text=True, timeout=60).stdout
    assert "limits:\n  memory: 2 GiB\n  nesting: 7\nrules:" in shown
    shown = subprocess.run([PROGRAM, "policy", "show"], capture_output=True, text=True,
                           timeout=60).stdout
    assert "limits:\n  time: 90 s\n  memory: 3 GB\n  nesting: 7\nrules:" in shown
    (tmp_path / "shown.yaml").write_text(shown)
    check = subprocess.run([PROGRAM, "policy", "check", str(tmp_path / "shown.yaml")],
                           capture_output=True, text=True, timeout=60)
    assert "limit" not in check.stderr + check.stdout.replace("load-limit", "")
