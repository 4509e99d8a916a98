#!/usr/bin/env python3
"""Alerts of real jobs on their way into real receivers, while receivers, monitors and couriers are killed: all of them
arrive, but for what a protocol without acknowledgements has left with a receiver that is killed.

    sinks_end_to_end.py [--alerts=10000] [--server-kills=20] [--kills=30]

Prints what came, and ends with 1 when something is missing, out of order or was never sent. When all is well, and so
much was asked for, it writes its part of docs/benchmarks.md."""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent / "bench")]
from bench import put, table  # noqa: E402
from conftest import BESIDE, PROGRAM  # noqa: E402
from receivers import HAS_JOURNALD, Certificates, Journald, Rsyslog, end_line, parse, until, whole  # noqa: E402
from test_courier import JOB, couriers_of  # noqa: E402
from test_sinks_net import BODIES, HAS_FLUENT, Fluent, HttpProgram, Kafka, SECRET  # noqa: E402

ALERTS, SERVER_KILLS, KILLS = 10000, 20, 30  # at length
PATIENCE = 600  # seconds for one job
DOWN_MOST = 1.0  # seconds that one that was killed is not there
BUILT = pathlib.Path(PROGRAM).resolve().parent / "sinks"  # by `make sink-programs`
FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
WAYS = ("monitor", "courier", "both")  # what is killed, in turn


class File:
    """A sink of its own kind: nothing can be killed."""

    def __init__(self, folder):
        self.path = folder / "sink.jsonl"

    def sink(self):
        return {"type": "file", "path": str(self.path)}

    def records(self):
        return whole(self.path)


class Stdout:
    """What all jobs print goes into a pipe. Whoever reads it may be killed with what he has read."""
    acknowledges = False

    def __init__(self, folder):
        self.out = folder / "stdout"
        pipe = folder / "pipe"
        os.mkfifo(pipe)
        self.pipe = os.open(pipe, os.O_RDWR)

    def start(self):
        end_line(self.out)
        with open(self.out, "a") as out:
            self.process = subprocess.Popen(["cat"], stdin=self.pipe, stdout=out)

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(20)

    def sink(self):
        return {"type": "stdout"}

    def records(self):
        return whole(self.out)


class Journal(Journald):
    acknowledges = False

    def sink(self):
        return {"type": "journald"}

    def records(self):
        return list(map(json.loads, self.messages()))


class Syslog(Rsyslog):
    """Of the kinds of Rsyslog."""

    def __init__(self, folder, kind, certificates):
        super().__init__(folder / f"rsyslog-{kind}", kind, certificates)
        self.acknowledges = kind.startswith("relp")
        self.tls = {"tls": certificates.tls()} if "tls" in kind else {}

    def sink(self):
        address = f"unix:{self.socket}" if self.kind == "unix" else f"127.0.0.1:{self.port}"
        return {"type": "relp" if self.acknowledges else "syslog", "address": address, **self.tls}

    def records(self):
        return [record for record in (parse(text) for _, text in self.received()) if record]


class Forward(Fluent):
    def __init__(self, folder, **keys):
        folder.mkdir()
        super().__init__(folder, **keys)

    def records(self):
        return [entry["record"] for entry in self.entries()]


class ForwardWithKey(Forward):
    def __init__(self, folder):
        super().__init__(folder, sharedKey=SECRET)
        self.key = folder / "key"
        self.key.write_text(SECRET)
        self.key.chmod(0o600)

    def sink(self):
        return super().sink(shared_key_file=str(self.key))


class Http(HttpProgram):
    def __init__(self, folder, kind):
        self.kind = kind
        (folder / kind).mkdir()
        super().__init__(folder / kind, kind)

    def sink(self):
        return {"type": "http", "body": self.kind, "url": f"http://127.0.0.1:{self.port}"}


class Cluster(Kafka):
    """Keeps the order of what has the same key."""

    def __init__(self, program):
        super().__init__(program)
        self.tell("topic", "alerts", 64)  # of which librdkafka's mock keeps the last 5 MB each
        self.stop()

    def records(self):
        return [json.loads(message[3]) for message in self.messages()]

    def in_order(self, records):
        findings = {}
        for record in records:
            findings.setdefault(record["id"], []).append(record["sequence"])
        return all(map(is_ordered, findings.values()))

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


