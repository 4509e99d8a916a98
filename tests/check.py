#!/usr/bin/env python3
"""Runs the project's checks and sums them up in one last line: N passed, N failed, N skipped.

A step that fails does not stop the ones after it. What counts as one: a cmocka test, a fuzzer, a
pytest test, a build, the symbols of the injected objects.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = ["build", "symbols", "unit", "fuzz", "pytest"]
WIRE_FUZZER = "fuzz_wire"  # the peer of this decoder is hostile: it gets the full time
SHORT_FUZZ_SECONDS = 10
CORES = os.cpu_count()


class Sum:
    def __init__(self):
        self.passed, self.failures, self.skips = 0, [], []

    def result(self, good, name):
        if good:
            self.passed += 1
        else:
            self.failures.append(name)
            say(f"FAILED {name}")
        return good

    def skip(self, name):
        self.skips.append(name)
        say(f"skipped {name}")


def say(text):
    print(text, flush=True)


def make(out, *args):
    # As people name the directory: make knows what it has built by the names that it had then.
    command = ["make", "-k", "--no-print-directory", "-C", str(ROOT), f"-j{CORES}",
               f"O={os.path.relpath(out, ROOT)}", *args]
    # Variables from make's command line are in the environment; its job server does not reach here.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(command, env=environment).returncode == 0


def side_by_side(function, items):
    """What it returns for each, in order; as many at a time as there are cores."""
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        yield from pool.map(function, items)


def build(args, total):
    total.result(make(args.out, "all"), "build")


def symbols(args, total):
    total.result(make(args.out, "check-symbols"), "symbols of the injected objects")


def count_tap(program, run, total):
    """A cmocka program speaks TAP. Returns how many results it announced and never gave."""
    announced = seen = 0
    for line in run.stdout.splitlines():
        if plan := re.match(r"1\.\.(\d+)", line):
            announced += int(plan[1])
        elif test := re.match(r"(not )?ok \d+ *-? *(.*)", line):
            seen += 1
            if "# SKIP" in line.upper():
                total.skip(f"{program}: {test[2]}")
            else:
                total.result(not test[1], f"{program}: {test[2]}")
    return announced - seen if announced else 1


def run_unit(program):
    """None if there is no such program."""
    if not program.exists():
        return None
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    return subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", env=environment, cwd=ROOT)


def judge_unit(name, run, total):
    if not run:
        total.result(False, f"{name}: not built")
        return
    failures = len(total.failures)
    lost = count_tap(name, run, total)
    if lost or (run.returncode and failures == len(total.failures)):
        total.result(False, f"{name}: ended with {run.returncode}, results missing: {lost}")
    if failures != len(total.failures):
        say(run.stdout + run.stderr)


def unit(args, total):
    if not make(args.out, "unit-programs"):
        total.result(False, "build of the unit tests")
    sources = sorted((ROOT / "tests/unit").glob("test_*.c"))
    if not sources:
        total.result(False, "unit tests: there are none")
    programs = [args.out / "tests" / source.stem for source in sources]
    for program, run in zip(programs, side_by_side(run_unit, programs)):
        judge_unit(program.name, run, total)
    say(f"{len(sources)} unit test programs run")


def fuzz(args, total):
    sources = sorted((ROOT / "tests/fuzz").glob("fuzz_*.c"))
    if not shutil.which(os.environ.get("CLANG", "clang")):
        for source in sources:
            total.skip(f"{source.stem}: needs clang")
        return
    if not make(args.out, "fuzz-programs"):
        total.result(False, "build of the fuzzers")
    # The longest first: none is left to run alone at the end.
    programs = sorted((args.out / "fuzzers" / source.stem for source in sources),
                      key=lambda program: -fuzz_seconds(args, program))
    results = side_by_side(lambda program: fuzz_one(args, program), programs)
    for program, good in zip(programs, results):
        total.result(good, program.name)


def fuzz_seconds(args, program):
    return args.fuzz_seconds or (60 if program.name == WIRE_FUZZER else SHORT_FUZZ_SECONDS)


def fuzz_one(args, program):
    if not program.exists():
        say(f"{program.name}: not built")
        return False
    corpus = args.out / "corpus" / program.name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "tests/fuzz/seeds" / program.name.removeprefix("fuzz_")
    seconds = fuzz_seconds(args, program)
    command = [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024",
               "-print_final_stats=1", f"-artifact_prefix={corpus}/../{program.name}-", corpus]
    if seeds.is_dir():
        command.append(seeds)
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace", cwd=ROOT)
    runs = re.search(r"number_of_executed_units: (\d+)", run.stdout)
    said = f"{program.name}: {runs[1] if runs else '?'} inputs in {seconds} s"
    say(said + (f"\n{run.stdout[-8000:]}" if run.returncode else ""))
    return run.returncode == 0


def run_pytest(args, total):
    report = args.out / "pytest.xml"
    report.unlink(missing_ok=True)
    environment = dict(os.environ, MODELWATCH_BUILD=str(args.out))
    command = [args.python, "-m", "pytest", "tests", "-q", "-rs", "--tb=short", f"-n{args.jobs}",
               "-p", "no:cacheprovider", f"--junitxml={report}", *args.pytest]
    status = subprocess.run(command, cwd=ROOT, env=environment).returncode
    failures = len(total.failures)
    if report.exists():
        count_junit(report, total)
    if status and failures == len(total.failures):
        total.result(False, f"pytest: ended with {status}")


def count_junit(report, total):
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            total.failures.append(name)
        elif "skipped" in kinds:
            total.skips.append(name)
        else:
            total.passed += 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="build", help="build directory")
    parser.add_argument("--python", default=sys.executable, help="interpreter for pytest")
    parser.add_argument("--jobs", type=int, default=CORES, help="pytest processes")
    parser.add_argument("--fuzz-seconds", type=int, help="for every fuzzer")
    parser.add_argument("--pytest", action="append", default=[], help="argument for pytest")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS) + " (all)")
    args = parser.parse_args()
    if unknown := set(args.steps) - set(STEPS):
        parser.error(f"unknown step: {', '.join(sorted(unknown))}")
    args.out = (ROOT / args.out).resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    return args


def main():
    args = arguments()
    # Not resolved: the interpreter of a virtual environment is a link, and means the environment.
    args.python = os.path.join(ROOT, args.python) if os.sep in args.python else args.python
    total = Sum()
    functions = {"build": build, "symbols": symbols, "unit": unit, "fuzz": fuzz,
                 "pytest": run_pytest}
    for step in args.steps or STEPS:
        say(f"== {step}")
        start = time.monotonic()
        functions[step](args, total)
        say(f"== {step}: {time.monotonic() - start:.0f} s\n")
    for name in total.skips:
        say(f"skipped: {name}")
    for name in total.failures:
        say(f"failed: {name}")
    say(f"{total.passed} passed, {len(total.failures)} failed, {len(total.skips)} skipped")
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
