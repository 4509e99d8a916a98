"""What keeping and sending alerts costs and takes, as a table.

    sinks.py [--quick]     writes its part of docs/benchmarks.md

The spool and the formats are measured by programs of their own (bench/spool.c, bench/format.c); the way from a load to
a receiver, and what a load waits for, with real jobs."""
import json
import os
import pathlib
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from bench import PROGRAM, QUICK, ROOT, cpu, interval, out, put, ratio, table

sys.path.insert(0, str(ROOT / "tests"))
from test_sinks_net import Fluent  # noqa: E402

BUILD = pathlib.Path(PROGRAM).parent
ROUNDS = 4 if QUICK else 20
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
    path.write_text(json.dumps({"version": 1, "sinks": sinks, "spool": {
        "path": f"{directory}/spool/spool.db", "flush": "100ms",
        "per_minute": {"per_rule": "0", "per_artifact": "0"}, **spool}}))
    return path


def job(sinks, count, pause, **spool):
    """Returns what each load took, in microseconds."""
    with tempfile.TemporaryDirectory() as directory:
        policy = configure(directory, sinks, **spool)
        os.mkdir(f"{directory}/made")
        said = out([PROGRAM, "run", "--mode=alert", "--quiet", f"--policy={policy}", f"--alerts={directory}/alerts",
                    "--", sys.executable, "-c", JOB, f"{directory}/made", str(count), str(pause)])
    return [float(line) for line in said.split()]


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
    """Pairs of (no sink hangs, every sink hangs): what a load with an effect takes at p99."""
    with tempfile.TemporaryDirectory() as directory, Hanging() as hanging:
        good = [{"name": sink["name"], "type": "file", "path": f"{directory}/{sink['name']}"} for sink in hanging.sinks]
        found = []
        for n in range(ROUNDS):
            pair = {}
            for which in (("good", "hanging") if n % 2 else ("hanging", "good")):
                pair[which] = percentile(job(good if which == "good" else hanging.sinks, 300, 0.002), 0.99)
            found.append((pair["good"], pair["hanging"]))
    return found


def seconds(text):
    """Of RFC 3339 with nanoseconds."""
    whole, fraction = text.removesuffix("Z").split(".")
    return time.mktime(time.strptime(whole + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone + float("0." + fraction)


def arrival():
    """From an effect to its alert at a receiver that has acknowledged none before it, in milliseconds."""
    with tempfile.TemporaryDirectory() as directory, Fluent(directory) as server:
        job([{"name": "forward", **server.sink()}], 100 if QUICK else 500, 0.02, flush="5s")
        first = {}
        for entry in server.entries():
            first.setdefault(entry["record"]["id"], entry["at"] / 1000 - seconds(entry["record"]["time"]))
    return [took * 1000 for took in first.values()]


def spool():
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as directory:
        lines = out([str(BUILD / "bench/spool"), directory]).splitlines()
    return {line["what"]: line for line in map(json.loads, lines)}


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
    pairs = waiting()
    low, high = interval(pairs, ratio)
    good = statistics.median(pair[0] for pair in pairs)
    return [
        ["effect to receiver over Forward with acks, p50 / p99",
         f"{percentile(took, 0.5):.1f} / {percentile(took, 0.99):.1f} ms, of {len(took)}", "p99 < 20 ms",
         yes(percentile(took, 0.99) < 20)],
        ["a load with an effect, p99: every sink hangs, over every sink takes",
         f"{good:.0f} us, {ratio(pairs):.3f} ({low:.3f} to {high:.3f})", "interval includes <= 1.10", yes(low <= 1.1)]]


def main():
    rows = spool_rows() + format_rows() + way_rows()
    text = f"""Made by `make bench-sinks` on {time.strftime("%Y-%m-%d")}: {cpu()}, {os.cpu_count()} cores, Linux
{platform.release().split("-")[0]}. The spool is on a disk, with a commit that waits for it for each batch; its alerts
have 3.2 KB. Those that are rendered are a real job's.

{table(["what", "measured", "target", "met"], rows)}
"""
    print(text)
    if not QUICK:
        put("make bench-sinks", text)


if __name__ == "__main__":
    main()
