"""modelwatch run as a supervisor: statuses, signals, the terminal, the end of a run, and a hostile or
missing counterpart on the monitor's socket. What it detects is tested elsewhere."""
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT

BUILD = Path(os.environ.get("MODELWATCH_BUILD", Path(__file__).parent.parent / "build"))
PROGRAM = os.environ.get("MODELWATCH", str(BUILD / "modelwatch"))
SHIM = str(Path(PROGRAM).resolve().parent / "libmodelwatch.so")
PYTHON = sys.executable

# Says which signals it got within half a second of the first.
COUNTER = """
import signal, time
got = []
for number in (1, 2, 3, 10, 12, 15):
    signal.signal(number, lambda n, frame: got.append(signal.Signals(n).name))
print("ready", flush=True)
while not got:
    time.sleep(0.02)
time.sleep(0.5)
print("got", *got, flush=True)
"""

EVIL = """
import os, pickle, sys
class Evil:
    def __reduce__(self):
        return os.system, (sys.argv[1],)
stream = pickle.dumps(Evil())
try:
    print("loaded", pickle.loads(stream))
except Exception as e:
    print(type(e).__name__)
"""


def command(*args, options=()):
    return [PROGRAM, "run", *options, "--", *args]


def run(*args, options=(), **kwargs):
    kwargs.setdefault("timeout", 60)
    return subprocess.run(command(*args, options=options), capture_output=True, text=True, **kwargs)


def python(code, *args, **kwargs):
    return run(PYTHON, "-c", code, *args, **kwargs)


def start(*args, options=(), **kwargs):
    return subprocess.Popen(command(*args, options=options), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **kwargs)


# Statuses

@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_status_is_the_commands(script, status):
    done = run("sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("args", [
    ["--mode=no", "true"], ["--mode=allow", "true"], ["--nonsense", "true"], ["--mode"], [],
    ["--floor=x", "true"], ["--format=ocsf", "true"],
    ["--format=x", "true"], ["--policy=/nonexistent", "true"], ["--alerts=/tmp/%x", "true"],
    ["--alerts=/tmp/%q{MW_NOT_SET}", "true"], ["--alerts=/tmp/%q{", "true"]])
