"""How severe an alert is: the table of docs/formats.md, and that the program, the default policy and alerts keep to it."""
import json
import os
import re
import subprocess
import sys

import pytest
import yaml

import siem_records
from attacks import native
from attacks.run import finish
from conftest import PROGRAM, ROOT, run
from daemon import PARENT, Victim
from receivers import until
from siem_records import RULES, TABLE, told
from test_floor_attacks import let, watch
from test_policy import ask, home, policy  # noqa: F401 (a fixture)

LOAD = """
import pickle, sys
class Act:
    def __reduce__(self):
        import os, socket, _ctypes
        return eval(sys.argv[1])
try:
    pickle.loads(pickle.dumps(Act()))
except Exception:
    pass
"""
ACTS = {
    "exec": "(os.system, ('true',))",
    "connect": "(socket.create_connection, (('127.0.0.1', 1),))",
    "send": "(socket.getaddrinfo, ('localhost', 80))",
    "listen": "(socket.create_server, (('127.0.0.1', 0),))",
    "write": "(open, ('made', 'w'))",
    "map": "(_ctypes.dlopen, ('./none.so',))",
    "code": "(compile, ('1', 'x', 'eval'))",
    "tamper": "(os.kill, (os.getpid(), 18))",
    "read": "(open, ('/etc/shadow',))",
}


def first_of(alerts, effect):
    return [alert for alert in alerts if alert["effect"]["class"] == effect and not alert["update"]][0]


def test_the_docs_and_the_default_policy_say_the_same():
    rules = yaml.safe_load((ROOT / "core" / "default-policy.yaml").read_text())["rules"]
    assert {rule["name"]: [rule["verdict"], rule["severity"]] for rule in rules if "severity" in rule} == RULES
    assert set(TABLE) == {record["effect"]["class"] for record in siem_records.make().values() if "effect" in record}


@pytest.mark.parametrize("evasion", [False, True])
def test_the_docs_and_the_program_say_the_same(tmp_path, home, evasion):
    """Every cell, by the words of `policy explain`."""
    records = [record for record in siem_records.make().values() if "effect" in record]
    chosen = {record["effect"]["class"]: record | {"evasion": evasion} for record in records
              if record["rule"] not in RULES}
    assert set(chosen) == set(TABLE)
    for effect, record in chosen.items():
        path = tmp_path / f"{effect}.jsonl"
        path.write_text(json.dumps(record) + "\n")
        done = ask("explain", path)
        words = re.search(r"^  now       deny by rule [\w-]+ \(.*\), severity (\w+) by the table"
                          r"(?:, (\w+) if it is not prevented)?$", done.stdout, re.M)
        assert words, done.stdout + done.stderr
        assert [words[1], words[2] or words[1]] == [told(effect, outcome, evasion)
                                                    for outcome in ("prevented", "observed")], effect


def test_explain_and_show_tell_a_rule_s_own_from_the_table(tmp_path, home):
    records = siem_records.make()
    records["kept"]["effect"]["detail"]["file"] = "/etc/profile"
    path = tmp_path / "alerts.jsonl"
    path.write_text("".join(json.dumps(records[name]) + "\n" for name in ("kept", "written", "unproved")))
    said = ask("explain", path).stdout
    assert re.search(r"now       deny by rule persistence \(.*\), severity critical$", said, re.M)
    assert re.search(r"now       deny by rule load-write \(.*\), severity high by the table, critical if it is not prevented$",
                     said, re.M)
    rules = policy(tmp_path / "p.yaml", "name: mine, effect: write, verdict: deny, severity: low",
                   "name: look, effect: exec, verdict: alert", "name: see, effect: send, verdict: observe")
    said = ask("explain", f"--policy={rules}", path).stdout
    assert re.search(r"now       deny by rule mine \(.*\), severity low$", said, re.M)
    assert re.search(r"now       alert by rule look \(.*\), severity critical by the table$", said, re.M)
    shown = ask("show", f"--policy={rules}").stdout
    assert f"# {rules}:3\n" in shown and f"# {rules}:4, severity by the table\n" in shown
    assert f"# {rules}:5\n" in shown  # what is only observed is info


@pytest.mark.parametrize("mode, outcome", [("deny", "prevented"), ("observe", "observed")])
@pytest.mark.parametrize("effect", ACTS)
def test_alerts_of_a_run(effect, mode, outcome, tmp_path):
    done = run([sys.executable, "-c", LOAD, ACTS[effect]], tmp_path / "alerts", mode, cwd=tmp_path)
    alert = first_of(done.alerts, effect)
    assert (alert["outcome"], alert["severity"]) == (outcome, told(effect, outcome)), alert["title"]
    assert alert["policy"]["severity"] is None and alert["evasion"] is False
    if mode == "deny":
        assert f", severity {alert['severity']}\n" in done.stderr


