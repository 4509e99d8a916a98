"""Threads that stand still, each in a deep stack of its own, and what Python says of each of them.

Prints one line of JSON and then waits for the end of its input. Needs nothing that reads modules from
files, so that what a recording of it holds comes from here.
"""
import _thread
import ctypes
import json
import os
import sys
import time

told = []
lock = _thread.allocate_lock()


def tell(frame, **more):
    frames = []
    while frame:
        code = frame.f_code
        frames.append([getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno])
        frame = frame.f_back
    with lock:
        told.append({"id": _thread.get_ident(), "tid": _thread.get_native_id(), "frames": frames, **more})


def still():
    tell(sys._getframe()); os.read(0, 1)


class Plain:
    def method(self):
        def inner():
            return [number for number in self.generator()]

        return inner()

    def generator(self):
        yield 1
        yield from self.delegate()

    def delegate(self):
        yield sorted([3, 1], key=lambda number: self.table(number))

    def table(self, number):
        class Body:
            value = {
                "first": number,
                "second":
                    max(still() for _ in range(1)),
            }


async def coroutine(depth):
    if depth:
        return await coroutine(depth - 1)
    still()


def recursion(depth):
    if depth:
        recursion(depth - 1)
    else:
        still()


def compiled(file, name):
    """A function of that name in that file, whatever they are."""
    names = {"still": still}
    exec(compile(f"\n\ndef {name}():\n  still()\n", file, "exec"), names)
    return names[name]


def wide():
    # One, two and four bytes a character.
    function = compiled("caf\xe9.py", "d\xe9j\xe0_vu")
    for file, name in (("\u03bb.py", "\u03b1\u03b2"), ("\U0001f600.py", "\U00020000x")):
        function = (lambda called, outer: lambda: outer(called))(function, calling(file, name))
    function()


def calling(file, name):
    names = {}
    exec(compile(f"def {name}(called):\n\n  called()\n", file, "exec"), names)
    return names[name]


def longer():
    calling("d/" * 300, "n" * 600)(lambda: calling("\u03bb" * 100, "\u03b1" * 100)(still))


def lines(count, called):
    """Calls after so many lines: their table is long."""
    names = {"called": called}
    exec(compile("def lines():\n" + "  len('')\n" * count + "  called()\n", f"lines{count}.py", "exec"), names)
    names["lines"]()


class Dropped:
    def __del__(self):
        still()


def dropping():
    here = Dropped()
    return len(str(here))


def drop():
    return sorted([0], key=lambda number: dropping())


class Finder:
    """Imports a module that stands still."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "still_module":
            return type(sys.__spec__ or _thread.__spec__)(name, cls)

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        module.still = still
        exec(compile("def body():\n    still()\n\n\nbody()\n", "still_module.py", "exec"), module.__dict__)


def imported():
    import still_module


def closing():
    """Stands still where the last frame is gone already, in the end of what it held: a write to a full pipe."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)

    def holding(number):
        file = open(writer, "wb")
        file.write(b"more")

    tell(sys._getframe()); sorted([0], key=holding)


def another_interpreter():
    """Only the frames of the interpreter that runs are the thread's."""
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    reader, writer = os.pipe()
    code = f"import os, sys; frame = sys._getframe(); " \
           f"os.write({writer}, (frame.f_code.co_name + chr(9) + frame.f_code.co_filename).encode()); os.read(0, 1)"

    def hear():
        name, file = os.read(reader, 1000).decode().split("\t")
        tell(None, **{**thread, "frames": [[name, file, 1]]})

    thread = {"id": _thread.get_ident(), "tid": _thread.get_native_id()}
    _thread.start_new_thread(hear, ())
    interpreters.run_string(interpreters.create(), code)


def place_of(address):
    """The file that is mapped there, and where it starts."""
    starts, path = {}, ""
    with open("/proc/self/maps") as maps:
        for line in maps:
            addresses, _, _, _, _, *names = line.split(None, 5)
            low, high = (int(number, 16) for number in addresses.split("-"))
            path = names[0].strip() if names else path  # of what a file leaves zero
            starts.setdefault(path, low)
            if low <= address < high:
                return path, starts[path]


def main():
    scenes = [lambda: Plain().method(), lambda: coroutine(5).send(None), lambda: recursion(20), lambda: recursion(100),
              wide, longer, lambda: lines(500, lambda: lines(60, still)), drop, imported, closing, another_interpreter]
    sys.meta_path.insert(0, Finder)
    for scene in scenes:
        before = len(told)
        _thread.start_new_thread(scene, ())
        while len(told) == before:
            time.sleep(0.001)
    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    file, base = place_of(runtime)

    said = {"version": sys.hexversion >> 16, "runtime": runtime, "file": file, "base": base, "threads": told}

    def last():
        tell(sys._getframe()); print(json.dumps(said), flush=True); os.read(0, 1)

    last()
    os._exit(0)


main()
