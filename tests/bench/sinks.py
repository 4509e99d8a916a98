"""What keeping and sending alerts costs and takes, as a table.

    sinks.py [--quick]     writes its part of docs/benchmarks.md

The spool and the formats are measured by programs of their own (bench/spool.c, bench/format.c); the way from a load to
a receiver, and what a load waits for, with real jobs; what becomes of alerts in a courier, with one. What is compared
runs at the same time, and is asked in turns."""
import contextlib
import json
import os
import pathlib
import platform
import random
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid

from bench import PROGRAM, QUICK, ROOT, cpu, interval, out, put, table

sys.path.insert(0, str(ROOT / "tests"))
from monitor import Monitor  # noqa: E402
from test_sinks_net import Fluent  # noqa: E402

BUILD = pathlib.Path(PROGRAM).parent
ROUND, ROUNDS = (1, 1) if QUICK else (8, 12)  # seconds, and so many at most
NARROW = 0.12                                # width of an interval that needs no other round
PAUSE = 0.001                                # after each that is asked, so that what it leads to does not meet the next
KINDS = ("forward", "relp", "syslog", "http")  # of sinks that hang
DISK = os.environ.get("TMPDIR", "/var/tmp")
# Makes argv[2] directories in loads, one every argv[3] seconds, or one a line that it reads with argv[3] "asked", and
# prints what each load took, in microseconds.
JOB = """
import os, pickle, sys, time
class Made:
    def __init__(self, path):
        self.path = path
    def __reduce__(self):
        return os.mkdir, (self.path,)
for n in range(int(sys.argv[2])):
    stream = pickle.dumps(Made(f"{sys.argv[1]}/{n}"))
    start = time.perf_counter()
    pickle.loads(stream)
    print(f"{(time.perf_counter() - start) * 1e6:.1f}", flush=True)
    if sys.argv[3] != "asked":
        time.sleep(float(sys.argv[3]))
    elif not sys.stdin.readline():
        break
"""


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def configure(directory, sinks, **spool):
    path = pathlib.Path(directory) / "policy.yaml"
    path.write_text(json.dumps({"version": 1, "sinks": [{"format": "native", **sink} for sink in sinks], "spool": {
        "path": f"{directory}/spool/spool.db", "flush": "100ms",
        "per_minute": {"per_rule": "0", "per_artifact": "0"}, **spool}}))
    return path


def command(directory, sinks, count, pause, **spool):
    os.mkdir(f"{directory}/made")
    return [PROGRAM, "run", "--mode=alert", "--quiet", f"--policy={configure(directory, sinks, **spool)}",
            f"--alerts={directory}/alerts", "--", sys.executable, "-c", JOB, f"{directory}/made", str(count), str(pause)]


def job(sinks, count, pause, look=lambda _: None, **spool):
    """Returns what `look` says of the directory of the spool afterwards."""
    with tempfile.TemporaryDirectory(dir=DISK) as directory:
        out(command(directory, sinks, count, pause, **spool))
        return look(f"{directory}/spool")


def entries(folder, what, where="kind = 0"):
    with sqlite3.connect(f"{folder}/spool.db") as db:
        return db.execute(f"SELECT {what} FROM entries WHERE {where}").fetchall()


class Hanging:
    """Takes connections, and no byte from them."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        return self

    def __exit__(self, *_):
        self.listener.close()

    @property
    def sinks(self):
        address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        return [{"name": kind, "type": kind, **({"url": f"http://{address}/"} if kind == "http" else {"address": address})}
                for kind in KINDS]


class Asked:
    """A job that makes an effect when it is asked for one."""

    def __init__(self, directory, sinks):
        self.process = subprocess.Popen(command(directory, sinks, 1000000, "asked"), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def __enter__(self):
        return self

    def __call__(self):
        """Returns how many microseconds the load took."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def __exit__(self, *_):
        self.process.communicate()


