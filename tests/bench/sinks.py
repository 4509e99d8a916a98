"""What keeping and sending alerts costs and takes, as a table.

    sinks.py [--quick]     writes its part of docs/benchmarks.md

The spool and the formats are measured by programs of their own (bench/spool.c, bench/format.c); the way from a load to
a receiver, and what a load waits for, with real jobs."""
import itertools
import json
import os
import pathlib
import platform
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
ROUNDS = 4 if QUICK else 20
DISK = os.environ.get("TMPDIR", "/var/tmp")
# Makes argv[2] directories in loads, one every argv[3] seconds, and prints what each load took, in microseconds.
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
    print(f"{(time.perf_counter() - start) * 1e6:.1f}")
    time.sleep(float(sys.argv[3]))
"""


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def configure(directory, sinks, **spool):
    path = pathlib.Path(directory) / "policy.yaml"
    path.write_text(json.dumps({"version": 1, "sinks": [{"format": "native", **sink} for sink in sinks], "spool": {
        "path": f"{directory}/spool/spool.db", "flush": "100ms",
        "per_minute": {"per_rule": "0", "per_artifact": "0"}, **spool}}))
    return path


def job(sinks, count, pause, look=lambda _: None, **spool):
    """Returns what each load took, in microseconds, and what `look` says of the directory of the spool."""
    with tempfile.TemporaryDirectory(dir=DISK) as directory:
        policy = configure(directory, sinks, **spool)
        os.mkdir(f"{directory}/made")
        said = out([PROGRAM, "run", "--mode=alert", "--quiet", f"--policy={policy}", f"--alerts={directory}/alerts",
                    "--", sys.executable, "-c", JOB, f"{directory}/made", str(count), str(pause)])
        return [float(line) for line in said.split()], look(f"{directory}/spool")


def entries(folder, what, where="kind = 0"):
    with sqlite3.connect(f"{folder}/spool.db") as db:
        return db.execute(f"SELECT {what} FROM entries WHERE {where}").fetchall()


def until_spooled(folder):
    """From effects to their alerts in the spool, in milliseconds."""
    return [at / 1e6 - seconds(json.loads(record)["time"]) * 1e3
            for at, record in entries(folder, "time, record", "number = 0 AND rule != ''")]


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
        return [{"name": "forward", "type": "forward", "address": address},
                {"name": "relp", "type": "relp", "address": address},
                {"name": "syslog", "type": "syslog", "address": address},
                {"name": "http", "type": "http", "url": f"http://{address}/"}]


def waiting():
    """Pairs of (every sink takes, every sink hangs), one a round: what each load with an effect takes, us; and how long
    its alert takes into the spool, ms."""
    # In memory: those that take are to cost as little as they can.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory, Hanging() as hanging:
        good = [{"name": sink["name"], "type": "file", "path": f"{directory}/{sink['name']}"} for sink in hanging.sinks]
        loads, spooled = [], []
        for n in range(ROUNDS):
            pair = {}
            for which in (("good", "hanging") if n % 2 else ("hanging", "good")):
                pair[which] = job(good if which == "good" else hanging.sinks, 300, 0.002, until_spooled)
            for found, values in zip((loads, spooled), zip(pair["good"], pair["hanging"])):
                found.append(values)
        return loads, spooled


def p99(values):
    """Of those of all rounds together: in one alone it is a wait for the disk or none."""
    return percentile(list(itertools.chain.from_iterable(values)), 0.99)


def p99_ratio(pairs):
    return p99(pair[1] for pair in pairs) / p99(pair[0] for pair in pairs)


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
    for _ in range(1 if QUICK else 5):
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
    _, [(kept,)] = job([{"name": "file", "type": "file", "path": "/dev/null"}], count, 0,
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
    said = subprocess.run([str(BUILD / "bench/format"), kind, version, str(most), "2"], input=records, text=True,
                          capture_output=True, check=True).stdout
    return float(said.split()[0])


def yes(met):
    return "yes" if met else "**no**"


def spool_rows():
    found = spool()
    sustained, burst, storm = found["sustained"], found["burst"], found["storm"]
    return [
        ["distinct alerts into the spool, sustained, in batches of 32", f"{sustained['per_second']:,.0f}/s", ">= 1,000/s",
         yes(sustained["per_second"] >= 1000 and not sustained["lost"])],
        [f"a burst of {burst['alerts']:,}", f"{burst['per_second']:,.0f}/s, {burst['lost']} lost", "none lost",
         yes(not burst["lost"])],
        [f"a storm of {storm['alerts']:,} identical ones",
         f"{storm['records']} records, {storm['told']:,} told, {storm['peak_mib']:.0f} MiB", "< 64 MB, the true count",
         yes(storm["told"] == storm["alerts"] and storm["peak_mib"] < 64)]]


def courier_rows():
    made, kept, rate = burst()
    count, records, told, most, taken = storm()
    return [
        [f"a burst of {made:,} loads with effects, one job, through the courier",
         f"{rate:,.0f}/s, {made - kept} lost", "none lost", yes(made == kept)],
        [f"{count:,} identical ones through the courier",
         f"{taken:,.0f}/s, {records} records, {told:,} told, {most:.0f} MiB", "< 64 MB, the true count",
         yes(told == count and most < 64)]]


def format_rows():
    records = an_alert()
    ocsf = rendering(records, "ocsf")
    rows = [["OCSF 1.5 rendered, on one core", f"{ocsf:,.0f}/s", ">= 50,000/s", yes(ocsf >= 50000)]]
    for name, kind, version, most in (("OCSF 1.8, made to fit 8 KiB", "ocsf", "1.8", 8192), ("native", "native", "1.5", 0),
                                      ("ECS", "ecs", "1.5", 0), ("CEF", "cef", "1.5", 0)):
        rows.append([name, f"{rendering(records, kind, version, most):,.0f}/s", "", ""])
    return rows


def way_rows():
    took = arrival()
    rows = [
        ["effect to receiver over Forward with acks, p50 / p99",
         f"{percentile(took, 0.5):.1f} / {percentile(took, 0.99):.1f} ms, of {len(took)}", "p99 < 20 ms",
         yes(percentile(took, 0.99) < 20)],
    ]
    for what, unit, pairs in zip(("a load with an effect", "effect to spool"), ("us", "ms"), waiting()):
        low, high = interval(pairs, p99_ratio)
        rows.append([f"{what}, p99: every sink takes; every sink hangs, over that",
                     f"{p99(pair[0] for pair in pairs):,.1f} {unit}; {p99_ratio(pairs):.3f} ({low:.3f} to {high:.3f})",
                     "<= 1.10", within(low, high, 1.1)])
    return rows


def main():
    rows = way_rows() + format_rows() + spool_rows() + courier_rows()  # from the least work for the disk to the most
    text = f"""Made by `make bench-sinks` on {time.strftime("%Y-%m-%d")}: {cpu()}, {os.cpu_count()} cores, Linux
{platform.release().split("-")[0]}. The spool is on a disk, with a commit that waits for it for each batch; its alerts
have 3.2 KB. Those that are rendered are a real job's. An alert waits for commits before it, and now and then one
of them for the disk: what is from an effect on has that in its p99.

{table(["what", "measured", "target", "met"], rows)}
"""
    print(text)
    if not QUICK:
        put("make bench-sinks", text)


if __name__ == "__main__":
    main()
