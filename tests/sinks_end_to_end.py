#!/usr/bin/env python3
"""Alerts of real jobs on their way into real receivers, while receivers, monitors and couriers are killed: all of them
arrive.

    sinks_end_to_end.py [--alerts=10000] [--server-kills=20] [--kills=20]

Prints what came, and ends with 1 when something is missing or was never sent."""
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

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from conftest import PROGRAM  # noqa: E402
from receivers import Rsyslog  # noqa: E402
from test_courier import JOB, couriers_of  # noqa: E402
from test_sinks_net import BODIES, HAS_FLUENT, Fluent, HttpProgram, Kafka, SECRET  # noqa: E402

RUNS = 20  # jobs, each with a monitor of its own
PATIENCE = 120


class File:
    """A sink of its own kind: nothing can be killed."""

    def __init__(self, folder):
        self.path = folder / "sink.jsonl"

    def sink(self):
        return {"type": "file", "path": str(self.path)}

    def records(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]


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


class Relp(Rsyslog):
    def __init__(self, folder):
        super().__init__(folder / "rsyslog", "relp")

    def sink(self):
        return {"type": "relp", "address": f"127.0.0.1:{self.port}"}

    def records(self):
        return [json.loads(text) for _, text in self.received()]


class Http(HttpProgram):
    def __init__(self, folder, kind):
        self.kind = kind
        (folder / kind).mkdir()
        super().__init__(folder / kind, kind)

    def sink(self):
        return {"type": "http", "body": self.kind, "url": f"http://127.0.0.1:{self.port}"}


class Cluster(Kafka):
    ordered = False  # but for the records of one finding

    def start(self):
        super().start()
        if not self.has_topic:
            self.tell("topic", "alerts", 64)  # of which librdkafka's mock keeps the last 5 MB each
            self.has_topic = True

    def __init__(self, program):
        super().__init__(program)
        self.has_topic = False

    def records(self):
        return [json.loads(message[3]) for message in self.messages()]

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


def receivers(folder):
    """By the names of their sinks."""
    found = {"file": File(folder), "relp": Relp(folder)}
    found |= {kind: Http(folder, kind) for kind in BODIES}
    if HAS_FLUENT:
        found |= {"forward": Forward(folder / "forward"), "forward-key": ForwardWithKey(folder / "forward-key")}
    mock = pathlib.Path(PROGRAM).parent / "sinks" / "kafka_mock"
    if mock.exists() and shutil.which("kcat"):
        found["kafka"] = Cluster(mock)
    return found


def policy(folder, receivers, flush="1s"):
    path = folder / "policy.yaml"
    sinks = [{"name": name, "format": "native", "timeout": "2s", **receiver.sink()}
             for name, receiver in receivers.items()]
    # JSON is YAML, too.
    path.write_text(json.dumps({
        "version": 1, "sinks": sinks,
        "spool": {"path": str(folder / "spool" / "spool.db"), "flush": flush,
                  "per_minute": {"per_rule": "0", "per_artifact": "0"}}}))
    return path


class Jobs:
    """One after the other. Some lose their monitor, some their courier, in the middle."""

    def __init__(self, folder, policy, alerts, kills):
        self.folder, self.policy, self.alerts, self.each = folder, policy, alerts, alerts // RUNS
        self.kills = random.sample(range(RUNS), kills)
        self.couriers_killed = self.monitors_killed = 0

    def command(self, n):
        made = self.folder / f"made-{n}"
        made.mkdir()
        return [PROGRAM, "run", "--mode=alert", "--quiet", f"--policy={self.policy}",
                f"--alerts={self.folder}/alerts-{n}.jsonl", "--", sys.executable, "-c", JOB, made, str(self.each)], made

    def run(self, n):
        command, made = self.command(n)
        with open(self.folder / "said", "a") as said:
            job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        half = random.randint(1, self.each)
        while job.poll() is None and len(list(made.iterdir())) < half:
            time.sleep(0.01)
        if n in self.kills and job.poll() is None:
            if self.kills.index(n) % 2:
                self.couriers_killed += sum(kill(pid) for pid in couriers_of(job.pid))
            else:
                self.monitors_killed += kill(job.pid)
        job.wait(PATIENCE)

    def run_all(self):
        for n in range(RUNS):
            self.run(n)
        # Those whose monitor was killed went on unwatched.
        self.each = max(1, self.alerts - len({uid for uid, _ in self.written()}))
        self.run(RUNS)

    def written(self):
        """What the monitors have written down themselves: alerts, and what became known of them later."""
        found = []
        for path in self.folder.glob("alerts-*.jsonl"):
            for line in path.read_text().splitlines():
                record = parse(line)
                if record:
                    found.append(name_of(record))
        return set(found)


