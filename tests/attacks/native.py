"""What attacks need that is not Python: an extension module and a static program, built here once."""
import functools
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "native"
BUILT = tempfile.TemporaryDirectory(prefix="modelwatch-native-")
INSTALLED = Path(BUILT.name) / "site-packages"  # by this name `modelwatch daemon` knows what is installed
FLAGS = ["-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-fvisibility=hidden"]


def can_be_built():
    return platform.machine() == "x86_64" and shutil.which("cc") is not None


def headers():
    """Those of any CPython from 3.9 on."""
    found = [Path(sysconfig.get_path("include")), *sorted(Path("/usr/include").glob("python3*"))]
    return next(path for path in found if (path / "Python.h").exists())


@functools.lru_cache(maxsize=None)
def directory():
    """Where rawcall, for any CPython from 3.9 on, what else counts as installed, and the program child lie."""
    INSTALLED.mkdir()
    for command in (
        [*FLAGS, "-shared", "-fPIC", f"-I{headers()}", "-o", "rawcall.abi3.so", *HERE.glob("raw*.c")],
        [*FLAGS, "-static", "-o", "child", HERE / "child.c"],
    ):
        subprocess.run(["cc", *command], cwd=INSTALLED, check=True)
    for path in HERE.glob("*.py"):
        shutil.copy(path, INSTALLED)
    return INSTALLED
