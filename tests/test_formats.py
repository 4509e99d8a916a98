"""Alerts of real attacks, in every format and version, held against the schemas."""
import copy
import ipaddress
import json
import os
import re
import subprocess
from datetime import datetime

import jsonschema
import pytest

from attacks import attack, run
from conftest import PROGRAM, ROOT
from ecs_fields import CATEGORIES, FIELDS, KINDS, TYPES
from interpreters import MAIN
from siem_records import told

VERSIONS = {"1.1": "1.1.0", "1.3": "1.3.0", "1.5": "1.5.0", "1.8": "1.8.0"}
BOUNDS = [0, 8192, 4096]
ATTACKS = """
os_system os_popen posix_spawn open_write create_connection listen_tcp listen_unix chmod hard_link
putenv_preload kill_child dlopen_dropped builtins_exec ctypes_raw_syscall raw_bpf raw_code_by_mmap
import_planted look_up nested_unpickler carrier_gzip mkdir change_directory atexit raw_bind
protocol_0 compile_function
""".split()
LOSS = {"schema": "modelwatch.loss/1", "id": "01a20955-c65f-733b-a1ea-34009747f4b3",
        "time": "2026-11-23T16:55:46.015960535Z", "lost": 3, "reason": "No space left on device",
        "kind": "spool-full", "count": 7, "hooks": {"load-exec": 7}, "since": None,
        "version": "0.1.0"}
HEARTBEAT = {"schema": "modelwatch.heartbeat/1", "id": "01a20955-c65f-733b-a1ea-34009747f4b4",
             "time": "2026-11-23T16:55:46.015960535Z", "version": "0.1.0", "state": "running",
             "uptime": 60.5, "mode": "deny", "asked_mode": "deny", "policy_digest": "ab" * 32,
             "host": {"name": "gpu-17", "boot_id": "0b6f2c1e", "kernel": "6.12.0"},
             "rung": {"exec": "lsm", "bpf": None}, "losses": {"ring": 0}, "loads": 3}
INVENTORY = {"schema": "modelwatch.inventory/1", "sensor": "python", "id": "01a20955-c65f-733b-a1ea-34009747f4b5",
             "time": "2026-11-23T16:55:46.015960535Z", "last": "2026-11-23T16:55:47.015960535Z", "count": 7,
             "load": {"entry": "torch.load", "origin": "file", "outcome": "returned", "weights_only": True, "globals": 0,
                      "duration_ns": 5_000_000,
                      "artifact": {"path": "/data/m.pt", "member": "m/data.pkl", "size": 7, "sha256": "ab" * 32,
                                   "digest_state": "done", "stream_sha256": "cd" * 32, "model": None}},
             "host": {"name": "gpu-17", "boot_id": "0b6f2c1e", "kernel": "6.12.0"}, "policy": {"digest": "ab" * 32},
             "version": "0.1.0", "labels": {"team": "vision"}}
NASTY = ["\x1b[31mred\x1b[0m", "a\nb\r\n{\"schema\":\"x\"}", "\u202egnp.tp", "x" * 20_000, "|=\\\"'",
         "\x7f\x01\x9b", "\U000e0041", "\ufffd"]
# Nothing that moves a cursor, hides, or reverses the direction of writing.
ACTS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")


def schema(name):
    with open(name) as file:
        found = json.load(file)
    return jsonschema.validators.validator_for(found)(found)


NATIVE = {f"modelwatch.{kind}/1": schema(ROOT / "docs" / f"{kind}.schema.json")
          for kind in ("alert", "loss", "heartbeat", "inventory")}
