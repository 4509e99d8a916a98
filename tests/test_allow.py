"""`modelwatch policy allow`: the rule it prints lets exactly one effect through."""
import functools
import json
import os
import pickle
import re
import socket
import subprocess
import sys
import textwrap

import pytest

from conftest import PROGRAM, run
from test_policy import Call, home, in_site, site  # noqa: F401 (fixtures)

PYTHON = sys.executable
WHO = ["--reason=a test", "--owner=tests"]

LOAD = """
import os, sys
os.chdir(sys.argv[3])
exec(sys.argv[1])
try:
    print("loaded", load(sys.argv[2]))
except Exception as error:
    print(type(error).__name__)
"""
PICKLE = "import pickle\ndef load(path): return pickle.load(open(path, 'rb'))"
BYTES = "import pickle\ndef load(path): return pickle.loads(open(path, 'rb').read())"
TORCH = "import torch\ndef load(path): return torch.load(path, weights_only=False)"
JOBLIB = "import joblib\ndef load(path): return joblib.load(path)"


def load(artifact, tmp_path, *options, loader=PICKLE, mode="deny", **kwargs):
    alerts = tmp_path / "alerts.jsonl"
    alerts.unlink(missing_ok=True)
    return run([PYTHON, "-c", LOAD, loader, str(artifact), str(tmp_path)], alerts, mode=mode,
               options=options, **kwargs)


def allow(*args, **kwargs):
    return subprocess.run([PROGRAM, "policy", "allow", *map(str, args)], capture_output=True,
                          text=True, timeout=60, **kwargs)


def rule_for(done, tmp_path, *options):
    """The policy that `policy allow` prints for all alerts of a run."""
    rules = ""
    for alert in {alert["id"] for alert in done.alerts}:
        printed = allow(*WHO, *options, f"--alerts={tmp_path}/alerts.jsonl", alert)
        assert printed.returncode == 0, printed.stderr
        rules += printed.stdout.removeprefix("version: 1\nrules:\n")
    path = tmp_path / "allow.yaml"
    path.write_text("version: 1\nrules:\n" + rules)
    assert subprocess.run([PROGRAM, "policy", "check", path]).returncode == 0
    return f"--policy={path}"


def model(path, *calls, pad=b""):
    path.write_bytes(pickle.dumps([Call(*call) for call in calls] + [pad]))
    return path


def listener(tmp_path):
    server = socket.create_server(("127.0.0.1", 0))
    return server, server.getsockname()


EFFECTS = {
    "exec": lambda tmp: [(os.system, f"touch '{tmp}/a b' {tmp}/effect")],
    "popen": lambda tmp: [(subprocess.check_call, ["touch", f"{tmp}/effect", f"{tmp}/*[x] {{y}}"])],
    "letters": lambda tmp: [(subprocess.check_call, ["touch", f"{tmp}/effect", f"{tmp}/\u00e9\u4e16\U0001f600\x85"])],
    "write": lambda tmp: [(open, f"{tmp}/effect", "w")],
    "relative": lambda tmp: [(open, "effect", "w")],
    "mkdir": lambda tmp: [(os.mkdir, f"{tmp}/effect")],
    "rename": lambda tmp: [(os.rename, f"{tmp}/old", f"{tmp}/effect")],
    "symlink": lambda tmp: [(os.symlink, f"{tmp}/old", f"{tmp}/effect")],
    "code": lambda tmp: [(exec, f"import pathlib; pathlib.Path({str(tmp)!r}, 'effect').touch()")],
}


@pytest.mark.parametrize("effect", EFFECTS)
def test_the_same_load_passes(effect, tmp_path, home):
    (tmp_path / "old").touch()
    artifact = model(tmp_path / "m.pkl", *EFFECTS[effect](tmp_path))
    done = load(artifact, tmp_path)
    rounds = 0
    while done.alerts and rounds < 4:  # what a first effect leads to is an effect of its own
        options = rule_for(done, tmp_path)
        (tmp_path / f"allow{rounds}.yaml").write_text((tmp_path / "allow.yaml").read_text())
        rounds += 1
        merged = "".join((tmp_path / f"allow{i}.yaml").read_text().removeprefix("version: 1\nrules:\n")
                         for i in range(rounds))
        (tmp_path / "allow.yaml").write_text("version: 1\nrules:\n" + merged)
        done = load(artifact, tmp_path, options)
    assert rounds == (3 if effect == "code" else 1)
    assert not done.alerts and (tmp_path / "effect").exists(), done.stderr


