"""Builds the stream of an attack from its file."""

import pathlib
import pickle
import pickletools
import subprocess
import tomllib

HERE = pathlib.Path(__file__).parent
CALLING = {"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"}
MODULES = (
    "_thread atexit collections ctypes io mmap multiprocessing.util os pathlib pickle pty resource "
    "runpy shutil signal socket sqlite3 subprocess sys threading time timeit urllib.request uuid "
    "weakref marshal importlib"
)


class Call:
    """Pickled as a call of a function with arguments."""

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


class Raw(bytes):
    """A stream that is written by hand."""


def glob(module, name):
    """The opcodes that fetch a global."""
    return dumps(module) + dumps(name) + b"\x93"


def dumps(value):
    """The opcodes that push a plain value."""
    return pickletools.optimize(pickle.dumps(value, 2))[2:-1]


def text(value):
    return b"V" + value.encode() + b"\n"


class Attack:
    """One file of this directory. The fields are explained in tests/README.md."""

    def __init__(self, path):
        self.name = path.stem
        fields = tomllib.loads(path.read_text())
        self.payload = fields["payload"]
        self.code = fields.get("code")
        self.effect = fields["class"]
        self.call = fields["call"]
        self.marker = fields.get("marker", "file")
        self.nth = fields.get("nth", -1)
        self.alerts = fields.get("alerts", 1)
        self.loose_call = fields.get("loose_call", False)
        self.loose_offset = fields.get("loose_offset", False)
        self.max_python = fields.get("max_python")

    def fits(self, version):
        limit = self.max_python
        return not limit or version <= tuple(map(int, limit.split(".")))

    def stream(self, scene):
        """The bytes of the attack, for a scene that knows marker, port and tmp."""
        names = {"call": Call, "raw": Raw, "glob": glob, "dumps": dumps, "text": text}
        for module in MODULES.split():
            names[module.split(".")[0]] = __import__(module)
        names |= {"marker": str(scene.marker), "port": scene.port, "script": scene.script}
        names |= {"made": scene.made, "tree": scene.tree, "child": scene.child}
        value = eval(self.payload, names)
        return bytes(value) if isinstance(value, Raw) else pickle.dumps(value, 4)

    def offset(self, stream):
        """Where the opcode is that makes the call; a stream may end in garbage."""
        calls = []
        try:
            for op, _, at in pickletools.genops(stream):
                if op.name in CALLING:
                    calls.append(at)
        except ValueError:
            pass
        return calls[self.nth]


class Scene:
    """What an attack acts on: a directory, a marker that must not appear, a child process."""

    def __init__(self, tmp, port=0):
        self.tmp = tmp
        self.port = port
        self.marker = tmp / "marker"
        self.started = None

    def script(self, source):
        path = self.tmp / "script.py"
        path.write_text(source + "\n")
        return str(path)

    def made(self, name):
        path = self.tmp / name
        path.write_bytes(b"not a library")
        return str(path)

    def tree(self):
        (self.tmp / "tree" / "branch").mkdir(parents=True)
        (self.tmp / "tree" / "leaf").write_text("leaf")
        return str(self.tmp / "tree")

    def child(self):
        self.started = subprocess.Popen(["sleep", "60"])
        return self.started.pid

    def close(self):
        if self.started:
            self.started.kill()
            self.started.wait()


def attacks():
    return [Attack(path) for path in sorted(HERE.glob("*.toml"))]
