"""What the victims share: how much to do, a sum of what was done, and a look at their own code."""
import contextlib
import io
import os
import pickle
import re
import sys
import time
import zlib

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
CODE = re.compile(r"/(python[\d.]*|libpython[^/]*|_pickle\.[^/]*)$")


class Sum:
    """Of what was done, in the order in which it was done; and how many loads that took."""

    def __init__(self):
        self.value, self.items, self.loads = 0, 0, 0

    def add(self, item, loads=1):
        self.value = zlib.crc32(repr(item).encode(), self.value)
        self.items += 1
        self.loads += loads


def mapped_code():
    with open("/proc/self/maps") as maps:
        for line in maps:
            words = line.split(None, 5)
            if "x" in words[1] and len(words) == 6 and CODE.search(words[5].strip()):
                start, end = (int(x, 16) for x in words[0].split("-"))
                yield start, end - start, int(words[2], 16), words[5].strip()


def probed():
    """Bytes of the interpreter's code that are not those of its file: somebody has put probes there."""
    differ = 0
    with open("/proc/self/mem", "rb", 0) as memory:
        for start, size, offset, path in mapped_code():
            with open(path, "rb") as file:
                file.seek(offset)
                there, here = file.read(size), os.pread(memory.fileno(), size, start)
            if there != here:
                differ += sum(a != b for a, b in zip(there, here))
    return differ


@contextlib.contextmanager
def victim():
    """Prints the sum in the end, and to stderr what may be different the next time."""
    total, before = Sum(), probed()
    yield total
    print(f"{total.items} items, {total.value:08x}", flush=True)
    print(f"loads: {total.loads} probed: {before} {probed()}", file=sys.stderr)


def outcome(function, *args):
    """What it returned, or the class of what it raised."""
    try:
        return function(*args)
    except Exception as e:  # the kind is the result
        return type(e).__name__


class Asks(pickle.Unpickler):
    """Has somebody called in the middle of the load, as often as the stream says."""

    def __init__(self, data, ask):
        super().__init__(io.BytesIO(data))
        self.ask = ask

    def persistent_load(self, pid):
        return self.ask(pid)


class Asked:
    def __init__(self, number):
        self.number = number


class Writes(pickle.Pickler):
    def persistent_id(self, thing):
        return thing.number if type(thing) is Asked else None


def asking(*numbers, around=()):
    """A stream with a list: something before and something behind every question."""
    out = io.BytesIO()
    parts = [part for number in numbers for part in ({"at": number}, Asked(number), "x" * 40)]
    Writes(out, 4).dump([*around, *parts])
    return out.getvalue()


if __name__ == "__main__":
    # Waits until there are probes in this interpreter.
    until = time.monotonic() + SECONDS
    while not probed():
        if time.monotonic() > until:
            sys.exit("no probe has come")
        time.sleep(0.05)
