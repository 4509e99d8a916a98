"""modelwatch doctor: both forms of the report, and what it must not claim."""
import json
import os
import subprocess
from pathlib import Path

BUILD = Path(os.environ.get("MODELWATCH_BUILD", Path(__file__).parent.parent / "build"))


def doctor(*args, **environment):
    return subprocess.run([BUILD / "modelwatch", "doctor", *args], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=300)


def test_json_names_checks_and_interpreters():
    run = doctor("--json")
    report = json.loads(run.stdout)
    assert report["schema"] == "modelwatch.doctor/1"
    checks = {check["name"]: check for check in report["checks"]}
    for name in ("run", "preload", "extension", "native stacks", "memory", "socket", "floor"):
        assert checks[name]["state"] == "on", checks[name]
    watched = [p for p in report["interpreters"] if p["state"] == "on"]
    assert watched, report["interpreters"]
    assert all(p["shim"] and p["audit"] and p["unpickler"] == "hooked" for p in watched)
    good = all(p["state"] in ("on", "unsupported") for p in report["interpreters"])
    assert run.returncode == (0 if good else 1)


def test_a_floor_in_a_floor_is_off():
    run = subprocess.run([BUILD / "modelwatch", "run", "--floor=require", "--", BUILD / "modelwatch",
                          "doctor", "--json"], capture_output=True, text=True, timeout=300)
    floor = next(c for c in json.loads(run.stdout)["checks"] if c["name"] == "floor")
    assert floor["state"] == "off"
    assert "another listener" in floor["detail"]
    assert "direct system calls" in floor["cost"]
    assert run.returncode == 1


def test_each_supported_interpreter_is_watched():
    report = json.loads(doctor("--json").stdout)
    broken = [p for p in report["interpreters"] if p["state"] in ("off", "degraded")]
    assert not broken


def test_scripts_are_no_interpreters(tmp_path):
    for name in ("python3.97", "python3.98", "python3.99"):
        (tmp_path / name).write_text("#!/bin/sh\nsleep 100\n")
        (tmp_path / name).chmod(0o755)
    run = doctor("--json", PATH=f"{tmp_path}:{os.environ['PATH']}")
    paths = [p["path"] for p in json.loads(run.stdout)["interpreters"]]
    assert not [p for p in paths if p.startswith(str(tmp_path))]


def test_program_that_is_no_python(tmp_path):
    (tmp_path / "python3").write_bytes(Path("/bin/ls").read_bytes())
    (tmp_path / "python3").chmod(0o755)
    run = doctor("--json", PATH=f"{tmp_path}:{os.environ['PATH']}")
    found = [p for p in json.loads(run.stdout)["interpreters"]
             if p["path"] == str(tmp_path / "python3")]
    assert [(p["state"], p["version"]) for p in found] == [("off", None)]
    assert found[0]["detail"].startswith("ended with ")
    assert run.returncode == 1


def test_table_is_plain_when_piped():
    run = doctor()
    assert "\033" not in run.stdout
    assert "Interpreters:" in run.stdout
    assert "floor" in run.stdout


def test_unknown_option_is_our_failure():
    run = doctor("--nonsense")
    assert run.returncode == 125
    assert "--nonsense" in run.stderr