def test_own_failure(args):
    done = subprocess.run([PROGRAM, "run", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 125
    assert done.stdout == ""
    assert re.fullmatch(r"modelwatch: .+\n", done.stderr)


def test_missing_shim(tmp_path):
    program = shutil.copy(PROGRAM, tmp_path / "modelwatch")
    done = subprocess.run([program, "run", "true"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 125
    assert "libmodelwatch.so" in done.stderr


def test_not_found_and_not_executable(tmp_path):
    (tmp_path / "plain").write_text("no program")
    assert run("no-such-program-anywhere").returncode == 127
    assert run(str(tmp_path / "nothing")).returncode == 127
    assert run(str(tmp_path / "plain")).returncode == 126
    assert run(str(tmp_path)).returncode == 126


def test_options_end_at_the_command():
    done = subprocess.run([PROGRAM, "run", "echo", "--mode=kill", "--", "-x"], capture_output=True,
                          text=True, timeout=60)
    assert done.stdout == "--mode=kill -- -x\n"


def test_help_names_every_option():
    done = subprocess.run([PROGRAM, "run", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for option in ("mode", "policy", "floor", "alerts", "format", "quiet", "help"):
        assert f"--{option}" in done.stdout


# What the job is given

def test_streams_pass_through():
    done = run("sh", "-c", "cat; echo err >&2", input="in\n")
    assert (done.stdout, done.stderr) == ("in\n", "err\n")


def test_closed_descriptors_stay_closed(tmp_path):
    script = (f"for i in 0 1 2; do [ -e /proc/$$/fd/$i ] || n=$n$i; done; "
              f"exec 9>{tmp_path}/state; echo closed $n >&9")
    done = subprocess.run(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh",
                           *command("sh", "-c", script)], timeout=60)
    assert done.returncode == 0
    assert (tmp_path / "state").read_text() == "closed 012\n"


def test_other_descriptors_are_inherited():
    read, write = os.pipe()
    done = run("bash", "-c", f"echo through >&{write}", pass_fds=[write])
    os.close(write)
    assert done.returncode == 0
    assert os.read(read, 100) == b"through\n"
    os.close(read)


def test_the_monitor_holds_no_pipe_of_the_job():
    began = time.monotonic()
    job = start("sh", "-c", "echo out; exec >&-; sleep 3")
    assert job.stdout.read() == "out\n"
    assert time.monotonic() - began < 2
    assert job.wait(timeout=60) == 0


def test_environment():
    with_preload = {**os.environ, "LD_PRELOAD": "libm.so.6", "MODELWATCH_SOCKET": "stale"}
    done = run("sh", "-c", 'echo "$LD_PRELOAD"; echo "$MODELWATCH_SOCKET"; echo "$HOME"',
               env=with_preload)
    preload, path, home = done.stdout.splitlines()
    assert preload == f"{SHIM}:libm.so.6"
    assert path != "stale" and len(path) < 108
    assert home == os.environ.get("HOME", "")
    assert not os.path.exists(os.path.dirname(path)), "the socket's directory is removed"


def test_signal_state_is_inherited():
    def prepare():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})

    args = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    for preparation in (prepare, lambda: None):
        plain = subprocess.run(args, capture_output=True, text=True, preexec_fn=preparation,
                               restore_signals=False, timeout=60)
        assert run(*args, preexec_fn=preparation, restore_signals=False).stdout == plain.stdout


# The end of a run

def test_background_tasks_are_waited_for():
    began = time.monotonic()
    done = run("sh", "-c", "(sleep 1; echo late) & (setsid sh -c 'sleep 0.5; echo far' &); exit 3")
    assert done.returncode == 3
    assert done.stdout == "far\nlate\n"
    assert time.monotonic() - began >= 1


def test_orphans_are_reaped():
    done = python("""
import os, time
for _ in range(30):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
time.sleep(0.5)
parent = os.getppid()
zombies = 0
for pid in open(f"/proc/{parent}/task/{parent}/children").read().split():
    zombies += "\\nState:\\tZ" in open(f"/proc/{pid}/status").read()
print(zombies)
""")
    assert done.stdout == "0\n"


def test_children_from_before_are_not_of_the_run():
    """exec > >(tee log); exec modelwatch run ...: the tee ends when we do, not before."""
    began = time.monotonic()
    script = 'sleep 30 & exec "$@"'
    job = subprocess.Popen(["sh", "-c", script, "sh", *command("true")], start_new_session=True)
    try:
        assert job.wait(timeout=20) == 0
        assert time.monotonic() - began < 20
    finally:
        os.killpg(job.pid, signal.SIGKILL)


def needs_namespaces():
    probe = subprocess.run(["unshare", "-pf", "--mount-proc", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("needs the right to make PID namespaces")


def test_as_pid_1():
    needs_namespaces()
    script = "echo $PPID; (setsid sh -c 'sleep 0.5; echo late' &); kill -TERM 1; sleep 5; echo never"
    done = subprocess.run(["unshare", "-pf", "--mount-proc", *command("sh", "-c", script)],
                          capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\nlate\n"
    assert done.returncode == 143


def test_kill_mode_ends_the_whole_lineage(tmp_path):
    script = (f"setsid sh -c 'sleep 2; echo x >{tmp_path}/survivor' & "
              f"(setsid sh -c 'sleep 2; echo x >{tmp_path}/survivor' &); sleep 0.2; "
              f'"$@"; echo x >{tmp_path}/after')
    done = run("sh", "-c", script, "sh", PYTHON, "-c", EVIL, f"touch {tmp_path}/effect",
               options=["--mode=kill"])
    assert done.returncode == 137
    assert re.search(r"^modelwatch: the whole job is killed .*: prevented \[alert [0-9a-f-]{36}\]$", done.stderr, re.M)
    time.sleep(2.2)
    assert not list(tmp_path.iterdir())


# Signals

def wait_ready(job):
    assert job.stdout.readline() == "ready\n"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"])
@pytest.mark.parametrize("to_group", [False, True], ids=["process", "group"])
def test_signal_arrives_once(name, to_group):
    job = start(PYTHON, "-c", COUNTER, start_new_session=True)
    wait_ready(job)
    (os.killpg if to_group else os.kill)(job.pid, getattr(signal, name))
    out, err = job.communicate(timeout=60)
    assert (out, err, job.returncode) == (f"got {name}\n", "", 0)


def test_signal_that_kills():
    job = start("sleep", "60")
    time.sleep(0.3)
    job.terminate()
    assert job.wait(timeout=60) == 143


def test_signal_for_what_is_left():
    job = start("sh", "-c", "sleep 60 & echo ready")
    wait_ready(job)
    time.sleep(0.3)
    job.terminate()
    assert job.wait(timeout=20) == 0


def test_killed_monitor_leaves_the_job_alone(tmp_path):
    job = start(PYTHON, "-c", f"""
import os, pickle, time, threading
print(os.environ["MODELWATCH_SOCKET"], flush=True)
time.sleep(1)
pickle.loads(pickle.dumps(threading.local))
open({str(tmp_path / "done")!r}, "w").write("still here")
""")
    path = job.stdout.readline().strip()
    job.kill()
    assert job.wait(timeout=60) == -signal.SIGKILL
    shutil.rmtree(os.path.dirname(path))
    deadline = time.monotonic() + 20
    while not (tmp_path / "done").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "done").read_text() == "still here"


# The terminal

class Terminal:
    """A program on a pseudo terminal of its own."""

    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["PS1"] = "$ "
            os.execvp(args[0], args)
        self.text = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, seconds=20):
        """Reads until the pattern has come; returns what it matched and drops what is before."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"no {pattern!r} in {self.text!r}")
            try:
                self.text += os.read(self.fd, 4096).decode(errors="replace")
            except OSError as e:
                raise AssertionError(f"ended, no {pattern!r} in {self.text!r}") from e
        self.text = self.text[found.end():]
        return found

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.close(self.fd)  # hangs up
        for _ in range(100):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def shell():
    terminal = Terminal("bash", "--norc", "--noprofile", "-i")
    terminal.expect(r"\$ ")
    return terminal


@pytest.fixture
def counter(tmp_path):
    (tmp_path / "counter.py").write_text(COUNTER)
    return f"{PROGRAM} run {PYTHON} {tmp_path}/counter.py"


@pytest.mark.parametrize("form", ["{}", "{} | cat", "true; {}", "sh -c '{}; :'", "( {}; : )"])
def test_ctrl_c_arrives_once(counter, form):
    with shell() as terminal:
        terminal.type(form.format(counter) + "\n")
        terminal.expect("ready")
        terminal.type("\x03")
        if "|" not in form:
            assert terminal.expect(r"got ([A-Z0-9 ]*?)\r")[1] == "SIGINT"
        terminal.type("echo status=$?\n")
        terminal.expect(r"status=\d+")


def test_ctrl_c_without_a_shell():
    with Terminal(*command(PYTHON, "-c", COUNTER)) as terminal:
        terminal.expect("ready")
        terminal.type("\x03")
        assert terminal.expect(r"got ([A-Z0-9 ]*?)\r")[1] == "SIGINT"


def test_stop_and_continue():
    with shell() as terminal:
        terminal.type(f"{PROGRAM} run sh -c 'echo ready; sleep 2; read x; echo read $x'\n")
        terminal.expect("ready\r")
        time.sleep(0.3)
        terminal.type("\x1a")
        terminal.expect("Stopped")
        terminal.type("echo shell is here\n")
        terminal.expect("[\r\n]shell is here")
        terminal.type("fg\n")
        terminal.expect("sleep 2")
        time.sleep(2.5)
        terminal.type("word\n")
        terminal.expect("[\r\n]read word")
        terminal.type("echo status=$?\n")
        terminal.expect("status=0")


def test_background_job_that_reads_the_terminal():
    with shell() as terminal:
        terminal.type(f"{PROGRAM} run sh -c 'read x; echo read $x' &\n")
        terminal.expect(r"\$ ")
        time.sleep(0.5)
        terminal.type("\n")
        terminal.expect("Stopped")
        terminal.type("fg\n")
        terminal.expect(r"fg\r\n.*read x")
        time.sleep(0.3)
        terminal.type("word\n")
        terminal.expect("[\r\n]read word")


def test_terminal_in_a_pipeline_when_the_job_asks_for_it():
    with shell() as terminal:
        terminal.type(f"{PROGRAM} run sh -c 'echo rea''dy >&2; read x </dev/tty; echo got $x' | cat\n")
        terminal.expect("ready\r")
        terminal.type("word\n")
        terminal.expect("[\r\n]got word")
        terminal.type("echo sta''tus=$?\n")
        terminal.expect("status=0")


def test_ctrl_z_with_nobody_to_continue():
    with Terminal(*command("sh", "-c", "echo ready; sleep 1; echo over")) as terminal:
        terminal.expect("ready")
        time.sleep(0.3)  # a shell between vfork() and exec cannot stop
        terminal.type("\x1a")
        terminal.expect("over")


# The monitor's socket

POLICY_VERSION = int(re.search(r"MW_POLICY_VERSION (\d+)u", (ROOT / "core/policy.h").read_text())[1])
HELLO = b"\x83\x00\xce" + struct.pack(">I", 1 << 16 | POLICY_VERSION) + b"\x01\x00\x02\x01"  # version, hello, tid 1
CLIENT = """
import array, os, socket, struct, sys, time

path = os.environ["MODELWATCH_SOCKET"]

def dial():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.settimeout(30)
    return s

def frame(body):
    return struct.pack(">I", len(body)) + body

HELLO = frame(@HELLO@)

def hello():
    with dial() as s:
        s.sendall(HELLO)
        data, fds, flags, _ = socket.recv_fds(s, 4096, 2)
        for fd in fds:
            os.close(fd)
        return data[:4] == b"PRWM" and len(fds) == 2

def rest(s):
    try:
        return s.recv(100)
    except ConnectionResetError:
        return b""

def memory(field="VmHWM"):
    with open(f"/proc/{os.getppid()}/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1])
""".replace("@HELLO@", repr(HELLO))


def hostile(code):
    """Runs the client in a job; returns its output's lines and what the monitor said at the end."""
    done = python(CLIENT + code, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def test_socket_answers():
    assert hostile("print(hello())") == (["True"], "")


def test_socket_given_garbage():
    out, err = hostile("""
for i in range(300):
    body = os.urandom(1 + i * 7)
    with dial() as s:
        s.sendall(frame(body))
        assert rest(s) == b""
print(hello())
""")
    assert out == ["True"]
    assert re.search(r"\b(29\d|300) malformed", err)


def test_socket_given_a_giant_length():
    out, err = hostile("""
before = memory()
for length in (0, 0xffffffff, (512 << 10) + 1):
    with dial() as s:
        s.sendall(struct.pack(">I", length))
        assert rest(s) == b""
print(hello(), memory() - before < 2000)
""")
    assert out == ["True", "True"]
    assert "2 too long" in err and "1 malformed" in err


def test_socket_given_silence_and_half_a_message():
    out, err = hostile("""
began = time.monotonic()
open_ones = [dial() for _ in range(20)]
for s in open_ones[10:]:
    s.sendall(HELLO[:5])
print(hello(), time.monotonic() - began < 1)
for s in open_ones:
    assert rest(s) == b""
print(time.monotonic() - began < 4)
with dial() as s:
    s.sendall(HELLO[:6])
time.sleep(0.2)
print(hello())
""")
    assert out == ["True"] * 4
    assert "20 too slow" in err and "1 cut off" in err


def test_socket_given_more_than_it_may_hold():
    """More connections than are served at once, each with all of a frame but its end."""
    out, _ = hostile("""
import threading
before = memory()
def hold():
    try:
        with dial() as s:
            s.sendall(struct.pack(">I", 512 << 10) + bytes((512 << 10) - 1))
            s.recv(1)
    except OSError:
        pass
threads = [threading.Thread(target=hold) for _ in range(400)]
for t in threads:
    t.start()
time.sleep(1)
answer = hello()
for t in threads:
    t.join()
print(answer, memory() - before < 16000, hello())
""")
    assert out == ["True", "True", "True"]


def test_socket_given_ten_thousand_messages():
    out, err = hostile("""
before = memory()
print(sum(hello() for _ in range(10000)))
print(memory() - before < 2000)
""")
    assert out == ["10000", "True"]
    assert err == ""


def test_socket_given_ten_thousand_connections():
    out, _ = hostile("""
before = memory()
for i in range(10000):
    s = dial()
    s.send(b"\\x00")
    s.close()
print(hello(), memory() - before < 2000)
""")
    assert out == ["True", "True"]


def test_socket_given_descriptors():
    out, _ = hostile("""
def descriptors():
    return len(os.listdir(f"/proc/{os.getppid()}/fd"))
before = descriptors()
for i in range(200):
    with dial() as s:
        socket.send_fds(s, [HELLO[:4]], [0, 1, 2])
        s.sendall(HELLO[4:])
        assert s.recv(4)
print(descriptors() - before < 3)
""")
    assert out == ["True"]


def test_stranger_is_refused():
    job = start("sh", "-c", "echo $MODELWATCH_SOCKET; sleep 1")
    path = job.stdout.readline().strip()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        try:
            s.sendall(struct.pack(">I", len(HELLO)) + HELLO)
            assert s.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass
    _, err = job.communicate(timeout=60)
    assert "1 from strangers" in err


def test_shared_memory_cannot_be_written():
    out, _ = hostile("""
import mmap
with dial() as s:
    s.sendall(HELLO)
    _, fds, _, _ = socket.recv_fds(s, 4096, 2)
for fd in fds:
    size = os.fstat(fd).st_size
    mmap.mmap(fd, size, prot=mmap.PROT_READ)
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
    for attempt in (lambda: os.pwrite(again, b"x", 0), lambda: os.ftruncate(again, 0),
                    lambda: mmap.mmap(again, size)):
        try:
            attempt()
            print("written")
        except PermissionError:
            print("refused")
""")
    assert out == ["refused"] * 6


def test_records_of_a_job_that_closes_everything(tmp_path):
    alerts = tmp_path / "alerts"
    done = python("import os\nos.closerange(3, 1024)\n" + EVIL, f"touch {tmp_path}/effect",
                  options=[f"--alerts={alerts}", "--quiet"])
    assert done.stdout == "UnsafeLoadError\n"
    assert len(alerts.read_text().splitlines()) >= 1
    assert not (tmp_path / "effect").exists()


@pytest.mark.parametrize("path", ["/dev/full", "/nonexistent/alerts"])
def test_alerts_that_cannot_be_written(path, tmp_path):
    twice = EVIL + "\ntry:\n    pickle.loads(stream)\nexcept Exception as e:\n    print('again')\n"
    done = python(twice, f"touch {tmp_path}/effect", options=[f"--alerts={path}", "--quiet"])
    assert done.stdout == "UnsafeLoadError\nagain\n"
    assert done.stderr.count(path) == 1
    assert not (tmp_path / "effect").exists()


def test_alerts_path_expands(tmp_path):
    done = python(EVIL, "true", options=[f"--alerts={tmp_path}/%q{{WORD}}.%p.%h", "--quiet"],
                  env={**os.environ, "WORD": "w%p"})
    assert done.stdout == "UnsafeLoadError\n"
    [name] = [p.name for p in tmp_path.iterdir()]
    assert re.fullmatch(r"w%p\.\d+\." + re.escape(os.uname().nodename), name)