def name_of(record):
    return record["id"], record.get("update")


def parse(line):
    """The last line of one that was killed may be cut."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def kill_now_and_then(servers, times, over):
    """Each of them so many times, one at a time, while the jobs run."""
    count = 0
    while count < times * len(servers) and not over.wait(0.05):
        server = servers[count % len(servers)]
        server.stop(signal.SIGKILL)
        server.start()
        count += 1
    return count


def deliver(jobs, wanted, receivers):
    """Whoever runs next sends what is left."""
    jobs.each = 1
    for n in range(RUNS + 1, RUNS + 20):
        jobs.run(n)
        if all(wanted <= set(map(name_of, receiver.records())) for receiver in receivers.values()):
            return
        time.sleep(1)


def check(name, receiver, wanted, known):
    """What is wrong, as texts; and says how it went."""
    records = receiver.records()
    names = list(map(name_of, records))
    order = [record["sequence"] for record in records]
    first = list(dict.fromkeys(order))
    wrong = []
    if wanted - set(names):
        wrong.append(f"{name}: {len(wanted - set(names))} are missing")
    if set(names) - known:
        wrong.append(f"{name}: {len(set(names) - known)} are invented")
    if first != sorted(first) and getattr(receiver, "ordered", True):
        wrong.append(f"{name}: out of order")
    print(f"{name}: {len(first)} records of {len({uid for uid, _ in names})} findings, "
          f"{len(order) - len(first)} of them again", flush=True)
    return wrong


def in_spool(folder):
    """What modelwatch says that it was told: also what a monitor had no time to write down itself."""
    done = subprocess.run([PROGRAM, "alerts", "--json", f"--spool={folder}/spool/spool.db"], capture_output=True,
                          text=True, check=True)
    return set(map(name_of, map(json.loads, done.stdout.splitlines())))


def go(folder, alerts, server_kills, kills):
    """Returns what is wrong, a list of texts."""
    found = receivers(folder)
    servers = [receiver for receiver in found.values() if hasattr(receiver, "start")]
    over, killed = threading.Event(), []
    for server in servers:
        server.start()
    try:
        jobs = Jobs(folder, policy(folder, found), alerts, kills)
        killer = threading.Thread(target=lambda: killed.append(kill_now_and_then(servers, server_kills, over)))
        killer.start()
        jobs.run_all()
        over.set()
        killer.join()
        wanted = jobs.written()
        policy(folder, found, flush="20s")
        deliver(jobs, wanted, found)
        known = in_spool(folder) | jobs.written()
        print(f"{len({uid for uid, _ in wanted})} alerts, {len(wanted)} records; killed: {killed[0]} servers, {jobs.monitors_killed} monitors, "
              f"{jobs.couriers_killed} couriers", flush=True)
        return [text for name, receiver in found.items() for text in check(name, receiver, wanted, known)]
    finally:
        over.set()
        for server in servers:
            getattr(server, "close", server.stop)()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=10000)
    parser.add_argument("--server-kills", type=int, default=20)
    parser.add_argument("--kills", type=int, default=RUNS)
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