@pytest.mark.parametrize("loader", [BYTES, TORCH, JOBLIB], ids=["bytes", "torch", "joblib"])
def test_with_other_loaders(loader, tmp_path, home):
    library = loader.split()[1]
    module = pytest.importorskip(library)
    artifact = tmp_path / "m.bin"
    evil = [Call(os.system, f"touch {tmp_path}/effect")]
    if library == "torch":
        module.save(evil + [module.ones(700000)], artifact)  # larger than what is hashed at once
    elif library == "joblib":
        module.dump(evil, artifact)
    else:
        artifact.write_bytes(pickle.dumps(evil))
    options = rule_for(load(artifact, tmp_path, loader=loader), tmp_path)
    assert ("    sha256:" in (tmp_path / "allow.yaml").read_text()) == (library != "pickle")
    done = load(artifact, tmp_path, options, loader=loader)
    assert not done.alerts and (tmp_path / "effect").exists(), done.stderr


def test_a_connection(tmp_path, home):
    server, address = listener(tmp_path)
    other, elsewhere = listener(tmp_path)
    with server, other:
        artifact = model(tmp_path / "m.pkl", (socket.create_connection, address))
        options = rule_for(load(artifact, tmp_path, mode="alert"), tmp_path)
        server.accept()[0].close()
        done = load(artifact, tmp_path, options)
        assert not done.alerts, done.stderr
        server.accept()[0].close()
        artifact = model(tmp_path / "m.pkl", (socket.create_connection, elsewhere))
        assert load(artifact, tmp_path, options).alerts


def test_nothing_else_passes(tmp_path, home):
    """Another digest, call, target, entry point, and what stands beside the call."""
    touch = f"touch {tmp_path}/effect"
    artifact = model(tmp_path / "m.pkl", (os.system, touch), pad=b"0")
    options = rule_for(load(artifact, tmp_path), tmp_path)
    good = artifact.read_bytes()
    others = {
        "digest": good.replace(b"C\x010", b"C\x011"),
        "call": pickle.dumps([Call(os.popen, touch), b"0"]),
        "target": good.replace(b"effect", b"affect"),
        "trailer": good + b"x",
        "second": pickle.dumps([Call(os.system, touch), Call(os.system, f"touch {tmp_path}/other")]),
    }
    for name, data in others.items():
        assert data != good, name
        artifact.write_bytes(data)
        done = load(artifact, tmp_path, options)
        assert done.alerts, name
        assert not (tmp_path / "effect").exists() and not (tmp_path / "affect").exists(), name
        assert not (tmp_path / "other").exists(), name
    artifact.write_bytes(good)
    assert load(artifact, tmp_path, options, loader=BYTES).alerts
    assert not (tmp_path / "effect").exists()
    assert not load(artifact, tmp_path, options).alerts
    assert (tmp_path / "effect").exists()


def test_another_program_of_that_name(tmp_path, home):
    artifact = model(tmp_path / "m.pkl", (subprocess.check_call, ["true", f"{tmp_path}/effect"]))
    options = rule_for(load(artifact, tmp_path), tmp_path)
    own = tmp_path / "bin"
    own.mkdir()
    (own / "true").write_text('#!/bin/sh\ntouch "$1"\n')
    (own / "true").chmod(0o755)
    environment = {**os.environ, "PATH": f"{own}:{os.environ['PATH']}"}
    done = load(artifact, tmp_path, options, env=environment)
    assert done.alerts and not (tmp_path / "effect").exists()
    assert not load(artifact, tmp_path, options).alerts


def test_a_target_that_became_a_link(tmp_path, home):
    artifact = model(tmp_path / "m.pkl", (open, f"{tmp_path}/effect", "w"))
    options = rule_for(load(artifact, tmp_path), tmp_path)
    (tmp_path / "effect").symlink_to(tmp_path / "elsewhere")
    assert load(artifact, tmp_path, options).alerts
    assert not (tmp_path / "elsewhere").exists()


def test_arguments_are_told_apart(tmp_path, home):
    """ "a b" is not "a" and "b"."""
    artifact = tmp_path / "m.pkl"
    one = model(artifact, (subprocess.check_call, ["touch", f"{tmp_path}/a b"])).read_bytes()
    rule_for(load(artifact, tmp_path), tmp_path)
    text = re.sub(r"    (stream_)?sha256: .*\n", "", (tmp_path / "allow.yaml").read_text())
    (tmp_path / "allow.yaml").write_text(text)
    model(artifact, (subprocess.check_call, ["touch", f"{tmp_path}/a", "b"]))
    assert load(artifact, tmp_path, f"--policy={tmp_path}/allow.yaml").alerts
    artifact.write_bytes(one)
    assert not load(artifact, tmp_path, f"--policy={tmp_path}/allow.yaml").alerts


