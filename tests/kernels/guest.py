"""The first program of an emulated machine: starts the daemon, runs attacks and honest programs, and writes what came of
each to the second serial line, one object a line."""
import contextlib
import ctypes
import fcntl
import json
import os
import pickle
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, "/tests")
import programs  # noqa: E402
from attacks import expect  # noqa: E402
from attacks.attack import HERE, Attack, read  # noqa: E402
from attacks.run import run  # noqa: E402
from interpreters import MAIN  # noqa: E402

ATTACKS = ["os_system", "os_execv", "posix_spawn", "open_write", "mkdir", "unlink", "rename", "create_connection", "udp",
           "listen_tcp", "unix_socket", "kill_child", "mmap_executable", "carrier_pure", "thread", "thread_unnamed",
           "ring"]
PREVENTED = ["os_system", "posix_spawn", "subprocess_run", "interpreter", "logging_handler", "rmtree", "listen_tcp",
             "unix_socket", "fork_child_writes", "nested_unpickler", "carrier_pure", "memfd_exec", "ctypes_system", "ring"]
BY_CALLS = ["open_write", "mkdir", "unlink", "rename", "unix_socket", "mmap_executable"]  # seen by their system call
HONEST = ["cold_bytecode", "nested_loads", "after_loads", "load_then_exec", "processes", "shared_memory_value",
          "lock_in_setstate", "mkdtemp_in_setstate", "scratch_in_setstate", "network_file", "fork_in_load", "proxy_in_file",
          "shared_memory_elsewhere"]
LEFT = ["os_system", "open_write", "create_connection"]  # attacks that nobody tells of at once
PINS = Path("/sys/fs/bpf/modelwatch")
CANARIES = '  - {name: canaries, effect: write, path: ["**/canary*"], verdict: alert}'
CLASSES = ["exec", "connect", "send", "write", "map", "tamper"]
MOUNTS = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp"), ("tmpfs", "/run"),
          ("cgroup2", "/sys/fs/cgroup"), ("tracefs", "/sys/kernel/tracing"), ("bpf", "/sys/fs/bpf")]
PARENT = ["sh", "-c", '"$@"; exit $?', "sh"]
CANARY = """
import pickle, sys
try:
    pickle.loads(bytes.fromhex(sys.argv[1]))
except PermissionError:
    pass  # it was refused
"""
# A job that loads one stream after the other, each of which has C make one system call (hooks.c).
HOOKS = """
import ctypes, pickle, sys
sys.path.insert(0, "/tests")
from attacks.stream import assemble, attr, call, get
hooks = ctypes.CDLL("/tests/hooks.so")
for number in range(hooks.mw_hooks_count()):
    stream = assemble(call(attr(get("__main__", "hooks"), "mw_hooks_attempt"), number))
    error = hooks.mw_hooks_begin(number, sys.argv[1].encode())
    assert not error, (number, error)
    pickle.loads(stream)
    assert not hooks.mw_hooks_end(number)
"""
COMMAND_LINE = Path("/proc/cmdline")
PREPARES = "/sys/kernel/tracing/events/sched/sched_prepare_exec"
PATIENCE = 240  # seconds: the kernel checks the programs, and one machine emulates another
POWER_OFF = 0x4321FEDC
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


# A directory, made by the kernel on behalf of who asks for it by a ring.
RING = """
import ctypes, mmap, struct
def ring(path):
    call, params = ctypes.CDLL(None).syscall, bytearray(120)
    fd = call(425, 4, (ctypes.c_char * 120).from_buffer(params))
    entries, offsets = struct.unpack_from("I", params)[0], struct.unpack_from("10I", params, 40)
    queue = mmap.mmap(fd, offsets[6] + 4 * entries)
    requests = mmap.mmap(fd, 64 * entries, offset=0x10000000)
    name = ctypes.create_string_buffer(path.encode())
    struct.pack_into("=BBHiQQI", requests, 0, 37, 0, 0, -100, 0, ctypes.addressof(name), 0o755)
    struct.pack_into("I", queue, offsets[6], 0)
    struct.pack_into("I", queue, offsets[1], 1)
    call(426, fd, 1, 1, 1, None, 0)
"""
# Honest: messages between processes are pickles, and so is what they answer.
PROCESSES = """
import multiprocessing
def square(queue, x):
    queue.put(x * x)
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=square, args=(queue, 3))
        process.start()
        print(queue.get())
        process.join()
"""


