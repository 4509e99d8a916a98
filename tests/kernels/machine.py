"""Boots a kernel in a machine that QEMU emulates, with the daemon, a Python and the attacks in its memory."""
import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from conftest import PROGRAM
from interpreters import MAIN, find

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
BUILT = Path(PROGRAM).resolve().parent / "kernels"
SCRIPTS = ["guest.py", "guard.py", "modes.py", "cost.py", "programs.py"]
BUILDS = ["hooks", "hooks.so", "loops", "loops.so"]  # by `make kernel-programs`
QEMU = "qemu-system-x86_64"
PATIENCE = 560  # seconds, on a busy host
LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "tkinter", "ensurepip", "pydoc_data", "turtledemo", "site-packages",
            "dist-packages"}
TOOLS = ["/bin/sh", "touch", "sleep", "mount", "cat", "echo", "true", "id"]
PLACES = """
import json, os, sys, sysconfig
print(json.dumps([os.path.realpath(sys.executable), sysconfig.get_path("stdlib")]))
"""


def kernels():
    """Those of .kernels/, the oldest first."""
    found = TESTS.parent.glob(".kernels/vmlinuz-*")
    return sorted(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])


def lacking():
    """Why no kernel can be booted here, or None."""
    if not shutil.which(QEMU):
        return f"needs {QEMU}"
    if not kernels():
        return "needs kernels: tests/kernels/fetch.sh fetches them where apt-get has Debian's"
    return None


def libraries(*programs):
    """What the dynamic linker loads for them, by the paths that it is looked for under."""
    done = subprocess.run(["ldd", *programs], capture_output=True, text=True)
    return {Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+) \(", done.stdout, re.M)}


def python():
    """The interpreter of the victims: the program, and the files of its library."""
    interpreter = find("debian-3.11") or MAIN
    base = [interpreter.argv[0]]
    done = subprocess.run([*base, "-I", "-S", "-c", PLACES], capture_output=True, text=True, check=True)
    program, library = map(Path, json.loads(done.stdout))
    files = [path for path in library.rglob("*") if path.is_file() and not LEFT_OUT & set(path.parts)
             and not any(part.startswith("config-") for part in path.parts)]
    return program, files


class Archive:
    """A cpio archive, as the kernel unpacks it."""

    def __init__(self):
        self.data, self.known, self.number = bytearray(), set(), 0

    def entry(self, name, mode, content=b""):
        if name in self.known:
            return
        self.known.add(name)
        self.number += 1
        name = name.encode() + b"\0"
        fields = (self.number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        self.pad(b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name)
        self.pad(content)

    def pad(self, data):
        self.data += data + bytes(-(len(self.data) + len(data)) % 4)

    def directory(self, path):
        for parent in [*reversed(path.parents), path]:
            name = str(parent).lstrip("/")
            if name and parent.is_symlink():
                self.entry(name, 0o120777, os.readlink(parent).encode())
                self.directory(parent.resolve())
            elif name:
                self.entry(name, 0o40755)

    def file(self, source, path=None):
        path = Path(path or source)
        self.directory(path.parent)
        path = path.parent.resolve() / path.name
        self.directory(path.parent)
        self.entry(str(path).lstrip("/"), 0o100755, Path(source).read_bytes())

    def end(self):
        self.entry("TRAILER!!!", 0)
        return bytes(self.data)


def image():
    """The machine's files."""
    subprocess.run(["make", "-s", f"O={BUILT.parent}", "kernel-programs"], cwd=TESTS.parent, check=True, timeout=600)
    archive = Archive()
    program, files = python()
    tools = [shutil.which(name) for name in TOOLS]
    extensions = [path for path in files if path.suffix == ".so"]
    for path in [*tools, program, *files, *libraries(PROGRAM, program, *tools, *extensions)]:
        archive.file(path)
    archive.file(PROGRAM, "/modelwatch")
    for path in (TESTS / "interpreters.py", *TESTS.glob("attacks/*.py"), *TESTS.glob("attacks/*.toml"),
                 *TESTS.glob("honest/*.py")):
        archive.file(path, Path("/tests") / path.relative_to(TESTS))
    for path in (*map(HERE.joinpath, SCRIPTS), *map(BUILT.joinpath, BUILDS)):
        archive.file(path, f"/tests/{path.name}")
    for name in ("proc", "sys", "dev", "tmp", "run"):
        archive.directory(Path("/machine") / name)
        archive.entry(name, 0o40755)
    start = f"#!/bin/sh\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin\ncd /tests\nexec {program} -c 'import guest; guest.main()'\n"
    archive.entry("init", 0o100755, start.encode())
    return archive.end()


# With one processor, whose clock goes on by a nanosecond with each instruction.
COUNTED = ["-smp", "1", "-icount", "shift=0,sleep=off"]


def boot(kernel, directory, task="tests", patience=PATIENCE):
    """Boots it, for one of guest.py's tasks; for `cost` instructions are its time.
    Returns what the machine had to say: a list of objects, see guest.py. Its processors are one thread: as several they
    run code that another has just patched, and the kernel dies of a breakpoint that is not there any more."""
    memory, console, said = (directory / name for name in ("memory", "console", "said"))
    memory.write_bytes(image())
    command = [QEMU, "-accel", "tcg,thread=single", "-cpu", "max", *(COUNTED if task == "cost" else ["-smp", "2"]), "-m", "1536", "-display", "none",
               "-monitor", "none", "-no-reboot", "-nic", "none", "-serial", f"file:{console}",
               "-serial", f"file:{said}", "-kernel", kernel, "-initrd", memory,
               "-append", f"console=ttyS0 panic=-1 quiet random.trust_cpu=on task={task}"]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=patience, check=True)
    except subprocess.TimeoutExpired:
        pass  # what it has said until then is looked at
    finally:
        memory.unlink()
    return [json.loads(line) for line in said.read_text(errors="replace").splitlines() if line.endswith("}")]
