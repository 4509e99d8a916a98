"""A job that loads one stream after the other, each of which makes one system call that the kernel asks a program
about, and says what came of it: a JSON object by the call's name, with its errno (0: it went through) and whether it
shows."""
import ctypes
import errno
import json
import mmap
import os
import pickle
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from attacks.stream import assemble, attr, call, get  # noqa: E402

PAGE = 4096
WRITABLE, EXECUTABLE = 3, 7
USER_NAMESPACE = 0x10000000
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.argtypes = [ctypes.c_long] * 7
place = Path(sys.argv[1])
file, other = place / "file", place / "other"
memory = mmap.mmap(-1, PAGE)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
params = ctypes.create_string_buffer(256)
vector = (ctypes.c_uint64 * 2)(address, 8)
namespace = os.readlink("/proc/self/ns/user")
receiver, sender = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))


def raw(*arguments):
    """libc's syscall(2), called by the stream itself."""
    return call(attr(get("__main__", "libc"), "syscall"), *arguments, *[0] * (7 - len(arguments)))


def mode(path):
    return os.stat(path).st_mode & 0o7777


def is_executable():
    with open("/proc/self/maps") as maps:
        areas = [(*(int(end, 16) for end in line.split()[0].split("-")), line.split()[1]) for line in maps]
    return any(low <= address < high and "x" in rights for low, high, rights in areas)


def status(process):
    return Path(f"/proc/{process}/status").read_text()


def received():
    receiver.setblocking(False)
    try:
        return receiver.recv(9)
    except BlockingIOError:
        return b""


def cases(child, pidfd, descriptor):
    """The name, the stream's call, and whether it shows."""
    path, target = str(file), str(other)
    yield "setxattr", call("posix.setxattr", path, "trusted.x", b"1"), lambda: os.listxattr(path)
    yield "chown", call("posix.chown", path, 7, 7), lambda: os.stat(path).st_uid
    yield "chmod", call("posix.chmod", path, 0o777), lambda: mode(path) == 0o777
    yield "fchmod", call("posix.fchmod", descriptor, 0o777), lambda: mode(path) == 0o777
    yield "truncate", call("posix.truncate", path, 0), lambda: not os.path.getsize(path)
    yield "ftruncate", call("posix.ftruncate", descriptor, 0), lambda: not os.path.getsize(path)
    yield "mknod", call("posix.mknod", target), other.exists
    yield "mkdir", call("posix.mkdir", target), other.exists
    yield "rmdir", call("posix.rmdir", str(place / "empty")), lambda: not (place / "empty").exists()
    yield "link", call("posix.link", path, target), other.exists
    yield "symlink", call("posix.symlink", path, target), other.is_symlink
    yield "rename", call("posix.rename", path, target), other.exists
    yield "unlink", call("posix.unlink", path), lambda: not file.exists()
    yield "create", call("posix.open", target, os.O_CREAT | os.O_WRONLY), other.exists
    yield "open", call("posix.open", path, os.O_WRONLY), lambda: False
    yield "memory_file", call("posix.open", f"/proc/{child}/mem", os.O_RDWR), lambda: False
    yield "sendto", call(attr(get("__main__", "sender"), "sendto"), b"x", str(place / "socket")), received
    yield "mprotect", raw(10, address, PAGE, EXECUTABLE), is_executable
    yield "mmap", call("mmap.mmap", -1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, EXECUTABLE), lambda: False
    yield "ptrace", raw(101, 16, child, 0, 0), lambda: f"TracerPid:\t{os.getpid()}" in status(child)
    yield "process_vm_writev", raw(311, child, *[ctypes.addressof(vector), 1] * 2, 0), lambda: False
    yield "pidfd_getfd", raw(438, pidfd, 0, 0), lambda: False
    yield "bpf", raw(321, 0, ctypes.addressof(params), 72), lambda: False
    yield "unshare", raw(272, USER_NAMESPACE), lambda: os.readlink("/proc/self/ns/user") != namespace
    yield "io_uring_setup", raw(425, 4, ctypes.addressof(params)), lambda: False
    yield "kill", call("posix.kill", child, 9), lambda: os.waitpid(child, os.WNOHANG)[0]


def attempt(stream):
    """The errno that it ends with: Python raises it, libc leaves it."""
    ctypes.set_errno(0)
    try:
        done = pickle.loads(stream)
    except OSError as error:
        return error.errno
    return ctypes.get_errno() if done == -1 else 0


def main():
    file.write_text("a file\n")
    file.chmod(0o600)
    (place / "empty").mkdir()
    receiver.bind(str(place / "socket"))
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    with open(file, "r+b") as opened:
        for name, stream, shows in cases(child, os.pidfd_open(child), opened.fileno()):
            result = attempt(assemble(stream))
            result = errno.errorcode.get(result, result)
            print(json.dumps({"call": name, "errno": result, "shows": bool(shows())}), flush=True)
    if Path(f"/proc/{child}").exists():
        os.kill(child, 9)


if __name__ == "__main__":
    main()
