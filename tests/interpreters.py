"""The interpreters of the test matrix, and what the tests need to know of each."""
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]
MATRIX = [*VERSIONS, "debian-3.11", "venv", "isolated"]


class Interpreter:
    """A command that runs Python code: `argv` is the program and its options."""

    def __init__(self, *argv):
        self.argv = list(argv)

    @functools.cached_property
    def version(self):
        """(major, minor)"""
        code = "import sys; print(*sys.version_info[:2])"
        run = subprocess.run([*self.argv, "-c", code], capture_output=True, text=True, check=True)
        return tuple(map(int, run.stdout.split()))

    @functools.lru_cache(maxsize=None)
    def marshalled(self, source):
        """The bytes of compiled code, which only the same version can read."""
        code = f"import marshal, sys; sys.stdout.buffer.write(marshal.dumps(" \
               f"compile({source!r}, 'model', 'exec')))"
        return subprocess.run([*self.argv, "-c", code], capture_output=True, check=True).stdout

    @functools.lru_cache(maxsize=None)
    def bytecode(self, source):
        """A bytecode file whose code says that it comes from an installed file."""
        code = f"import importlib.util, marshal, os, sys; sys.stdout.buffer.write(" \
               f"importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(compile({source!r}, os.__file__, 'exec')))"
        return subprocess.run([*self.argv, "-c", code], capture_output=True, check=True).stdout


MAIN = Interpreter(sys.executable)


def installed(version):
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    pyenv = sorted(root.glob(f"versions/{version}.*/bin/python3"))
    return str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")


@functools.lru_cache(maxsize=None)
def find(name):
    """The interpreter of that name in the matrix; None when this machine has none."""
    if name == "venv":
        return MAIN
    if name == "isolated":
        found = next(filter(None, map(installed, reversed(VERSIONS))), None)
        return found and Interpreter(found, "-I", "-S", "-E")
    path = "/usr/bin/python3.11" if name == "debian-3.11" else installed(name)
    return Interpreter(path) if path and os.access(path, os.X_OK) else None
