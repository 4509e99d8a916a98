"""A host with something at the daemon's report socket, for one command:

    unshare --mount report_host.py KIND OUT COMMAND...

What is there, by KIND: `none`; `daemon=PROGRAM`, which listens; `hangs`, a daemon that reads nothing;
`comes_back`, one that reads three messages, goes, and is there again a moment later; `nobody`, a listener that
is not root's; `squatted`, a directory that others may write to. OUT gets what was sent."""
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path("/run/modelwatch")
PATH = str(HERE / "report.sock")


def listen():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(PATH)
    os.chmod(PATH, 0o666)
    listener.listen()
    return listener


def receive(listener, out, most=None):
    """Writes what comes over one connection to `out`."""
    peer, _ = listener.accept()
    with peer:
        while most is None or most > 0:
            message = peer.recv(1 << 20)
            if not message:
                return
            out.write(message)
            out.flush()
            most = None if most is None else most - 1


def come_back(listener, out):
    receive(listener, out, most=3)
    listener.close()
    os.unlink(PATH)
    out.write(b"{\"schema\": \"gone\"}\n")
    time.sleep(0.7)
    receive(listen(), out)


def as_nobody(out):
    """A listener whose credentials are another user's: those of who called listen()."""
    os.chmod(HERE, 0o755)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(PATH)
    os.chmod(PATH, 0o666)
    if os.fork() == 0:
        os.setresuid(65534, 65534, 65534)
        listener.listen()
        os.write(ready[1], b"x")
        receive(listener, out)
        os._exit(0)
    os.read(ready[0], 1)
    listener.close()


kind, out_path, *command = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
HERE.mkdir(mode=0o755)
ready = os.pipe()
with open(out_path, "wb") as out:
    daemon = None
    if kind.startswith("daemon="):
        daemon = subprocess.Popen([kind.removeprefix("daemon="), PATH], stdin=subprocess.PIPE, stdout=out)
        while not os.path.exists(PATH):
            time.sleep(0.01)
        time.sleep(0.05)
    elif kind == "comes_back":
        threading.Thread(target=come_back, args=(listen(), out), daemon=True).start()
    elif kind == "nobody":
        as_nobody(out)
    elif kind != "none":
        listener = listen()
        if kind == "squatted":
            HERE.chmod(0o777)
            threading.Thread(target=receive, args=(listener, out), daemon=True).start()
    status = subprocess.run(command).returncode
    time.sleep(0.1)
    if daemon:
        daemon.stdin.close()
        daemon.wait()
    sys.stdout.flush()
    os._exit(status)