OCSF = {version: schema(ROOT / "tests" / "ocsf" / f"detection_finding-{full}.schema.json")
        for version, full in VERSIONS.items()}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Alerts of the attacks, as modelwatch wrote them, an update of one, and a record of each other kind."""
    found = []
    for one in attack.read_all():
        if one.name in ATTACKS and one.runs_on(MAIN.version) and not one.is_native:
            mode = "observe" if len(found) % 4 == 3 else "deny"
            place = one.places[0] if mode == "deny" else "direct"
            done = run.run(one, place, mode, MAIN, PROGRAM, tmp_path_factory.mktemp(one.name))
            found += done.alerts
    assert len(found) >= 20
    update = copy.deepcopy(found[0]) | {"update": 1, "count": 1000, "group": {
        "key": "ab" * 32, "first": found[0]["time"], "last": found[-1]["time"]}}
    who = {key: found[0][key] for key in ("process", "user", "job", "container")}
    return found + [update, LOSS, HEARTBEAT, INVENTORY | who]


@pytest.fixture(scope="module")
def render():
    build = PROGRAM.rpartition("/")[0]
    subprocess.run(["make", "-s", f"O={build}", "bench-programs"], cwd=ROOT, check=True,
                   timeout=600)

    def lines(records, kind, version="1.5", bound=0):
        done = subprocess.run(
            [f"{build}/bench/format", kind, version, str(bound)], capture_output=True, timeout=60,
            input="".join(json.dumps(record) + "\n" for record in records).encode())
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode()  # valid UTF-8
        assert not ACTS.search(text.replace("\n", "")), kind
        rendered = text.removesuffix("\n").split("\n")
        assert len(rendered) == len(records)
        assert not bound or all(len(line.encode()) <= bound for line in rendered)
        return rendered if kind == "cef" else [json.loads(line) for line in rendered]

    return lines


LISTS = ("seen_by", "reports", "facts")  # words of our own


def poisoned(value, nasty, key=None):
    """Every string that somebody else chose."""
    if isinstance(value, dict):
        return {name: poisoned(one, nasty, name) for name, one in value.items()}
    if isinstance(value, list) and key not in LISTS:
        return [poisoned(one, nasty) for one in value]
    ours = {"schema", "id", "time", "severity", "class", "verdict", "requested", "mode", "outcome",
            "sensor", "cause", "sha256", "stream_sha256", "digest", "start_time", "digest_state", "kind",
            "origin", "trust", "runtime", "first", "last", "key", "state", "asked_mode"}
    if key == "title":
        return nasty[:599]
    if key in LISTS:
        return value
    return nasty if isinstance(value, str) and key not in ours else value


@pytest.fixture(scope="module")
def hostile(records):
    """The strings are put where a process and a file put theirs."""
    some = {record.get("effect", {}).get("class", record["schema"]): record for record in records}
    bad = [poisoned(record, nasty) for i, nasty in enumerate(NASTY)
           for j, record in enumerate(some.values()) if (i + j) % 4 == 0]
    long = copy.deepcopy(records[0])
    long["process"]["argv"] = ["\x1b[2J\n" * 200_000]
    long["load"]["artifact"]["path"] = "/" + "a" * 1_000_000
    return bad + [long]


def complain(validator, documents):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
            for document in documents for error in validator.iter_errors(document)]


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_ocsf(records, hostile, render, version, bound):
    documents = render(records, "ocsf", version, bound)
    assert not complain(OCSF[version], documents)
    assert not complain(OCSF[version], render(hostile, "ocsf", version, bound))
    for document, record in zip(documents, records):
        assert document["metadata"]["version"] == VERSIONS[version]
        assert document["finding_info"]["uid"] == record["id"]
        assert document["type_uid"] == 200400 + document["activity_id"]
        cut = "left_out" in document["unmapped"]
        assert bound or not cut
        if version == "1.8":
            assert document["metadata"].get("is_truncated", False) == cut
        if record["schema"] == "modelwatch.alert/1" and not cut:
            assert document["evidences"][0]["data"].get("native_stack", []) == record["native_stack"]
            assert document["evidences"][1]["data"]["effect"] == record["effect"]


@pytest.mark.parametrize("bound", BOUNDS)
def test_native(records, hostile, render, bound):
    for document in render(records + hostile, "native", bound=bound):
        assert not complain(NATIVE[document["schema"]], [document])
    for document, record in zip(render(records, "native"), records):
        assert {name: value for name, value in document.items() if name not in ("uid", "sequence")} == record


def leaves(value, name=""):
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{name}.{key}" if name else key)
    else:
        yield name, value


def is_of_type(value, kind):
    if isinstance(kind, list):
        return isinstance(value, list) and all(is_of_type(one, kind[0]) for one in value)
    if kind == "date":
        return bool(datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1+00:00", value)))
    if kind == "ip":
        return bool(ipaddress.ip_address(value))
    if kind in ("long", "float"):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


@pytest.mark.parametrize("bound", BOUNDS)
def test_ecs(records, hostile, render, bound):
    for document in render(records + hostile, "ecs", bound=bound):
        for name, value in leaves(document):
            if name.startswith("labels."):
                assert isinstance(value, str)
            elif not name.startswith("modelwatch."):
                assert name in FIELDS and is_of_type(value, FIELDS[name]), (name, value)
        assert document["event"]["kind"] in KINDS
        assert set(document["event"]["type"]) <= TYPES
        assert set(document["event"]["category"]) <= CATEGORIES


def read_cef(line):
    """A reader of CEF of our own: the header's seven fields and the extension."""
    *header, extension = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    fields, at = {}, 0
    starts = list(re.finditer(r"(?:^| )(\w+)(?<!\\)=", extension))
    for start, end in zip(starts, starts[1:] + [None]):
        value = extension[start.end():end.start() if end else None]
        fields[start[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), value)
        at += 1
    return header, fields


@pytest.mark.parametrize("bound", BOUNDS)
def test_cef(records, hostile, render, bound):
    for line, record in zip(render(records + hostile, "cef", bound=bound), records + hostile):
        header, fields = read_cef(line)
        assert header[:3] == ["CEF:0", "modelwatch", "modelwatch"] and header[6] in "0 3 5 8 10".split()
        assert fields["externalId"].startswith("01a20955-c65f-7")
        if record["schema"] == "modelwatch.alert/1":
            assert fields["act"] == record["verdict"] and fields["cat"] == record["effect"]["class"]
            assert fields["flexString1"] == record["id"]
        if record["schema"] == "modelwatch.alert/1" and record in records:
            assert header[4] == record["rule"]
            if record["load"]["artifact"]["path"]:
                assert fields["filePath"] == record["load"]["artifact"]["path"]


def test_what_people_read_does_not_act(hostile, render):
    for document in render(hostile, "ocsf"):
        assert not ACTS.search(document["message"] + document["finding_info"]["title"])
    for document in render(hostile, "ecs"):
        assert not ACTS.search(document["message"] + document["event"]["reason"])


def test_the_alerts_follow_the_table(records):
    alerts = [record for record in records if record.get("requested") in ("alert", "deny")]
    assert {record["outcome"] for record in alerts} == {"prevented", "observed"}
    for record in alerts:
        own = record["policy"]["severity"]
        assert record["severity"] == (own or told(record["effect"]["class"], record["outcome"], record["evasion"]))