def test_an_expiry_and_a_name(tmp_path, home):
    artifact = model(tmp_path / "m.pkl", (os.system, f"touch {tmp_path}/effect"))
    done = load(artifact, tmp_path)
    options = rule_for(done, tmp_path, "--expires=2199-12-31", "--name=my-rule")
    text = (tmp_path / "allow.yaml").read_text()
    assert '  - name: "my-rule"\n' in text and '    expires: "2199-12-31"\n' in text
    assert not load(artifact, tmp_path, options).alerts
    (tmp_path / "effect").unlink()
    # The same rule in the user's own file, once it has run out.
    config = home / ".config" / "modelwatch"
    config.mkdir(parents=True)
    (config / "policy.yaml").write_text(text.replace("2199", "2020"))
    done = load(artifact, tmp_path)
    assert done.alerts[0]["policy"]["expired"] == "my-rule" and not (tmp_path / "effect").exists()
    assert "rule my-rule would have decided, but it has expired" in done.stderr


def test_what_a_rule_cannot_be_made_of(tmp_path, home):
    alerts = f"--alerts={tmp_path}/alerts.jsonl"
    for call, what in (((os.system, "curl -H 'Authorization: Bearer abcdefghijklmnop1234567890'"), "redacted"),
                       ((os.system, "true\ntrue"), "argv"),
                       ((subprocess.call, ["true", *"x" * 40]), "argv"),
                       ((subprocess.call, ["true", "x" * 2000]), "argv"),
                       ((open, b"/tmp/\xff\xfe", "wb"), "path")):
        done = load(model(tmp_path / "m.pkl", call), tmp_path)
        printed = allow(*WHO, alerts, done.alerts[0]["id"])
        assert printed.returncode == 1 and printed.stdout == "", call
        assert "no narrow rule can be made" in printed.stderr and what in printed.stderr


@pytest.mark.parametrize("field, value", [
    ("cause", "call]"), ("effect.detail.op", 5), ("effect.detail.op", "\0"), ("effect.detail.argv", "true"),
    ("effect.detail.argv", ["true", "a\0b"]), ("effect.detail.executable_owner", "root"), ("load.origin", []),
    ("load.call", "posix\0system"), ("load.entry", {}), ("load.artifact.sha256", True)])
def test_what_is_not_as_alerts_are_is_not_left_out(field, value, tmp_path, home):
    """A rule without it would be a wider one."""
    alert = load(model(tmp_path / "m.pkl", (subprocess.call, ["true"])), tmp_path).alerts[0]
    *parents, name = field.split(".")
    functools.reduce(dict.get, parents, alert)[name] = value
    (tmp_path / "alerts.jsonl").write_text(json.dumps(alert) + "\n")
    printed = allow(*WHO, f"--alerts={tmp_path}/alerts.jsonl", alert["id"])
    assert (printed.returncode, printed.stdout) == (1, "")
    assert "something else than a" in printed.stderr


@pytest.mark.parametrize("args, what", [
    ([], "one ALERT_ID"), (["0123"], "--reason"), (["--reason=x", "0123"], "--owner"),
    (["--reason=x", "--owner=", "0123"], "--owner"), (["--nonsense", "0123"], "--nonsense"),
    ([*WHO, "xyz"], "one ALERT_ID"), ([*WHO, "--alerts=/nonexistent", "0123"], "No such file")])
def test_wrong_words_are_told(args, what, home):
    printed = allow(*args)
    assert printed.returncode == 125 and what in printed.stderr


def test_wrong_values_are_told(tmp_path, home):
    done = load(model(tmp_path / "m.pkl", (os.system, "true")), tmp_path)
    alerts, alert = f"--alerts={tmp_path}/alerts.jsonl", done.alerts[0]["id"]
    for option, what in (("--expires=2020-01-31", "in the past"), ("--expires=soon", "RFC 3339"),
                         ("--name=a b", "letters"), ("--name=x\n    path: y", "letters")):
        printed = allow(*WHO, option, alerts, alert)
        assert (printed.returncode, printed.stdout) == (125, "") and what in printed.stderr, option
    printed = allow('--reason="x"\n  - {name: evil, verdict: allow}', "--owner=a: b", alerts, alert)
    assert printed.stdout.count("name:") == 2 and printed.stdout.count("\n  - name: ") == 1
    assert allow(*WHO, alerts, "0123-ffff").returncode == 1
