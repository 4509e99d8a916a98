"""A journald whose sockets outlive it, as systemd keeps them, in the namespace of mounts that it is started in.

    unshare --mount journald.py PROGRAM

Says "ready", does what it reads ("start", "kill"; says "done"), and ends with its input."""
import os
import pathlib
import socket
import subprocess
import sys

FOLDER = pathlib.Path("/run/systemd/journal")
CONFIG = "[Journal]\nStorage=volatile\nRuntimeMaxUse=2G\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n"
SOCKETS = {"socket": socket.SOCK_DGRAM, "dev-log": socket.SOCK_DGRAM, "stdout": socket.SOCK_STREAM}


def prepare():
    """What the machine has in /run and /var/log stays out of sight."""
    for path in ("/run", "/etc/systemd"):
        subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
    FOLDER.mkdir(parents=True)
    pathlib.Path("/etc/systemd/journald.conf").write_text(CONFIG)


def listen():
    """From descriptor 3 on, where systemd puts them."""
    for fd, (name, kind) in enumerate(SOCKETS.items(), 3):
        with socket.socket(socket.AF_UNIX, kind) as listener:
            listener.bind(str(FOLDER / name))
            if kind == socket.SOCK_STREAM:
                listener.listen()
            if listener.fileno() == fd:
                listener.detach()
                os.set_inheritable(fd, True)
            else:
                os.dup2(listener.fileno(), fd)


def main():
    prepare()
    listen()
    command = ["sh", "-c", 'LISTEN_PID=$$ exec "$0"', sys.argv[1]]
    process = None
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "start\n":
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
                                       env={**os.environ, "LISTEN_FDS": str(len(SOCKETS))})
        elif process:
            process.kill()
            process.wait()
        print("done", flush=True)
    if process:
        process.kill()


if __name__ == "__main__":
    main()
