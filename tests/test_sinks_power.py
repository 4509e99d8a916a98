"""Power goes: what is not on the disk is not there when it comes again. A disk of the test's own (ext4 on a loop device)
is shut down as xfstests does it: what was not flushed by then is gone, that of the filesystem's own log, too."""
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import threading

import pytest

from conftest import PROGRAM
from monitor import Monitor
from receivers import until

SHUTDOWN, NO_FLUSH = 0x8004587D, struct.pack("=I", 2)  # FS_IOC_SHUTDOWN, without a flush of the log
ROUNDS = 4


class Disk:
    def __init__(self, folder):
        self.image, self.path = folder / "image", folder / "disk"
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(128 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True)

    def lose_power(self):
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, NO_FLUSH)
        finally:
            os.close(fd)

    def unmount(self):
        """Somebody who has just been killed may still hold it."""
        until(lambda: subprocess.run(["umount", self.path], capture_output=True).returncode == 0)


@pytest.fixture
def disk(tmp_path):
    if os.getuid() or not shutil.which("mkfs.ext4"):
        pytest.skip("needs root and mkfs.ext4")
    made = Disk(tmp_path)
    try:
        made.mount()
        made.lose_power()
    except (subprocess.CalledProcessError, OSError) as error:
        pytest.skip(f"no disk that can be shut down: {error}")
    finally:
        subprocess.run(["umount", made.path], capture_output=True)
    made.mount()
    yield made
    subprocess.run(["umount", "-l", made.path], capture_output=True)


def alert(name):
    return {"schema": "modelwatch.alert/1", "id": name, "update": 0, "time": "2026-11-23T16:55:46.015960535Z",
            "severity": "critical", "rule": "exec", "effect": {"class": "exec", "detail": {"path": f"/{name}"}},
            "filler": "x" * 1000}


def tell(monitor, made, over):
    """As fast as they are taken. Whoever is cut off has said what it has taken."""
    with contextlib.suppress(OSError, ValueError):
        while not over.is_set():
            batch = [f"{len(made) + i:08}" for i in range(20)]
            made += batch
            monitor.tell([alert(name) for name in batch])


def in_spool(path):
    done = subprocess.run([PROGRAM, "alerts", "--json", f"--spool={path}"], capture_output=True, text=True, check=True)
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def lines(path):
    """Of a file of which the end may be missing, or be nothing but zeros."""
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def test_what_is_taken_is_there_when_power_comes_again(disk):
    """And reaches its sink; of what was not taken some may be there."""
    spool, out = disk.path / "spool" / "spool.db", disk.path / "out"
    config = {"file": {"type": "file", "format": "native", "path": str(out)}}
    keys = {"path": str(spool), "flush": "10s", "per_minute": {"per_rule": "0", "per_artifact": "0"}}
    made, kept = [], []
    for n in range(ROUNDS):
        over, began, before = threading.Event(), len(made), len(kept)
        with Monitor(config, keys) as monitor:
            teller = threading.Thread(target=tell, args=(monitor, made, over))
            teller.start()
            until(lambda: monitor.taken >= (1 if n == 0 else 200))  # the first time at once: files are new then
            taken = monitor.taken  # ext4 says of what it is just writing that it is there, and drops it
            disk.lose_power()
            over.set()
            os.kill(monitor.pid, signal.SIGKILL)
            teller.join()
        disk.unmount()
        disk.mount()
        kept = in_spool(spool)
        assert kept == made[:before] + made[began:began + len(kept) - before]
        assert len(kept) - before >= taken
        del made[len(kept):]
    assert [path.name for path in spool.parent.iterdir() if ".corrupt" in path.name] == []
    with Monitor(config, keys) as monitor:
        monitor.tell([alert("last")])
        assert monitor.close() == 0
    got = list(dict.fromkeys(record["sequence"] for record in lines(out)))
    assert got == list(range(1, len(kept) + 2))