def receivers(folder):
    """By the names of their sinks; none is started."""
    certificates = Certificates(folder / "certificates")
    found = {"file": File(folder), "stdout": Stdout(folder)}
    found |= {kind: Syslog(folder, kind, certificates) for kind in ("unix", "tcp", "tls", "relp", "relp-tls")}
    found |= {kind: Http(folder, kind) for kind in BODIES}
    if HAS_JOURNALD:
        found["journald"] = Journal()
    if HAS_FLUENT:
        found |= {"forward": Forward(folder / "forward"), "forward-key": ForwardWithKey(folder / "forward-key")}
    if (BUILT / "kafka_mock").exists() and shutil.which("kcat"):
        found["kafka"] = Cluster(BUILT / "kafka_mock")
    return found


def servers_of(found):
    return [receiver for receiver in found.values() if hasattr(receiver, "start")]


def close(found):
    for server in servers_of(found):
        if getattr(server, "process", True):
            getattr(server, "close", server.stop)()


def policy(folder, found, flush="1s", timeout="2s"):
    path = folder / "policy.yaml"
    sinks = [{"name": name, "format": "native", "timeout": timeout, **receiver.sink()}
             for name, receiver in found.items()]
    # JSON is YAML, too.
    path.write_text(json.dumps({
        "version": 1, "sinks": sinks,
        "spool": {"path": str(folder / "spool" / "spool.db"), "flush": flush,
                  "per_minute": {"per_rule": "0", "per_artifact": "0"}}}))
    return path


