"""modelwatch daemon and status, as far as nothing has to be loaded into the kernel for them."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import PROGRAM

ROOT = Path(__file__).parent.parent


def modelwatch(*args, **kwargs):
    return subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, **kwargs)


@pytest.fixture
def config(tmp_path):
    def write(text, name="modelwatch.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path
    return write


def validate(path, *more):
    return modelwatch("daemon", "--validate", f"--config={path}", *more)


def test_good_configuration(config):
    done = validate(config("mode: alert\nmetrics: {listen: '127.0.0.1:9464'}\n"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the configuration and the policy are good\n"


@pytest.mark.parametrize("text, where, why", [
    ("mode: deny\nmoode: kill\n", "2:1", "no key 'moode' in the configuration"),
    ("metrics:\n  listen: 0.0.0.0:9464\n", "2:11", "is reached from elsewhere"),
    ("ring: {bytes: many}\n", "1:15", "no power of two"),
    ("mode: {deny: true}\n", "1:7", "mode must be a single value"),
    ("mode: \x1b[31mred\n", None, "no valid YAML"),
])
def test_wrong_configuration_is_named(config, text, where, why):
    path = config(text)
    done = validate(path)
    assert (done.returncode, done.stdout) == (125, "")
    assert why in done.stderr
    assert "\x1b" not in done.stderr
    if where:
        assert done.stderr.startswith(f"modelwatch: {path}:{where}: ")


def test_files_beside_it_are_read_and_named(config):
    path = config("mode: alert\n")
    beside = config("mode: alert\nlabels: north\n", "conf.d/10.yaml")
    done = validate(path)
    assert done.returncode == 125
    assert done.stderr.startswith(f"modelwatch: {beside}:2:9: labels must be a mapping")


def test_wrong_policy_is_named(config, tmp_path):
    policy = config("version: 1\nrules:\n  - {name: x, effekt: write, verdict: allow}\n", "p.yaml")
    for path, more in ((config(f"policy: {policy}\n"), []),
                       (config("", "empty.yaml"), [f"--policy={policy}"])):
        done = validate(path, *more)
        assert done.returncode == 125
        assert done.stderr.startswith(f"modelwatch: {policy}:3:")


def test_a_file_that_everybody_can_write_is_refused(config):
    path = config("mode: alert\n")
    path.chmod(0o666)
    done = validate(path)
    assert done.returncode == 125
    assert done.stderr == f"modelwatch: {path}: everybody can write it\n"


def test_a_named_file_has_to_be_there(tmp_path):
    done = validate(tmp_path / "none.yaml")
    assert done.returncode == 125
    assert "none.yaml: No such file" in done.stderr


@pytest.mark.parametrize("args, why", [
    (["--mode=allow"], "--mode=allow: it is observe, alert, deny or kill"),
    (["--alerts=/x/%z", "--validate"], "alerts: /x/%z: after % comes"),
    (["--nonsense"], "no option --nonsense"),
    (["--foreground", "now"], "unexpected argument now"),
])
def test_usage_errors(args, why):
    done = modelwatch("daemon", *args)
    assert (done.returncode, done.stdout) == (125, "")
    assert why in done.stderr


def test_only_root_runs_it(nobody, tmp_path):
    setpriv, program = nobody
    done = subprocess.run([*setpriv, program, "daemon", "--foreground"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 125
    assert "it has to be run by root" in done.stderr
    done = subprocess.run([*setpriv, program, "daemon", "--validate"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0  # no privilege is needed to look


def test_status_of_no_daemon(tmp_path):
    done = modelwatch("status", f"--socket={tmp_path}/none.sock")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("modelwatch: no modelwatch daemon is running")
    assert modelwatch("status", "--json", "x").returncode == 125


def test_doctor_tries_the_kernel_as_root_alone(nobody):
    import json

    setpriv, program = nobody
    as_root = json.loads(modelwatch("doctor", "--json").stdout)["kernel"]
    rungs = {rung["name"]: rung for rung in as_root}
    assert {"uprobes", "lineage", "call probes", "LSM"} <= set(rungs)
    for rung in as_root:
        assert rung["state"] in ("on", "off")
        assert (rung["cost"] is None) == (rung["state"] == "on")
    done = subprocess.run([*setpriv, program, "doctor", "--json"], capture_output=True, text=True,
                          timeout=300)
    assert json.loads(done.stdout)["kernel"] is None


def test_every_key_is_documented():
    keys = re.findall(r'\{\.name = "(\w+)", \.(?:take|below)',
                      (ROOT / "tools/daemon_keys.c").read_text())
    page = (ROOT / "docs/man/modelwatch-daemon.8").read_text()
    assert len(keys) > 15
    assert [key for key in keys if not re.search(rf"^\.It Li .*\b{key}\b", page, re.M)] == []


def test_the_service_is_installed_as_it_is_called(tmp_path):
    build = os.environ.get("MODELWATCH_BUILD", ROOT / "build")
    subprocess.run(["make", "-s", f"O={build}", "PREFIX=/opt/mw", f"DESTDIR={tmp_path}",
                    "install"], cwd=ROOT, check=True, timeout=300)
    unit = tmp_path / "opt/mw/lib/systemd/system/modelwatch.service"
    command = re.search(r"^ExecStart=(\S+) (.*)$", unit.read_text(), re.M)
    assert (tmp_path / command[1].lstrip("/")).exists()
    assert command[2] == "daemon --foreground"
    assert not re.search(r"@[A-Z]+@", unit.read_text())
    if shutil.which("systemd-analyze"):
        (tmp_path / "modelwatch.service").write_text(
            unit.read_text().replace(command[1], "/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no",
                               tmp_path / "modelwatch.service"], capture_output=True, text=True,
                              timeout=60)
        assert "modelwatch.service" not in done.stderr, done.stderr
