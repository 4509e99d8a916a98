"""Interpreters with the USDT python:audit, in which sys.audit() itself has no place for a probe: Debian's own, changed in a
copy. What an unpickler written in Python does there is told by the USDT alone."""
import contextlib
import os
import pickle
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon import PATIENCE, Made, Victim, until
from test_daemon_hosts import AT_ONCE, HELD, STATIC, need_static

SHARED = "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0"
MAIN = "int Py_BytesMain(int, char **); int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }"
# Says where the method table has sys.audit()'s address: in memory, which is not moved when the program starts.
AUDIT = """
import ctypes, sys
def word(at):
    return ctypes.c_size_t.from_address(at).value
at = word(id(sys.audit) + 16) + 8
print(at, word(at))
"""
PADDING = bytes.fromhex("662e0f1f840000000000")
# A function's end, and room for an instruction of five bytes and a jump behind it.
ENDS = [pop + b"\xc3" + PADDING for pop in (b"\x5b", b"\x5d", b"\x41\x5c", b"\x41\x5d")]
NOP5 = bytes.fromhex("0f1f440000")
# Says when it is over, and is still there when it is looked at.
LOADER = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    pickle._Unpickler(file).load()
print("loaded", flush=True)
sys.stdin.read()
"""
# Its load() is no unpickler's.
OTHER_LOADER = """
import os, pickle, sys
def load(path):
    pickle.loads(b"ccollections\\nOrderedDict\\n.")
    os.mkdir(path)
load(sys.argv[1])
print("loaded", flush=True)
sys.stdin.read()
"""
# Loads until it is told to end.
WORKER = """
import io, pickle, select, sys
stream = pickle.dumps([slice(1, 2), {1: "a"}, complex(3)])
print("works", flush=True)
while not select.select([0], [], [], 0)[0]:
    assert pickle._Unpickler(io.BytesIO(stream)).load() == [slice(1, 2), {1: "a"}, complex(3)]
"""
# How often the USDT is counted up, in a process of its own: its semaphore lies where it was linked to.
COUNT = "import ctypes, sys; print(ctypes.c_uint16.from_address(int(sys.argv[1], 16)).value)"
# Maps a file with a semaphore that the kernel can not count up, then its code.
SPOILER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_size_t, [ctypes.c_size_t] * 6
READ, WRITE, EXEC, PRIVATE = 1, 2, 4, 2
file = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(file).st_size
ctypes.c_uint16.from_address(libc.mmap(0, size, READ | WRITE, PRIVATE, file, 0) + int(sys.argv[2])).value = 0x8000
assert libc.mmap(0, size, READ | EXEC, PRIVATE, file, 0) % 4096 == 0
print("spoiled", flush=True)
sys.stdin.read()
"""


def segments(program):
    """Linked address, place in the file, size there, whether it is code."""
    text = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ (.{3})", text)
    return [(int(address, 16), int(offset, 16), int(size, 16), "E" in flags) for offset, address, size, flags in found]


def offset_of(address, program):
    return next(address - start + offset for start, offset, size, _ in segments(program) if 0 <= address - start < size)


def renamed(path):
    """The table of sys is not known by the neighbours of audit() any more."""
    code = Path(path).read_bytes()
    assert b"addaudithook\0" in code
    return code.replace(b"addaudithook\0", b"addaudithooK\0")


def with_nop5(path):
    """sys.audit() begins with a nop of five bytes, on which no probe is safe: it goes on where it was."""
    code = bytearray(Path(path).read_bytes())
    said = subprocess.run([path, "-I", "-S", "-c", AUDIT], capture_output=True, text=True, check=True).stdout
    slot, function = map(int, said.split())
    start, offset, size, _ = next(segment for segment in segments(path) if segment[3])
    place = next(at + len(end) - len(PADDING) for end in ENDS if (at := code.find(end, offset, offset + size)) >= 0)
    address = place - offset + start
    jump = b"\xe9" + (function - (address + 10)).to_bytes(4, "little", signed=True)
    code[place:place + 10] = NOP5 + jump
    at = offset_of(slot, path)
    assert code[at:at + 8] == function.to_bytes(8, "little")
    code[at:at + 8] = address.to_bytes(8, "little")
    return bytes(code)