@pytest.mark.parametrize("mode, outcome", [("deny", "prevented"), ("observe", "observed")])
def test_a_limit_is_less_severe(mode, outcome, tmp_path):
    rules = policy(tmp_path / "p.yaml", top="limits: {nesting: 1}\n")
    done = run([sys.executable, "-c", LOAD, "(__import__('pickle').loads, (b'N.',))"], tmp_path / "alerts", mode,
               [f"--policy={rules}"], cwd=tmp_path)
    alert = first_of(done.alerts, "limit")
    assert (alert["outcome"], alert["severity"]) == (outcome, told("limit", outcome))


@pytest.mark.parametrize("verdict, severity", [("alert", "critical"), ("observe", "info")])
def test_a_rule_that_lets_it_happen(verdict, severity, tmp_path):
    """It is what the rule makes of it: a finding that was not prevented, or nothing but a record."""
    rules = policy(tmp_path / "p.yaml", f"name: mine, effect: write, verdict: {verdict}", top="mode: observe\n")
    done = run([sys.executable, "-c", LOAD, ACTS["write"]], tmp_path / "alerts", "observe", [f"--policy={rules}"],
               cwd=tmp_path)
    alert = first_of(done.alerts, "write")
    assert (alert["requested"], alert["severity"]) == (verdict, severity)


# Evasions, and what a process could say of itself

RAW = 'load(Node(rawcall.call, 83, f"{root}/marker", 0o700))'
FORGED = """
record = rawcall.pack(*[0] * 8)
load(Node(rawcall.call, 157, 0x4d574652, 1, record), Node(rawcall.call, 83, f"{root}/marker", 0o700))
"""
needs_native = pytest.mark.skipif(not native.can_be_built(), reason="x86-64 and a C compiler")


@needs_native
@pytest.mark.parametrize("code", [RAW, FORGED], ids=["raw", "forged"])
def test_an_evasion_is_one_level_more(code, tmp_path):
    """That it was prevented and announced by itself takes nothing away."""
    _, alerts = watch(code, tmp_path)
    [alert] = alerts
    assert (alert["effect"]["class"], alert["outcome"], alert["evasion"]) == ("write", "prevented", True)
    assert alert["severity"] == told("write", "prevented", True) == "critical"


@needs_native
@pytest.mark.parametrize("mode, outcome", [("deny", "prevented"), ("observe", "observed")])
def test_a_rule_s_own_severity_wins(mode, outcome, tmp_path):
    rules = let("write", "path: '**', severity: low", "deny")
    _, alerts = watch(RAW, tmp_path, mode=mode, rules=rules)
    [alert] = alerts
    assert (alert["rule"], alert["outcome"], alert["evasion"]) == ("let", outcome, True)
    assert alert["severity"] == alert["policy"]["severity"] == "low"


def test_a_sink_gets_what_did_happen(tmp_path, monkeypatch):
    """Its least severity goes by the outcome: the same load is below it when it is stopped."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "p.yaml").write_text(f"version: 1\nsinks:\n  - {{name: worst, type: file, path: {tmp_path}/worst, "
                                     f"severity: critical}}\n  - {{name: all, type: file, path: {tmp_path}/all}}\n")
    for mode in ("deny", "observe"):
        done = run([sys.executable, "-c", LOAD, ACTS["write"]], tmp_path / "alerts", mode,
                   [f"--policy={tmp_path}/p.yaml"], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for name, outcomes in (("all", {"prevented", "observed"}), ("worst", {"observed"})):
        def written():
            path = tmp_path / name
            lines = path.read_text().split("\n")[:-1] if path.exists() else []
            return {json.loads(line)["outcome"] for line in lines}
        until(lambda: written() >= outcomes)
        assert written() == outcomes
    listed = subprocess.run([PROGRAM, "alerts", "--severity=critical", "--json"], capture_output=True, text=True)
    assert {json.loads(line)["outcome"] for line in listed.stdout.splitlines()} == {"observed"}


# The daemon

def test_what_the_daemon_sees_did_happen(host_daemon, tmp_path):
    since = host_daemon.mark()
    script = tmp_path / "job.py"
    script.write_text(LOAD)
    process, _, _ = finish([*PARENT, sys.executable, str(script), f"(os.mkdir, ({str(tmp_path / 'made')!r},))"],
                           cwd=tmp_path)
    host_daemon.settle()
    [alert] = [alert for alert in host_daemon.alerts_of(Victim(tmp_path), since) if alert["effect"]["class"] == "write"]
    assert (tmp_path / "made").is_dir() and alert["outcome"] == "observed"
    assert alert["severity"] == told("write", "observed") and alert["policy"]["severity"] is None
