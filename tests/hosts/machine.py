"""Namespaces in which something may believe that it has a machine: of the host there are the files of the root file
system, which it cannot write, one directory, and a control group. All that runs in them ends with them."""
import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from daemon import START, until

# A root of its own: no mount of the host's is in it but the root, read-only, and `data`.
ROOT = r"""
set -e
mount --make-rprivate /
mount --bind / root
mount -o remount,bind,ro root
cd root
for name in run tmp var dev; do mount -t tmpfs none $name; done
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
touch dev/console && mount --bind ../log dev/console
mkdir dev/shm dev/pts && mount -t tmpfs none dev/shm && mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts && ln -s pts/ptmx dev/ptmx
mount -t proc none proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro none sys && mount -t bpf none sys/fs/bpf
if [ $0 = cgroup2 ]; then
	mount -t cgroup2 none sys/fs/cgroup
else
	mount -t tmpfs none sys/fs/cgroup && mkdir sys/fs/cgroup/$0
	mount -t cgroup -o $0 none sys/fs/cgroup/$0
fi
mkdir tmp/data && mount --bind ../data tmp/data
cp -r ../run/. run/
pivot_root . . && umount -l . && cd /
exec env -i container=modelwatch PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""


def groups(hierarchy):
    """Where these control groups are, or None: "cgroup2", or a controller that version 1 has."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        kind, options = words[words.index("-") + 1], words[-1].split(",")
        if words[3] == "/" and (kind == hierarchy or kind == "cgroup" and hierarchy in options):
            return Path(words[4])
    return None


def lacking(hierarchy, programs):
    programs = [*programs, "unshare", "pivot_root"]
    missing = [name for name in programs if not shutil.which(name)]
    if os.getuid() or missing or not groups(hierarchy):
        return f"needs root, control groups ({hierarchy}) and {', '.join(missing or programs)}"
    return None


def remove(group):
    """True when it is gone: what was killed leaves it only when it has ended."""
    with contextlib.suppress(OSError):
        os.rmdir(group)
    return not os.path.exists(group)


class Machine:
    """Runs `command` as the first process, with `files` in /run; `data` of `directory` is /tmp/data."""

    def __init__(self, directory, hierarchy, files, command):
        self.directory, self.hierarchy, self.command = Path(directory), hierarchy, command
        self.group = groups(hierarchy) / f"modelwatch-{self.directory.name}"
        self.log = self.directory / "log"
        for name in "root", "run", "data":
            (self.directory / name).mkdir(exist_ok=True)
        for name, text in files.items():
            path = self.directory / "run" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def __enter__(self):
        self.group.mkdir()
        command = ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', self.group,
                   "unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--uts", "--ipc", "--net",
                   "sh", "-c", ROOT, self.hierarchy, *self.command]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for directory, _, _ in os.walk(self.group, topdown=False):
            until(lambda: remove(directory), START, f"{directory} stays", self)

    def said(self):
        return self.log.read_text(errors="replace")