def semaphore():
    """Where that of python:audit is linked to."""
    need_static()
    notes = subprocess.run(["readelf", "-n", STATIC], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Name: audit\n.*Semaphore: (0x\w+)", notes)
    if not found:
        pytest.skip(f"{STATIC} is built without python:audit")
    return found[1]


def static(directory, code):
    program = directory / "python3"
    program.write_bytes(code(STATIC))
    program.chmod(0o755)
    return program


def shared(directory, code):
    """A program with the interpreter in a library beside it."""
    library, program = directory / "libpython3.11.so.1.0", directory / "python3"
    library.write_bytes(code(SHARED))
    subprocess.run(["cc", "-x", "c", "-", "-x", "none", library, "-o", program, f"-Wl,-rpath,{directory}"], input=MAIN,
                   text=True, check=True)
    return program


MAKERS = {"absent": (static, renamed), "refused": (static, with_nop5), "library": (shared, renamed)}


@pytest.fixture(scope="module")
def interpreters(tmp_path_factory):
    """By name, each in a directory of its own."""
    semaphore()
    base, made = tmp_path_factory.mktemp("interpreters"), {}
    for name, (make, code) in MAKERS.items():
        if make is static or os.access(SHARED, os.R_OK):
            (base / name).mkdir()
            made[name] = make(base / name, code)
    yield made
    shutil.rmtree(base)


@pytest.fixture(params=MAKERS)
def interpreter(request, interpreters):
    if request.param not in interpreters:
        pytest.skip(f"needs {SHARED}")
    return interpreters[request.param]


@pytest.fixture(scope="module")
def daemon(interpreters, daemons):
    """Has looked at each of them before anybody runs it."""
    paths = [f"{program.parent}/*" for program in interpreters.values()]
    daemon = daemons(config=[f"interpreters:\n  paths: {paths}"])
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def unknown(tmp_path):
    """An interpreter that no daemon has looked at."""
    semaphore()
    yield static(tmp_path, renamed)
    (tmp_path / "python3").unlink()


@contextlib.contextmanager
def running(program, source, *args):
    """A process that has said its line, and ends when it is told to."""
    process = subprocess.Popen([program, "-I", "-S", "-c", source, *map(str, args)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline(), "it has failed"
        yield process
    finally:
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_a_load_is_told(interpreter, daemon, tmp_path):
    made, artifact, since = tmp_path / "made", tmp_path / "model.pkl", daemon.mark()
    stream = pickle.dumps(Made(str(made)))
    artifact.write_bytes(stream)
    with running(interpreter, LOADER, artifact) as process:
        alerts = daemon.wait_for(Victim(tmp_path, pid=process.pid), since)
    assert alerts, "no alert"
    effect, inside = alerts[0]["effect"], alerts[0]["load"]
    assert (effect["class"], effect["detail"]["path"]) == ("write", str(made))
    assert (inside["entry"], inside["call"], alerts[0]["cause"]) == ("pickle._Unpickler.load", "posix.mkdir", "call")
    assert (inside["artifact"]["path"], inside["offset"]) == (str(artifact), stream.rindex(b"R"))
    assert daemon.status()["usdt_sites"] > 0


def test_what_pickle_says_in_c_opens_no_load(interpreter, daemon, tmp_path):
    """The same event, below a function that is called load."""
    since = daemon.mark()
    with running(interpreter, OTHER_LOADER, tmp_path / "made") as process:
        daemon.settle()
    assert daemon.alerts_of(Victim(tmp_path, pid=process.pid), since) == []


def test_only_where_it_is_needed(host_daemon):
    """Counted up, every event costs its process something."""
    done = subprocess.run([STATIC, "-I", "-S", "-c", COUNT, semaphore()], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 0


def test_comes_and_goes(unknown, daemons):
    """Counted up and down while events are raised."""
    with running(unknown, WORKER) as process:
        daemon = daemons()
        assert daemon.status()["usdt_sites"] > 0
        assert daemon.stop() == 0
        assert process.poll() is None


def test_spoiled_semaphore(unknown, daemons, tmp_path):
    """Whoever may read an interpreter can keep python:audit off it; the other probes are put, and it is counted."""
    daemon = daemons(config=HELD)
    try:
        before, since = daemon.status(), daemon.mark()
        with running(STATIC, SPOILER, unknown, offset_of(int(semaphore(), 16), unknown)):
            until(lambda: daemon.status()["refused_sites"] > before["refused_sites"], PATIENCE, "nothing refused", daemon)
            subprocess.run([unknown, "-I", "-S", "-c", AT_ONCE, pickle.dumps(Made(f"{tmp_path}/made")).hex()], check=True)
            assert daemon.wait_for(Victim(tmp_path), since), "no alert"
    finally:
        assert daemon.stop() == 0