class Jobs:
    """One after the other. Some lose their monitor, some their courier, some both, in the middle."""

    def __init__(self, folder, found, alerts, kills):
        self.folder, self.found, self.alerts, self.kills = folder, found, alerts, kills
        self.policy = policy(folder, found)
        self.killed, self.bereft = dict.fromkeys(WAYS, 0), []  # how many; runs that have lost both
        self.rows = []  # of a table of what came
        self.before = self.made = 0  # effects, of jobs that have ended, and of all

    def start(self, n, count, program=PROGRAM):
        """Returns the job, and the folder in which it makes `count` others, its effects."""
        made = self.folder / f"made-{n}"
        made.mkdir()
        before = self.found["journald"].before if "journald" in self.found else []
        with open(self.folder / "said", "a") as said:
            return subprocess.Popen(
                [*before, program, "run", "--mode=alert", "--quiet", f"--policy={self.policy}",
                 f"--alerts={self.alerts_of(n)}", "--", sys.executable, "-c", JOB, made, str(count)],
                stdout=self.found["stdout"].pipe, stderr=said), made

    def alerts_of(self, n):
        return self.folder / f"alerts-{n}.jsonl"

    def run(self, n, count, program=PROGRAM, way=None):
        job, made = self.start(n, count, program)
        due, end = random.randrange(count), time.monotonic() + PATIENCE
        while job.poll() is None:
            done = len(os.listdir(made))
            self.made = self.before + done
            if way and done > due and self.kill(n, job, way):
                way = None
            if time.monotonic() > end:
                job.kill()
                raise AssertionError(f"job {n} does not end")
            time.sleep(0.01)
        self.before += count

    def kill(self, n, job, way):
        """Returns whether it was there to be killed; a courier between two lives is not."""
        couriers = couriers_of(job.pid) if way != "monitor" else []
        if way != "monitor" and not (couriers and all(map(kill, couriers))):
            return False
        if way == "both":
            self.bereft.append(n)
        if way != "courier":
            job.kill()
            if job.wait(20) != -signal.SIGKILL:
                return False
        self.killed[way] += 1
        return True

    def run_all(self):
        """A job that ends before it is killed has another in its place."""
        for n in range(2 * self.kills):
            way = min(WAYS, key=self.killed.get)
            if self.killed[way] == self.kills // len(WAYS):
                break
            self.run(n, self.alerts // self.kills, way=way)
        # Those whose monitor was killed went on unwatched.
        self.run("rest", max(1, self.alerts - len({uid for uid, _ in in_spool(self.folder).values()})))
        self.made = self.alerts

    def untold(self, told):
        """What monitors have written down and never told, though their couriers lived."""
        return {name for path in self.folder.glob("alerts-*.jsonl") for name in names_in(path) if name not in told
                and path not in map(self.alerts_of, self.bereft)}

    def lost(self, told):
        """How many were written down, and lost with monitor and courier: the last ones of each run. None: others."""
        count = 0
        for names in map(names_in, map(self.alerts_of, self.bereft)):
            missing = [name for name in names if name not in told]
            if missing != names[len(names) - len(missing):]:
                return None
            count += len(missing)
        return count


def name_of(record):
    """Of one that tells of a loss the second is None."""
    return record["id"], record.get("update")


def names_in(path):
    """What a monitor has written down itself: alerts, and what became known of them later, in order."""
    return list(map(name_of, whole(path)))


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kill_now_and_then(server, times, jobs, over):
    """Evenly over the effects of all jobs, but when exactly and for how long it is not there is chance."""
    for n in range(times):
        due = jobs.alerts * (n + random.random()) / times
        while jobs.made < due and not over.wait(0.02):
            continue
        if over.is_set():
            return
        server.stop(signal.SIGKILL)
        time.sleep(random.uniform(0, DOWN_MOST))
        server.start()
        server.kills += 1


def in_spool(folder):
    """What modelwatch says that it was told: names by sequence."""
    done = subprocess.run([PROGRAM, "alerts", "--json", f"--spool={folder}/spool/spool.db"], capture_output=True,
                          text=True, check=True)
    return {record["sequence"]: name_of(record) for record in map(json.loads, done.stdout.splitlines())}


def has_come(receiver, wanted):
    """Of one that does not acknowledge the last one has to do."""
    got = {record["sequence"] for record in receiver.records()}
    return wanted <= got if getattr(receiver, "acknowledges", True) else max(wanted) <= max(got, default=0)


def deliver(jobs, wanted):
    """Whoever runs next sends what is left."""
    policy(jobs.folder, jobs.found, flush="60s")
    missing = list(jobs.found.values())
    for n in range(20):
        jobs.run(f"last-{n}", 1)
        time.sleep(1)  # what was read is written
        missing = [receiver for receiver in missing if not has_come(receiver, wanted)]
        if not missing:
            return


def is_ordered(sequences):
    """What comes again aside."""
    first = list(dict.fromkeys(sequences))
    return first == sorted(first)


def in_order(records):
    return is_ordered([record["sequence"] for record in records])


def gaps(wanted, got):
    """How many times something is missing between two that are there, or at an end."""
    count, before = 0, True
    for sequence in sorted(wanted):
        count += before and sequence not in got
        before = sequence in got
    return count


def check(jobs, name, receiver, spool, wanted):
    """What is wrong, as texts; and says how it went. One that does not acknowledge may lose what it had when it was
    killed, which is all in one piece."""
    records = receiver.records()
    got = {record["sequence"] for record in records}
    missing, kills = wanted - got, getattr(receiver, "kills", 0)
    invented = [record for record in records if spool.get(record["sequence"]) != name_of(record)]
    wrong = []
    if missing and getattr(receiver, "acknowledges", True):
        wrong.append(f"{name}: {len(missing)} are missing")
    if gaps(wanted, got) > kills:
        wrong.append(f"{name}: {gaps(wanted, got)} gaps with {len(missing)} records, of {kills} kills")
    if invented:
        wrong.append(f"{name}: {len(invented)} are invented: {invented[:2]}")
    if not getattr(receiver, "in_order", in_order)(records):
        wrong.append(f"{name}: out of order")
    jobs.rows.append([name, *(f"{n:,}" for n in (
        kills, len({record["id"] for record in records}), len(got), len(records) - len(got), len(missing)))])
    print("{}: killed {} times; {} findings, {} records, {} of them again, {} lost".format(*jobs.rows[-1]), flush=True)
    return wrong


def check_kills(jobs, server_kills):
    wrong = [f"{name}: killed {receiver.kills} times" for name, receiver in jobs.found.items()
             if hasattr(receiver, "kills") and receiver.kills != server_kills]
    return wrong + [f"{way}: killed {count} times" for way, count in jobs.killed.items()
                    if count != jobs.kills // len(WAYS)]


def check_spool(jobs, spool, wanted):
    told = set(spool.values())
    untold, lost = jobs.untold(told), jobs.lost(told)
    findings, losses = len({uid for uid, n in told if n is not None}), sum(n is None for _, n in told)
    print(f"{findings} alerts, {len(wanted)} records; killed: {jobs.killed}; "
          f"{lost} records lost with monitor and courier", flush=True)
    return ([f"only {findings} alerts"] * (findings < jobs.alerts) + [f"{losses} records tell of losses"] * bool(losses)
            + [f"{len(untold)} were not told"] * bool(untold) + ["what was lost are not the last ones"] * (lost is None))


def kill_all(jobs, server_kills):
    over, servers = threading.Event(), servers_of(jobs.found)
    killers = [threading.Thread(target=kill_now_and_then, args=(server, server_kills, jobs, over)) for server in servers]
    for server, killer in zip(servers, killers):
        server.kills = 0
        server.start()
        killer.start()
    try:
        jobs.run_all()
    except BaseException:
        over.set()
        raise
    finally:
        for killer in killers:
            killer.join()


def write(jobs, server_kills, lost):
    put("make soak-sinks", f"""## Everything killed

Made by `make soak-sinks` on {time.strftime("%Y-%m-%d")}: {jobs.alerts:,} alerts of real jobs into every sink at once,
while each receiver is killed and started again {server_kills} times, and monitor, courier, or both at once,
{jobs.killed["both"]} times each; kill -9 all. Every record of the spool arrived, none was invented, and the order held; what was lost had been
taken by a receiver that was killed, over a protocol without acknowledgements. {lost:,} records were in no other memory
than that of monitor and courier when both were killed.

{table(["sink", "receiver killed", "findings", "records", "of them again", "lost"], jobs.rows)}
""")


def go(folder, alerts, server_kills, kills):
    """Returns what is wrong, a list of texts."""
    found = receivers(folder)
    try:
        jobs = Jobs(folder, found, alerts, kills)
        kill_all(jobs, server_kills)
        wanted = set(in_spool(folder))
        deliver(jobs, wanted)
        spool = in_spool(folder)
        wrong = check_kills(jobs, server_kills) + check_spool(jobs, spool, wanted) + [
            text for name, receiver in found.items() for text in check(jobs, name, receiver, spool, wanted)]
        if not wrong and alerts >= ALERTS and server_kills >= SERVER_KILLS and kills >= KILLS:
            write(jobs, server_kills, jobs.lost(set(spool.values())))
        return wrong
    finally:
        close(found)


def install(folder, **environment):
    """modelwatch with a courier that has another idea of the time."""
    folder.mkdir()
    for name in {*BESIDE, "modelwatch", "modelwatch-courier"}:
        shutil.copy(pathlib.Path(PROGRAM).resolve().parent / name, folder)
    courier = folder / "modelwatch-courier"
    courier.rename(folder / "real")
    environment["LD_PRELOAD"] = f"{BUILT / 'clock.so'}:{FAKETIME}"
    words = " ".join(f"{key}={value!r}" for key, value in environment.items())
    courier.write_text(f"#!/bin/sh\n{words} exec {folder}/real\n")
    courier.chmod(0o755)
    return folder / "modelwatch"


def arrived(jobs):
    """What is wrong, a list of texts, when nobody was killed."""
    time.sleep(1)  # what was read is written
    spool = in_spool(jobs.folder)
    return check_spool(jobs, spool, spool) + [
        text for name, receiver in jobs.found.items() for text in check(jobs, name, receiver, spool, set(spool))]


def hour(folder, alerts):
    """No receiver is there for an hour, while a courier tries again and again: its clock is 300 times as fast. Returns
    what is wrong, a list of texts."""
    found = receivers(folder)
    try:
        jobs = Jobs(folder, found, alerts, 0)
        policy(folder, found, flush="36000s", timeout="900s")
        job, made = jobs.start(0, alerts, install(folder / "fast", FAKETIME="+0 x300"))
        until(lambda: len(os.listdir(made)) == alerts, 60)
        time.sleep(12)
        has_waited = job.poll() is None
        for server in servers_of(found):
            server.start()
        job.wait(PATIENCE)
        return ["it did not wait"] * (not has_waited) + arrived(jobs)
    finally:
        close(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=ALERTS)
    parser.add_argument("--server-kills", type=int, default=SERVER_KILLS)
    parser.add_argument("--kills", type=int, default=KILLS)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="mw-sinks-")
    wrong = go(pathlib.Path(folder), args.alerts, args.server_kills, args.kills)
    if not wrong:
        shutil.rmtree(folder)
    else:
        wrong.append(f"{folder} has it all")
    print("\n".join(wrong) or "all arrived")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