class Spooled(Monitor):
    """A courier that is told an alert when it is asked to; no two are alike."""

    def __init__(self, directory, sinks):
        super().__init__({sink.pop("name"): sink for sink in sinks}, {
            "path": f"{directory}/spool/spool.db", "per_minute": {"per_rule": "0", "per_artifact": "0"}})
        self.alert = json.loads(an_alert().splitlines()[0])

    def __call__(self):
        """Returns how many milliseconds it took until the alert was on the disk."""
        self.alert["id"] = str(uuid.uuid4())
        self.alert["effect"]["detail"]["path"] = f"/{self.alert['id']}"
        line = json.dumps(self.alert).encode() + b"\n"
        start = time.perf_counter()
        self.put([line])
        self.wait()
        return (time.perf_counter() - start) * 1e3


def ask(both):
    answers = [0, 0]
    for which in random.sample((0, 1), 2):
        answers[which] = both[which]()
        time.sleep(PAUSE)
    return answers


def width(pairs):
    low, high = interval(pairs, p99_ratio, 200)
    return high - low


def waiting(kind, good):
    """Pairs of (with sinks that are `good`, with some that all hang), of what such ones say that are asked in turns."""
    with Hanging() as hanging, contextlib.ExitStack() as stack:
        both = [stack.enter_context(kind(stack.enter_context(tempfile.TemporaryDirectory(dir=DISK)), sinks))
                for sinks in (good, hanging.sinks)]
        pairs = []
        for _ in range(ROUNDS):
            end = time.monotonic() + ROUND
            while time.monotonic() < end:
                pairs.append(ask(both))
            if width(pairs) <= NARROW:
                break
        return pairs


def p99_ratio(pairs):
    return percentile([pair[1] for pair in pairs], 0.99) / percentile([pair[0] for pair in pairs], 0.99)


def within(low, high, most):
    """Whether an interval shows that it is no more; one that is too wide shows nothing."""
    return "yes" if high <= most else "**no**" if low > most else "not shown"


