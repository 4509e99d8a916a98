#!/usr/bin/env python3
"""Has a victim load the artifact of an attack.

    run.py [--python=PATH] [--place=PLACE] [NAME...]     without modelwatch: does each attack work?
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import interpreters  # noqa: E402
from attacks import native  # noqa: E402
from attacks.artifact import Artifact, make_artifact  # noqa: E402
from attacks.attack import PLACES, Attack, read_all  # noqa: E402
from attacks.scene import Scene, substitute, write_files  # noqa: E402

TIMEOUT = 60
PATIENCE = 10  # seconds for an effect that the load does not wait for


@dataclass
class Result:
    attack: Attack
    place: str
    mode: str  # None: without modelwatch
    artifact: Artifact
    status: int
    words: list  # what the victim printed: how its load ended ...
    output: str  # ... and why
    errors: str
    happened: bool
    alerts: list  # the first record of each alert, in order
    pid: int = 0  # of what was started


def environment(attack, scene, interpreter):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    if attack.is_native:
        kept["PYTHONPATH"] = str(native.directory())
    return kept | {key: substitute(attack, value, scene, interpreter)
                   for key, value in attack.environment.items()}


def happened(attack, scene, patience):
    deadline = time.monotonic() + patience
    while True:
        if attack.marker == "connection" and scene.listener.visits:
            return True
        if attack.marker == "file" and os.path.lexists(scene.marker):
            return True
        if time.monotonic() >= deadline or attack.marker == "none":
            return False
        time.sleep(0.01)


def read_alerts(path):
    records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [record for record in records if record["update"] == 0]


def finish(command, timeout=TIMEOUT, **options):
    """Runs it to its end. Returns the process, which is over, and what it wrote."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **options) as process:
        try:
            written = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return process, *(text.decode(errors="replace") for text in written)


def run(attack, place, mode, interpreter, program, directory, parent=(), patience=PATIENCE):
    """Has a victim load the artifact. `mode` None runs it without modelwatch, by `parent` where that is given. What the
    load does not wait for is waited for `patience` seconds."""
    with Scene(directory) as scene:
        write_files(attack, scene, interpreter)
        artifact = make_artifact(attack, place, scene, interpreter)
        script = [substitute(attack, text, scene, interpreter)
                  for text in (attack.before, attack.after, attack.probe)]
        watch = parent if mode is None else [
            program, "run", f"--mode={mode}", f"--alerts={scene.alerts}", "--quiet", "--"]
        command = [*watch, *interpreter.argv, HERE / "victim.py", place, attack.carrier,
                   artifact.path, scene.marker, *script]
        process, output, errors = finish(command, cwd=scene.cwd, env=environment(attack, scene, interpreter))
        words = re.findall(r"^(loaded|unsafe|error \w+)$", output, re.M)
        return Result(attack, place, mode, artifact, process.returncode, words, output, errors,
                      happened(attack, scene, 0 if mode == "deny" else patience),
                      read_alerts(scene.alerts), process.pid)


def check_works(result):
    """Without modelwatch: the attack is one."""
    assert result.happened or result.attack.marker == "none", \
        f"no marker; load ended {result.words}, status {result.status}\n{result.errors}"
    assert result.words != ["error ModuleNotFoundError"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--place", choices=PLACES)
    parser.add_argument("--verbose", action="store_true", help="how each load ended")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    interpreter = interpreters.Interpreter(*args.python.split())
    failures = 0
    for attack in read_all():
        if (args.names and attack.name not in args.names) or not attack.runs_on(interpreter.version):
            continue
        for place in [args.place] if args.place else attack.places:
            if place not in attack.places:
                continue
            with tempfile.TemporaryDirectory() as directory:
                result = run(attack, place, None, interpreter, None, directory)
                try:
                    check_works(result)
                except AssertionError as error:
                    failures += 1
                    print(f"{attack.name} {place}: {error}")
                if args.verbose:
                    print(f"{attack.name} {place}: {result.words} {result.status}")
    print(f"{failures} attacks do not work")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
