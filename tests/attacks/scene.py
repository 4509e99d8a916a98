"""What an attack acts on: directories, a marker that must not appear, a listener."""
import io
import platform
import re
import shutil
import socket
import struct
import threading
import zipfile
from pathlib import Path

from attacks import native
from attacks import stream as pickles


class Listener:
    """What an attack connects and sends to: one port for TCP and UDP on the loopback address, and a
    unix socket. Notes that somebody came, answers as a web server would, and hangs up."""

    def __init__(self, directory):
        self.visits, self.sockets = 0, []
        self.tcp = self.open(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = self.open(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", self.port))
        self.path = str(directory / "listener")
        self.unix = self.open(socket.AF_UNIX, socket.SOCK_STREAM, self.path)

    def open(self, family, kind, address):
        s = socket.socket(family, kind)
        s.bind(address)
        if kind == socket.SOCK_STREAM:
            s.listen()
        self.sockets.append(s)
        serve = self.accept if kind == socket.SOCK_STREAM else self.receive
        threading.Thread(target=serve, args=(s,), daemon=True).start()
        return s

    def accept(self, s):
        try:
            while True:
                peer, _ = s.accept()
                self.visits += 1
                with peer:
                    peer.settimeout(1)
                    peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except OSError:
            pass

    def receive(self, s):
        try:
            while s.recv(100):
                self.visits += 1
        except OSError:
            pass

    def close(self):
        for s in self.sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Scene:
    """The directories of one run: the model's own, a scratch directory, and the marker."""

    def __init__(self, root):
        self.root = Path(root)
        self.model, self.tmp, self.cwd = (self.root / name for name in ("model", "tmp", "cwd"))
        for directory in (self.model, self.tmp, self.cwd):
            directory.mkdir()
        self.marker, self.alerts = self.root / "marker", self.root / "alerts.jsonl"
        self.listener = Listener(self.root)
        self.spare_port = free_port()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.close()


def library():
    """The bytes of a shared library that is harmless to load once more under another name."""
    maps = Path("/proc/self/maps").read_text()
    return Path(re.search(r"\S*/libm[.-]\S*", maps)[0]).read_bytes()


def zipped(name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "unpacked\n")
    return out.getvalue()


def names(attack, scene, interpreter):
    """What the expressions of an attack may use."""
    port = scene.listener.port
    built = {"child": str(native.directory() / "child")} if attack.is_native else {}
    return {
        **built, "address": struct.pack("!BBH4s8x", 2, 0, port, bytes([127, 0, 0, 1])),
        **{name: getattr(pickles, name) for name in (
            "call", "new", "new_ex", "obj", "inst", "build", "get", "attr", "module", "assemble")},
        "marker": str(scene.marker), "model": str(scene.model), "tmp": str(scene.tmp),
        "root": str(scene.root),
        "port": port, "unix": scene.listener.path, "spare_port": scene.spare_port,
        "executable": interpreter.argv[0], "bytecode": interpreter.bytecode,
        "touch": shutil.which("touch"), "version": interpreter.version,
        "marshalled": interpreter.marshalled, "machine": platform.machine(),
    }


def write_files(attack, scene, interpreter):
    for name, text in attack.files.items():
        path = scene.model / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(expand(attack, text, scene, interpreter))


def expand(attack, text, scene, interpreter):
    """The content of a file: text with {names} in it, or an expression after a leading '='."""
    if text.startswith("="):
        known = names(attack, scene, interpreter)
        return eval(text[1:], known | {"library": library, "zipped": zipped})
    return substitute(attack, text, scene, interpreter).encode()


def substitute(attack, text, scene, interpreter):
    known = names(attack, scene, interpreter)
    return re.sub(r"{(\w+)}", lambda m: str(known[m[1]]) if m[1] in known else m[0], text)
