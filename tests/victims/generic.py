"""Every entry point, every end a load can have. On any CPython."""
import array
import collections
import datetime
import decimal
import functools
import io
import pickle
import tempfile

from victim import SECONDS, outcome, victim

ROUNDS = 300 * SECONDS


class Point:
    def __init__(self, x):
        self.x = x

    def __setstate__(self, state):
        self.__dict__.update(state, seen=True)

    def __repr__(self):
        return f"Point({self.x}, {self.__dict__.get('seen')})"


class Names(pickle.Unpickler):
    def find_class(self, module, name):
        if name == "OrderedDict":
            raise pickle.UnpicklingError(name)
        return super().find_class(module, name)


THINGS = [
    1, "text", b"bytes" * 50, [1, [2, [3]]], {"a": (1, 2)}, frozenset([3]),
    collections.OrderedDict(a=1), collections.Counter("abca"), collections.deque([1, 2]),
    decimal.Decimal("1.5"), datetime.date(2020, 1, 2), array.array("d", [1.0, 2.0]),
    functools.partial(max, 1), Point(1), [Point(i) for i in range(20)],
    range(5), 2 ** 200, 1.5, complex(1, 2), bytearray(b"x" * 1000), "\u20ac" * 100,
]
BROKEN = [b"", b"\x80", b"\x80\x04.", b"\x80\x04K", b"cno_such_module\nname\n.", b"cos\nno_name\n.",
          b"\x80\x04\x8c\x05posix\x8c\x04nope\x93.", b"(lp0\nR.", b"\x80\x09N.", b"cbuiltins\nint\n(S'x'\ntR."]


def loads_of(stream):
    yield pickle.loads(stream)
    yield pickle.load(io.BytesIO(stream))
    yield pickle.Unpickler(io.BytesIO(stream)).load()
    yield outcome(Names(io.BytesIO(stream)).load)
    yield pickle._loads(stream)
    unpickler = pickle.Unpickler(io.BytesIO(stream * 3))
    for _ in range(3):
        yield unpickler.load()


with victim() as total, tempfile.TemporaryFile() as file:
    streams = [pickle.dumps(thing, protocol) for thing in THINGS for protocol in (0, 2, 4)]
    for stream in streams:
        file.write(stream)
    for number in range(ROUNDS):
        for stream in streams[number % 7::7]:
            for result in loads_of(stream):
                total.add(repr(result))
        file.seek(0)
        for _ in streams[:20]:
            total.add(repr(pickle.load(file)))
        for stream in BROKEN:
            total.add(outcome(pickle.loads, stream))
            total.add(outcome(pickle.load, io.BytesIO(stream)))
        total.loads -= len(streams[number % 7::7])  # the unpickler in Python
