"""DAEMON CONFIG ALERTS CONTROL: a job that loads one stream after the other, each of which does something to the daemon, its files or what keeps it in
the kernel, under a policy that allows all of it. Says what came of each: a JSON object with its errno (0: it went through)
and whether it shows."""
import ctypes
import errno
import fcntl
import json
import os
import pickle
import signal
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from attacks.stream import assemble, attr, call, get  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.argtypes = [ctypes.c_long] * 7
memory = ctypes.create_string_buffer(256)
address = ctypes.addressof(memory)
vector = (ctypes.c_uint64 * 2)(address, 8)

daemon, config, alerts, control = int(sys.argv[1]), *sys.argv[2:]
SWITCH, PINS, PROGRAM = "/etc/modelwatch/observe-only", "/sys/fs/bpf/modelwatch", "/modelwatch"
RLIMIT_NOFILE, LAZILY = 7, 2
asker = socket.socket(socket.AF_UNIX)
signals, sends = socket.socketpair()
texts = {}


def raw(*arguments):
    """libc's syscall(2), called by the stream itself."""
    return call(attr(get("__main__", "libc"), "syscall"), *arguments, *[0] * (7 - len(arguments)))


def attempt(stream):
    """The errno that it ends with: Python raises it, libc leaves it."""
    ctypes.set_errno(0)
    try:
        done = pickle.loads(stream)
    except OSError as error:
        return error.errno
    return ctypes.get_errno() if done == -1 else 0


def status(process):
    return Path(f"/proc/{process}/status").read_text()


def text(words):
    """Its address."""
    return ctypes.addressof(texts.setdefault(words, ctypes.create_string_buffer(words.encode())))


def is_stopped():
    return "\nState:\tT" in status(daemon)


def is_asking():
    try:
        return asker.getpeername()
    except OSError:
        return False


def mounts():
    return len(Path("/proc/self/mountinfo").read_text().splitlines())


def descriptors():
    return [line for line in Path(f"/proc/{daemon}/limits").read_text().splitlines() if "open files" in line]


def make_it_signal():
    """Whatever comes to a socket stops the daemon."""
    fcntl.fcntl(signals, fcntl.F_SETOWN, daemon)
    fcntl.fcntl(signals, fcntl.F_SETSIG, signal.SIGSTOP)
    fcntl.fcntl(signals, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)


def cases(pidfd):
    """The name, the stream's call, and whether it shows."""
    pin = next(Path(PINS).glob("*/connects4"))
    mounted, limits, size = mounts(), descriptors(), os.path.getsize(alerts)
    yield "stop", call("posix.kill", daemon, signal.SIGSTOP), is_stopped
    yield "pidfd_send_signal", call("_signal.pidfd_send_signal", pidfd, signal.SIGSTOP), is_stopped
    yield "sigio", call(attr(get("__main__", "sends"), "send"), b"x"), is_stopped
    yield "ptrace", raw(101, 16, daemon, 0, 0), lambda: f"TracerPid:\t{os.getpid()}" in status(daemon)
    yield "mem", call("posix.open", f"/proc/{daemon}/mem", os.O_RDWR), lambda: False
    yield "process_vm_writev", raw(311, daemon, *[ctypes.addressof(vector), 1] * 2, 0), lambda: False
    yield "pidfd_getfd", raw(438, pidfd, 0, 0), lambda: False
    yield "prlimit", raw(302, daemon, RLIMIT_NOFILE, text("\0" * 15), 0), lambda: descriptors() != limits
    yield "bpf", raw(321, 0, address, 72), lambda: False
    yield "unlink a pin", call("posix.unlink", str(pin)), lambda: not pin.exists()
    yield "rename the pins", call("posix.rename", PINS, f"{PINS}2"), lambda: not pin.exists()
    yield "unmount the pins", raw(166, text("/sys/fs/bpf"), LAZILY), lambda: not pin.exists()
    yield "mount over the pins", raw(165, text("none"), text(PINS), text("tmpfs"), 0, 0), lambda: mounts() != mounted
    yield "mount over the switch", raw(165, text("none"), text("/etc"), text("tmpfs"), 0, 0), lambda: mounts() != mounted
    yield "move a mount", raw(165, text("/sys/fs/bpf"), text("/tmp"), text("x"), 0x2000, 0), lambda: not pin.exists()
    yield "pivot_root", raw(155, text("/tmp"), text("/tmp")), lambda: False
    yield "switch", call("posix.open", SWITCH, os.O_CREAT | os.O_WRONLY), lambda: os.path.exists(SWITCH)
    yield "link the switch", call("posix.symlink", "/none", SWITCH), lambda: os.path.lexists(SWITCH)
    yield "move the folder", call("posix.rename", "/etc/modelwatch", "/etc/other"), lambda: os.path.exists("/etc/other")
    yield "move its folder", call("posix.rename", "/etc", "/other"), lambda: not os.path.exists("/etc")
    yield "replace the program", call("posix.rename", "/tests/guard.py", PROGRAM), lambda: os.path.getsize(PROGRAM) < 99999
    yield "change the program", call("posix.chmod", PROGRAM, 0), lambda: not os.stat(PROGRAM).st_mode & 0o777
    yield "configuration", call("posix.open", config, os.O_WRONLY), lambda: False
    yield "alerts", call("posix.truncate", alerts, 0), lambda: os.path.getsize(alerts) < size
    yield "remove the alerts", call("posix.unlink", alerts), lambda: not os.path.exists(alerts)
    yield "ask", call(attr(get("__main__", "asker"), "connect"), control), is_asking
    yield "remove the socket", call("posix.unlink", control), lambda: not os.path.exists(control)
    yield "child: kill", call("posix.system", f"kill -9 {daemon}"), lambda: not os.path.exists(f"/proc/{daemon}")
    yield "child: switch", call("posix.system", f"exec 2>&-; : > {SWITCH}"), lambda: os.path.exists(SWITCH)
    yield "kill", call("posix.kill", daemon, signal.SIGKILL), lambda: not os.path.exists(f"/proc/{daemon}")


def main():
    make_it_signal()
    for name, stream, shows in cases(os.pidfd_open(daemon)):
        result = attempt(assemble(stream))
        print(json.dumps({"call": name, "errno": errno.errorcode.get(result, result), "shows": bool(shows())}), flush=True)


if __name__ == "__main__":
    main()
