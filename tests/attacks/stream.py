"""Assembles pickle streams opcode by opcode, and the same calls as a module's source.

An attack's `payload` is written with the functions below. Nothing here runs what it describes.
"""
import io
import pickle
import pickletools
import struct

CALLS = ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST", "BUILD")
FETCHES = ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")


class Global:
    """A global as the stream names it: the module, and a name that may have dots in it."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """A call made by the opcode that is named; BUILD gives `callable` the state `args[0]`."""

    def __init__(self, opcode, callable, args, kwargs=None):
        self.opcode, self.callable, self.args, self.kwargs = opcode, callable, args, kwargs


def get(name, path=None):
    """The global `path` of a module; without a path, the last part of the name is taken for it."""
    if path is None:
        name, path = name.rsplit(".", 1)
    return Global(name, path)


def _callable(target):
    return get(target) if isinstance(target, str) else target


def call(target, *args):
    return Call("REDUCE", _callable(target), args)


def new(target, *args):
    """What NEWOBJ does: target.__new__(target, *args)."""
    return Call("NEWOBJ", _callable(target), args)


def new_ex(target, *args, **kwargs):
    return Call("NEWOBJ_EX", _callable(target), args, kwargs)


def obj(target, *args):
    return Call("OBJ", _callable(target), args)


def inst(target, *args):
    return Call("INST", _callable(target), args)


def build(target, state):
    return Call("BUILD", _callable(target), (state,))


def attr(value, name):
    return call("builtins.getattr", value, name)


def module(name):
    return call("importlib.import_module", name)


class Assembler:
    """Writes one stream. A node that occurs twice is built once and taken from the memo after."""

    def __init__(self, protocol):
        self.protocol, self.out, self.memo = protocol, bytearray(), {}

    def value(self, value):
        if isinstance(value, (Global, Call)):
            self.node(value)
        elif isinstance(value, list):
            self.out += b"]("
            self.values(value)
            self.out += b"e"
        elif isinstance(value, tuple):
            self.out += b"("
            self.values(value)
            self.out += b"t"
        elif isinstance(value, dict):
            self.out += b"}("
            for item in value.items():
                self.values(item)
            self.out += b"u"
        else:
            self.out += plain(value)

    def values(self, values):
        for value in values:
            self.value(value)

    def node(self, node):
        if id(node) in self.memo:
            self.out += b"h" + bytes([self.memo[id(node)][0]])
            return
        getattr(self, node.opcode if isinstance(node, Call) else "GLOBAL")(node)
        # The node is kept with its number, so that its id stays its own.
        self.memo[id(node)] = (len(self.memo), node)
        self.out += b"q" + bytes([len(self.memo) - 1])

    def GLOBAL(self, node):
        if self.protocol >= 4:
            self.out += plain(node.module) + plain(node.name) + b"\x93"
        else:
            self.out += f"c{node.module}\n{node.name}\n".encode()

    def REDUCE(self, node):
        self.value(node.callable)
        self.value(node.args)
        self.out += b"R"

    def NEWOBJ(self, node):
        self.value(node.callable)
        self.value(node.args)
        self.out += b"\x81"

    def NEWOBJ_EX(self, node):
        self.value(node.callable)
        self.value(node.args)
        self.value(node.kwargs)
        self.out += b"\x92"

    def OBJ(self, node):
        self.out += b"("
        self.value(node.callable)
        self.values(node.args)
        self.out += b"o"

    def INST(self, node):
        self.out += b"("
        self.values(node.args)
        self.out += f"i{node.callable.module}\n{node.callable.name}\n".encode()

    def BUILD(self, node):
        self.value(node.callable)
        self.value(node.args[0])
        self.out += b"b"


def plain(value):
    """The opcodes of a value without parts."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out, 3)
    pickler.fast = True  # no memo
    pickler.dump(value)
    return out.getvalue()[2:-1]


def assemble(payload, protocol=4):
    """The stream that does what the nodes of a list say, in turn; the last one is its result."""
    nodes = payload if isinstance(payload, list) else [payload]
    out = Assembler(protocol)
    out.out += b"\x80" + bytes([protocol]) if protocol >= 2 else b""
    for i, node in enumerate(nodes):
        out.out += b"0" if i else b""
        out.value(node)
    return bytes(out.out + b".")


def inner(value):
    """The stream that the nodes of a payload bring along as an argument; None when there is none."""
    if isinstance(value, bytes):
        return value
    parts = value.args if isinstance(value, Call) else value if isinstance(value, (list, tuple)) else ()
    parts = [value.callable, *parts] if isinstance(value, Call) else parts
    return next(filter(None, map(inner, parts)), None)


def frame(stream):
    """The same stream as pickle.dumps writes it from protocol 4 on: with its length in front."""
    return stream[:2] + b"\x95" + struct.pack("<Q", len(stream) - 2) + stream[2:]


def opcodes(stream):
    """(name, offset) of every opcode up to where the stream ends or breaks."""
    found = []
    try:
        for opcode, _, offset in pickletools.genops(stream):
            found.append((opcode.name, offset))
    except Exception:  # a broken stream is part of some attacks; pickletools raises all sorts
        pass
    return found


def locate(stream, where):
    """The offset of `where`: "call N" or "fetch N" counts such opcodes, from the end if N < 0."""
    kind, index = where.split()
    names = {"call": CALLS, "fetch": FETCHES}[kind]
    return [offset for name, offset in opcodes(stream) if name in names][int(index)]


def is_certain(stream, offset):
    """True when the call is the only one between its last global and the next: what is known from
    outside the process then names a single byte."""
    calls, found = [], False
    for name, at in opcodes(stream):
        if name in FETCHES and name != "INST":
            if found:
                break
            calls = []
        if name in CALLS:
            calls.append(at)
            found |= at == offset
    return calls == [offset]


class Source:
    """The nodes as statements of a module, one assignment a node."""

    def __init__(self):
        self.lines, self.names = ["import importlib"], {}

    def value(self, value):
        if isinstance(value, (Global, Call)):
            return self.node(value)
        if isinstance(value, list):
            return f"[{', '.join(map(self.value, value))}]"
        if isinstance(value, tuple):
            return f"({''.join(self.value(v) + ', ' for v in value)})"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{k!r}: {self.value(v)}' for k, v in value.items())}}}"
        return repr(value)

    def node(self, node):
        if id(node) not in self.names:
            text = self.text(node)
            self.names[id(node)] = (f"v{len(self.names)}", node)
            self.lines.append(f"{self.names[id(node)][0]} = {text}")
        return self.names[id(node)][0]

    def text(self, node):
        if isinstance(node, Global):
            return f"importlib.import_module({node.module!r}).{node.name}"
        callee = self.value(node.callable)
        if node.opcode == "BUILD":
            self.lines.append(f"{callee}.__dict__.update({self.value(node.args[0])})")
            return callee
        args = [self.value(arg) for arg in node.args]
        args += [f"{key}={self.value(arg)}" for key, arg in (node.kwargs or {}).items()]
        if node.opcode.startswith("NEWOBJ"):
            return f"{callee}.__new__({', '.join([callee, *args])})"
        return f"{callee}({', '.join(args)})"


def source(payload):
    """The source of a module whose body does what the nodes say; its last result is `value`."""
    out = Source()
    for node in payload if isinstance(payload, list) else [payload]:
        last = out.value(node)
    return "\n".join([*out.lines, f"value = {last}", ""])
