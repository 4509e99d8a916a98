"""The version after this one: the same program, whose wire, policy and spool have the next version's number."""
import os
import re
import shutil
import subprocess
from pathlib import Path

from conftest import PROGRAM, ROOT

BUMPED = {"core/wire.h": r"(?<=#define MW_WIRE_VERSION \()\d+", "core/policy.h": r"(?<=#define MW_POLICY_VERSION )\d+",
          "courier/spool_schema.c": r"(?<=#define VERSION )\d+|(?<=user_version = )\d+"}
# What has one of these numbers in it: nothing else is compiled anew.
USERS = ["core/wire_pack.c", "core/wire_unpack.c", "core/policy.c", "tools/policy_image.c", "courier/spool_schema.c"]
SOURCES = ["core", "courier", "ebpf", "preload", "pyext", "slurm", "tools"]
BUILT = ["guest", "host", "ebpf", "messages"]
FILES = ["modelwatch", "modelwatch-courier", "libmodelwatch.so", "_modelwatch.abi3.so", "modelwatch.py"]


def build(directory):
    """Builds it into a new directory. Returns the one with its program."""
    here, there = Path(PROGRAM).resolve().parent, Path(directory) / "build"
    for name in BUILT:
        shutil.copytree(here / name, there / name)
    for name in SOURCES:
        shutil.copytree(ROOT / name, Path(directory) / name)
    shutil.copy2(ROOT / "Makefile", directory)
    for name, pattern in BUMPED.items():
        path = Path(directory) / name
        when = path.stat()
        text, found = re.subn(pattern, lambda match: str(int(match[0]) + 1), path.read_text())
        assert found, f"{name} has no version"
        path.write_text(text)
        os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))  # who only includes it is the same
    for name in USERS:
        os.utime(Path(directory) / name)
        for kind in "guest", "host":
            (there / kind / name).with_suffix(".o").unlink(missing_ok=True)
    subprocess.run(["make", "-s", "O=build", *(f"build/{name}" for name in FILES)], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL, timeout=300)
    return there


def beside(directory, program_of, guest_of):
    """A directory with the program of one version and, beside it, what it puts into processes of another."""
    Path(directory).mkdir()
    for name in FILES:
        source = program_of if name.startswith("modelwatch") and not name.endswith(".py") else guest_of
        shutil.copy2(Path(source) / name, directory)
    return Path(directory) / "modelwatch"