class Made:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def set_up():
    for kind, place in MOUNTS:
        Path(place).mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", kind, kind, place], check=True)
    Path("/dev/shm").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=True)
    with socket.socket() as s:
        name = b"lo".ljust(16, b"\0")
        flags, = struct.unpack("16xh", fcntl.ioctl(s, SIOCGIFFLAGS, name + bytes(24))[:18])
        fcntl.ioctl(s, SIOCSIFFLAGS, name + struct.pack("h22x", flags | IFF_UP))


def until(true, what, log=None):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"{what} after {PATIENCE} s: {log and log.read_text(errors='replace')}"
        time.sleep(0.05)


def load(what):
    """In a process of its own."""
    subprocess.run([sys.executable, "-I", "-S", "-c", CANARY, pickle.dumps(what, 2).hex()], check=True)


class Daemon:
    """One in a directory of its own, with a configuration. The machine is nobody else's: all alerts are the test's."""

    def __init__(self, directory, *lines):
        self.mode = "alert"
        self.directory = Path(directory)
        self.directory.mkdir(mode=0o700)
        self.alerts, self.log = self.directory / "alerts", self.directory / "log"
        self.socket, self.config = self.directory / "socket", self.directory / "modelwatch.yaml"
        self.config.write_text("\n".join([f"control:\n  socket: {self.socket}", *lines, ""]))
        self.config.chmod(0o600)
        self.settled = self.seen = 0

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["/modelwatch", "daemon", "--foreground", "--quiet", f"--mode={self.mode}", f"--config={self.config}",
                 f"--alerts={self.alerts}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "MODELWATCH_BPF_LOG": "1"})
        start = time.monotonic()
        until(self.is_ready, "the daemon is not ready", self.log)
        self.ready = round(time.monotonic() - start, 1)
        return self

    def __exit__(self, *error):
        if self.process.poll() == -signal.SIGKILL:
            return
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        assert status == 0 or error[0], f"the daemon has ended with {status}"

    def is_ready(self):
        assert self.process.poll() is None, f"the daemon has ended: {self.log.read_text(errors='replace')}"
        return self.status() is not None

    def status(self):
        done = subprocess.run(["/modelwatch", "status", "--json", f"--socket={self.socket}"], capture_output=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    @contextlib.contextmanager
    def allowing_all(self):
        """Its policy asks for no more than to observe, but of the canaries."""
        policy, config = self.directory / "policy.yaml", self.config.read_text()
        rules = [f"  - {{name: all-{name}, effect: {name}, verdict: observe}}" for name in CLASSES]
        policy.write_text("\n".join(["version: 1", "rules:", CANARIES, *rules, ""]))
        policy.chmod(0o600)
        self.configure(f"{config}policy: {policy}\n")
        yield
        self.configure(config)

    def configure(self, text):
        """Another policy comes of it, and is in force when this returns."""
        before = self.status()["policy_digest"]
        self.config.write_text(text)
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.status()["policy_digest"] != before, "the policy is not read", self.log)

    def turn(self, mode):
        """Goes over to another mode; it is so when the command has ended."""
        subprocess.run(["/modelwatch", "daemon", "mode", f"--socket={self.socket}", mode], check=True)
        assert self.mode_now() == mode
        self.mode = mode

    def mode_now(self):
        return (self.status() or {}).get("mode")

    def records(self):
        lines = self.alerts.read_bytes().split(b"\n")[:-1] if self.alerts.exists() else []
        return [json.loads(line) for line in lines]

    def take(self):
        """The first record of each alert since it was asked last; everything that has happened is told."""
        self.settled += 1
        path = self.directory / f"canary{self.settled}"
        load(Made(str(path)))
        until(lambda: any(str(path) in json.dumps(record["effect"]) for record in self.alerts_from(self.seen)),
              "a load that acts is not told")
        found = self.alerts_from(self.seen)
        self.seen = len(self.records())
        return [record for record in found if record["update"] == 0 and str(path) not in json.dumps(record["effect"])]

    def alerts_from(self, number):
        return [record for record in self.records()[number:] if record["schema"].startswith("modelwatch.alert/")]


def tell(out, kind, name, **facts):
    out.write(json.dumps({"kind": kind, "name": name, **facts}) + "\n")
    out.flush()


@contextlib.contextmanager
def told(out, kind, name):
    """Tells what comes of it: an error is text, what is put into the dictionary comes as it is."""
    facts, start = {"error": None}, time.monotonic()
    try:
        yield facts
    except AssertionError as error:
        facts["error"] = str(error)
    except Exception:
        facts["error"] = traceback.format_exc()
    tell(out, kind, name, seconds=round(time.monotonic() - start, 1), **facts)


def brief(alert):
    """What a person needs to see why it is not as expected."""
    load = alert["load"] or {}
    return {"title": alert["title"], "effect": alert["effect"], "call": load.get("call"), "cause": alert["cause"],
            "path": (load.get("artifact") or {}).get("path"), "offset": load.get("offset"),
            "globals": load.get("globals"), "native": len(alert["native_stack"]), "python": len(alert["python_stack"])}


def attack_of(name, blind):
    """`blind`: of what has run another program in its place no more is known than its loads."""
    if name == "ring":
        return Attack(name, "a directory, by io_uring", 'call("__main__.ring", marker)', ["tamper"], ["__main__.ring"],
                      before=RING, then=["write"])  # that there is a ring comes first
    if name == "interpreter":
        return Attack(name, "the interpreter itself, which honest loads start to track shared memory",
                      'call("subprocess.Popen", [get("sys.executable"), "-c", f"open({marker!r}, \'w\')"])',
                      ["exec"], ["subprocess.Popen"])
    attack = read(HERE / f"{name}.toml").as_kernel_sees()
    return replace(attack, path=False, at=[]) if blind and name == "os_execv" else attack


def attack(daemon, name, blind, facts, prevented=True):
    with tempfile.TemporaryDirectory() as directory:
        result = run(attack_of(name, blind), "direct", None, MAIN, None, directory, parent=PARENT,
                     patience=0 if daemon.mode == "deny" and prevented else PATIENCE)
        result.alerts = daemon.take()
        facts["alerts"] = [brief(alert) for alert in result.alerts]
        if daemon.mode == "deny" and prevented:
            expect.check_prevented(result)
        elif daemon.mode == "deny":
            expect.check_requested(result)
        else:
            expect.check_told(result, "alert")


def honest(daemon, name, facts):
    with tempfile.TemporaryDirectory(prefix="mw-") as directory:
        program = Path(f"/tests/honest/{name}.py")
        if name == "processes":
            program = Path(directory) / "processes.py"
            program.write_text(PROCESSES)
        done = subprocess.run([*PARENT, sys.executable, program], capture_output=True, text=True,
                              env={**os.environ, "TMPDIR": directory}, cwd=directory, timeout=90)
        facts["alerts"] = [brief(alert) for alert in daemon.take()]
        assert done.returncode == 0, done.stderr
        assert not facts["alerts"], "it is told of"


def attack_all(out, daemon, variant, names, blind=False):
    for name in names:
        with told(out, "attack", f"{variant}/{name}") as result:
            attack(daemon, name, blind, result)


def work_all(out, daemon, variant, names):
    for name in names:
        with told(out, "honest", f"{variant}/{name}") as result:
            honest(daemon, name, result)


def attempts(*command):
    """What each system call of hooks.c has come to."""
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run([*PARENT, *command, place], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def call_all(out, daemon):
    """Each system call that the kernel asks a program about, by a static program and by what a stream calls: there it is
    let through and shows, here it fails, does not show, and is told."""
    with told(out, "calls", "deny") as facts:
        facts["own"] = attempts("/tests/hooks")
        facts["ours"] = [brief(alert) for alert in daemon.take()]
        facts["calls"] = attempts(sys.executable, "-c", HOOKS)
        alerts = daemon.take()
        facts["prevented"] = [alert["effect"]["detail"]["op"] for alert in alerts if alert["outcome"] == "prevented"]
        facts["others"] = [brief(alert) for alert in alerts if alert["outcome"] != "prevented"]


def touch_all(out, daemon):
    """Whatever the policy says, no load touches what watches it."""
    with told(out, "guard", "deny") as facts, daemon.allowing_all():
        done = subprocess.run([*PARENT, sys.executable, "/tests/guard.py", str(daemon.process.pid), daemon.config,
                               daemon.alerts, daemon.socket], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        facts["calls"] = [json.loads(line) for line in done.stdout.splitlines()]
        facts["prevented"] = [alert["effect"]["detail"]["op"] for alert in daemon.take() if alert["outcome"] == "prevented"]


def attack_alone(out, daemon):
    """The daemon is killed, and attacks are stopped all the same."""
    daemon.process.kill()
    daemon.process.wait()
    for name in LEFT:
        with told(out, "attack", f"left/{name}"), tempfile.TemporaryDirectory() as directory:
            result = run(attack_of(name, False), "direct", None, MAIN, None, directory, parent=PARENT)
            assert not result.happened, "it has happened"


def hear_what_was_left(out, daemon):
    """The next one, which refuses nothing, tells of them."""
    with told(out, "left", "told") as facts:
        facts["alerts"] = [brief(alert) for alert in daemon.take()]
        outcomes = [record["outcome"] for record in daemon.alerts_from(0) if record["update"] == 0][:-1]
        assert outcomes == ["prevented"] * len(LEFT), f"not the canary, but: {outcomes}"
        assert not PINS.exists(), "it is still pinned"


@contextlib.contextmanager
def watch(out, variant, *lines, then=None):
    daemon = Daemon(f"/tmp/{variant}", *lines)
    with told(out, "daemon", variant) as facts, daemon:
        facts["ready"] = daemon.ready
        yield daemon
        facts["status"] = daemon.status()
        if then:
            then(out, daemon)
    tell(out, "log", variant, text=daemon.log.read_text(errors="replace")[-20000:])


def count(out, daemon):
    """The programs, as they are when they are loaded."""
    found = programs.of_process(daemon.process.pid)
    tell(out, "programs", "best", programs={name: program._asdict() for name, program in found.items()})


def count_only(out):
    with watch(out, "best") as daemon:
        count(out, daemon)


def test(out):
    import modes  # which needs what is here
    with watch(out, "best", "storm: 0", then=attack_alone) as daemon:
        count(out, daemon)
        attack_all(out, daemon, "best", ATTACKS)
        daemon.turn("deny")
        call_all(out, daemon)
        attack_all(out, daemon, "deny", PREVENTED)
        work_all(out, daemon, "deny", HONEST)
        modes.change(out, daemon)
        touch_all(out, daemon)
    Path("/proc/sys/kernel/ftrace_enabled").write_text("0")  # no function of the kernel can be probed
    with watch(out, "tracepoints", "file_writes: tracepoints") as daemon:
        hear_what_was_left(out, daemon)
        attack_all(out, daemon, "tracepoints", ["os_execv", *BY_CALLS], blind=not Path(PREPARES).exists())
        work_all(out, daemon, "tracepoints", ["load_then_exec"])
        daemon.turn("deny")
        attack_all(out, daemon, "ip", ["create_connection", "udp"])  # nor is any asked: this is all that is left
        for name in ("os_system", "open_write"):
            with told(out, "attack", f"ip/{name}") as result:
                attack(daemon, name, False, result, prevented=False)
    modes.stay_off(out, COMMAND_LINE)


def main():
    set_up()
    "".encode("idna")  # its bytecode is there, then: writing it would be an attack's first effect
    with open("/dev/ttyS1", "w") as out:
        try:
            tell(out, "kernel", os.uname().release)
            task = re.search(r"\btask=(\w+)", COMMAND_LINE.read_text())[1]
            if task == "cost":
                import cost
                cost.measure(out)
            else:
                {"tests": test, "count": count_only}[task](out)
            tell(out, "end", "", seconds=time.monotonic())
        except BaseException:
            tell(out, "end", "", error=traceback.format_exc())
    ctypes.CDLL(None).reboot(POWER_OFF)
