"""What victims need that is not Python, built here once: an extension module, a program with its library,
and a library that keeps probes away."""
import functools
import subprocess
import tempfile
from pathlib import Path

from attacks.native import FLAGS, headers

HERE = Path(__file__).resolve().parent / "native"
BUILT = tempfile.TemporaryDirectory(prefix="modelwatch-victims-")


@functools.lru_cache(maxsize=None)
def directory():
    """Where mwcontext, for any CPython from 3.9 on, lies; red_zone, with libtorch_cpu.so beside it; and
    unprobed.so, for LD_PRELOAD."""
    for command in (
        [*FLAGS, "-shared", "-fPIC", f"-I{headers()}", "-o", "mwcontext.abi3.so", HERE / "context.c"],
        [*FLAGS, "-shared", "-fPIC", "-o", "unprobed.so", HERE / "unprobed.c"],
        ["-shared", "-nostdlib", "-o", "libtorch_cpu.so", HERE / "leaves.S"],
        [*FLAGS, "-o", "red_zone", HERE / "red_zone.c", "libtorch_cpu.so", "-Wl,-rpath,$ORIGIN"],
    ):
        subprocess.run(["cc", *command], cwd=BUILT.name, check=True)
    return Path(BUILT.name)
