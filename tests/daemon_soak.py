#!/usr/bin/env python3
"""Work of all kinds side by side with `modelwatch daemon` on the machine: there must be no alert.

    daemon_soak.py [--seconds=600]      as root

The honest programs one after the other, a package that is installed into a new virtual environment, a project that
is compiled, and a web server that is kept busy. Two daemons watch: one that is to alert, one that is told no mode."""
import argparse
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

from daemon import PARENT, Daemon, Victim
from daemon import lacking
from test_honest import IMPORTED_AS, PROGRAMS, needs

SOURCES = 6
MAKEFILE = """OBJECTS := $(patsubst %.c,%.o,$(wildcard *.c))
all: program
program: $(OBJECTS)
\t$(CC) -o $@ $^
clean:
\trm -f $(OBJECTS) program
"""


def run(command, **options):
    """Raises what is wrong, with what the program said."""
    done = subprocess.run([*PARENT, *map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300, **options)
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")


class Honest:
    """The next honest program; in the end all of them, in no order that another part could fall in step with."""

    def __init__(self, directory):
        self.programs = [program for program in PROGRAMS if all(
            importlib.util.find_spec(IMPORTED_AS.get(name, name)) for name in needs(program))]
        random.shuffle(self.programs)
        self.programs.sort(key=lambda program: len(needs(program)) > 0)  # the quick ones first
        self.next = 0

    def __call__(self):
        run([sys.executable, self.programs[self.next % len(self.programs)]])
        self.next += 1


class Install:
    """A package with a module, a program and a data file, from a wheel that lies here."""

    def __init__(self, directory):
        self.directory = directory
        self.wheel = directory / "soaked-1.0-py3-none-any.whl"
        info = "soaked-1.0.dist-info"
        files = {
            "soaked/__init__.py": "def main():\n    print('soaked')\n", "soaked/data.txt": "data\n" * 1000,
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: soaked\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": "[console_scripts]\nsoaked = soaked:main\n"}
        with zipfile.ZipFile(self.wheel, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
            archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))

    def __call__(self):
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            run([sys.executable, "-m", "venv", place])
            run([f"{place}/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check",
                 self.wheel])
            run([f"{place}/bin/soaked"])


class Compile:
    def __init__(self, directory):
        self.directory = directory
        (directory / "Makefile").write_text(MAKEFILE)
        for n in range(SOURCES):
            body = "".join(f"int f{n}_{k}(int x) {{ return x * {k} + {n}; }}\n" for k in range(200))
            (directory / f"part{n}.c").write_text(body)
        calls = " + ".join(f"f{n}_7(1)" for n in range(SOURCES))
        (directory / "main.c").write_text("".join(f"int f{n}_7(int);\n" for n in range(SOURCES))
                                          + f"int main(void) {{ return {calls} == 0; }}\n")

    def __call__(self):
        run(["make", "-C", self.directory, "clean", "all"])
        run([self.directory / "program"])


class Serve:
    """A web server in a process of its own, and clients that leave it no rest."""

    def __init__(self, directory):
        (directory / "page").write_text("page\n" * 2000)
        self.server = subprocess.Popen(
            [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", directory],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = int(self.server.stdout.readline().split(" port ")[1].split()[0])
        self.url = f"http://127.0.0.1:{port}/page"

    def __call__(self):
        for _ in range(100):
            with urllib.request.urlopen(self.url, timeout=60) as page:
                assert len(page.read()) == 10000

    def close(self):
        self.server.terminate()
        self.server.wait()


class Soak:
    """Does it all for a while. What went wrong is in `errors`, how often each part was done in `rounds`."""

    def __init__(self, directory):
        self.errors, self.rounds = [], {}
        self.parts = {}
        for part in Honest, Install, Compile, Serve:
            place = directory / part.__name__.lower()
            place.mkdir()
            self.parts[part.__name__.lower()] = part(place)

    def work(self, name, part, end):
        try:
            while time.monotonic() < end and not self.errors:
                part()
                self.rounds[name] = self.rounds.get(name, 0) + 1
        except Exception as error:
            self.errors.append(f"{name}: {error!r}")

    def run(self, seconds):
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.work, args=(name, part, end)) for name, part in self.parts.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.parts["serve"].close()


def soak(seconds, daemons):
    """Returns what is wrong, a list of texts, and says what was done."""
    with tempfile.TemporaryDirectory(prefix="mw-soak-") as directory:
        victim = Victim(directory, *PROGRAMS, pid=os.getpid())
        since, before = [daemon.mark() for daemon in daemons], [daemon.status() for daemon in daemons]
        work = Soak(Path(directory))
        work.run(seconds)
        wrong = work.errors + [f"{name} was never done" for name in work.parts if not work.rounds.get(name)]
        for daemon, mark, old in zip(daemons, since, before):
            daemon.settle()
            now = daemon.status()
            wrong += [f"mode {now['mode']}: {alert['title']} (cause {alert['cause']})"
                      for alert in daemon.alerts_of(victim, mark)]
            if now["loads"] == old["loads"] or now["effects"] == old["effects"]:
                wrong.append(f"mode {now['mode']}: nothing was seen")
            lost = {name: n - old["losses"][name] for name, n in now["losses"].items() if n > old["losses"][name]}
            print(f"mode {now['mode']}: {now['loads'] - old['loads']} loads, {now['effects'] - old['effects']} effects,"
                  f" lost: {lost or 'nothing'}", flush=True)
    print(f"{seconds} s: " + ", ".join(f"{name} {n}" for name, n in work.rounds.items()), flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    args = parser.parse_args()
    reason = lacking()
    if reason:
        sys.exit(f"daemon_soak.py: {reason}")
    with tempfile.TemporaryDirectory() as directory:
        pair = [Daemon(f"{directory}/alert").start(), Daemon(f"{directory}/observe", mode=None).start()]
        wrong = soak(args.seconds, pair)
        ends = [daemon.stop() for daemon in pair]
    wrong += [f"a daemon has ended with {status}" for status in ends if status]
    for text in wrong:
        print(text)
    print("no alert" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