def seconds(text):
    """Of RFC 3339 with nanoseconds."""
    whole, fraction = text.removesuffix("Z").split(".")
    return time.mktime(time.strptime(whole + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone + float("0." + fraction)


def arrival():
    """From effects to their alerts at a receiver that acknowledges, in milliseconds."""
    took = []
    for _ in range(1 if QUICK else 2):
        with tempfile.TemporaryDirectory() as directory, Fluent(directory) as server:
            job([{"name": "forward", **server.sink()}], 100 if QUICK else 500, 0.02, flush="5s")
            first = {}
            for entry in server.entries():
                record = entry["record"]
                first.setdefault(record["id"], entry["at"] - seconds(record["time"]) * 1000)
            took += first.values()
    return took


def spool():
    with tempfile.TemporaryDirectory(dir=DISK) as directory:
        lines = out([str(BUILD / "bench/spool"), directory]).splitlines()
    return {line["what"]: line for line in map(json.loads, lines)}


def burst():
    """A job's alerts, as fast as it makes them: how many, how many of them the spool has, and a second."""
    count = 2000 if QUICK else 20000
    start = time.perf_counter()
    [(kept,)] = job([{"name": "file", "type": "file", "path": "/dev/null"}], count, 0,
                       lambda folder: entries(folder, "COUNT(DISTINCT id)", "rule != ''"), max_bytes="4GiB")
    return count, kept, count / (time.perf_counter() - start)


def peak(pid):
    """Of a process, in MiB."""
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def storm():
    """Alerts of one effect through a courier: how many, records, how many they tell of, its memory, and a second."""
    count = 20000 if QUICK else 1000000
    alert = an_alert().splitlines()[0]
    before, after = alert.encode().split(json.loads(alert)["id"].encode(), 1)
    with tempfile.TemporaryDirectory(dir=DISK) as directory:
        sinks = {"file": {"type": "file", "path": f"{directory}/out"}}
        start = time.perf_counter()
        with Monitor(sinks, {"path": f"{directory}/spool/spool.db"}) as monitor:
            for _ in range(count // 1000):
                monitor.put([before + str(uuid.uuid4()).encode() + after + b"\n" for _ in range(1000)])
                monitor.wait()
            took, most = time.perf_counter() - start, peak(monitor.pid)
            monitor.close()
        records = entries(f"{directory}/spool", "record", "rule != ''")
    return count, len(records), max(json.loads(record)["count"] for record, in records), most, count / took


def an_alert():
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/made")
        subprocess.run([PROGRAM, "run", "--mode=alert", "--quiet", f"--alerts={directory}/alerts", "--", sys.executable,
                        "-c", JOB, f"{directory}/made", "20", "0"], check=True, stdout=subprocess.DEVNULL)
        return pathlib.Path(f"{directory}/alerts").read_text()


def rendering(records, kind, version="1.5", most=0):
    said = subprocess.run([str(BUILD / "bench/format"), kind, version, str(most), "1"], input=records, text=True,
                          capture_output=True, check=True).stdout
    return float(said.split()[0])


def yes(met):
    return "yes" if met else "**no**"


def spool_rows():
    found = spool()
    sustained, burst = found["sustained"], found["burst"]
    return [
        ["distinct alerts into the spool, sustained, in batches of 32", f"{sustained['per_second']:,.0f}/s", ">= 1,000/s",
         yes(sustained["per_second"] >= 1000 and not sustained["lost"])],
        [f"a burst of {burst['alerts']:,}", f"{burst['per_second']:,.0f}/s, {burst['lost']} lost", "none lost",
         yes(not burst["lost"])]]


def courier_rows():
    made, kept, rate = burst()
    count, records, told, most, taken = storm()
    return [
        [f"a burst of {made:,} loads with effects, one job, through the courier",
         f"{rate:,.0f}/s, {made - kept} lost", "none lost", yes(made == kept)],
        [f"a storm of {count:,} identical ones, through the courier",
         f"{taken:,.0f}/s, {records} records, {told:,} told, {most:.0f} MiB", "< 64 MB, the true count",
         yes(told == count and most * 1.048576 < 64)]]


def format_rows():
    records = an_alert()
    ocsf = rendering(records, "ocsf")
    rows = [["OCSF 1.5 rendered, on one core", f"{ocsf:,.0f}/s", ">= 50,000/s", yes(ocsf >= 50000)]]
    for name, kind, version, most in (("OCSF 1.8, made to fit 8 KiB", "ocsf", "1.8", 8192), ("native", "native", "1.5", 0),
                                      ("ECS", "ecs", "1.5", 0), ("CEF", "cef", "1.5", 0)):
        rows.append([name, f"{rendering(records, kind, version, most):,.0f}/s", "", ""])
    return rows


def waiting_row(what, unit, pairs):
    low, high = interval(pairs, p99_ratio)
    return [f"{what}; where every sink hangs, over that",
            f"{percentile([pair[0] for pair in pairs], 0.99):,.1f} {unit}; {p99_ratio(pairs):.3f} ({low:.3f} to {high:.3f}),"
            f" of {len(pairs):,} pairs", "<= 1.10", within(low, high, 1.1)]


def waiting_rows():
    # As little work as can be, and none.
    taking = [{"name": str(n), "type": "file", "path": "/dev/null"} for n in range(len(KINDS))]
    return [waiting_row("a load with an effect where every sink takes, p99", "us", waiting(Asked, taking)),
            waiting_row("alert to spool, on the disk, without any sink, p99", "ms", waiting(Spooled, []))]


def way_rows():
    took = arrival()
    return [
        ["effect to receiver over Forward with acks, p50 / p99",
         f"{percentile(took, 0.5):.1f} / {percentile(took, 0.99):.1f} ms, of {len(took)}", "p99 < 20 ms",
         yes(percentile(took, 0.99) < 20)]]


def main():
    # From the least work for the disk to the most.
    rows = way_rows() + waiting_rows() + format_rows() + spool_rows() + courier_rows()
    text = f"""## Sinks

Made by `make bench-sinks` on {time.strftime("%Y-%m-%d")}: {cpu()}, {os.cpu_count()} cores, Linux
{platform.release().split("-")[0]}. The spool is on a disk, with a commit that waits for it for each batch; its alerts
have 3.2 KB; all others are real jobs'. An alert waits for commits before it, and now and then one of them for the
disk: what is from an effect on has that in its p99. What is compared runs at the same time and is asked in turns, in
random order, each alone; intervals are 95% bootstraps over the pairs. Memory is the courier's, at its peak.

{table(["what", "measured", "target", "met"], rows)}
"""
    print(text)
    if not QUICK:
        put("make bench-sinks", text)


if __name__ == "__main__":
    main()
