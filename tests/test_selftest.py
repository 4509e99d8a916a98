"""`modelwatch selftest`: from a load to what sinks have acknowledged."""
import json
import signal
import subprocess
import sys

import pytest

from conftest import PROGRAM


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("selftest")


@pytest.fixture(scope="module")
def daemon(daemons, place):
    """As it is installed, with a sink, and one that is only for what is worse."""
    return daemons(mode="observe", config=[
        f"spool: {{path: {place}/spool.db}}",
        f"sinks: [{{name: siem, type: file, path: {place}/siem.jsonl}},",
        f"  {{name: pager, type: file, path: {place}/pager.jsonl, rules: [secret-*]}}]"])


def selftest(*options, **more):
    return subprocess.run([PROGRAM, "selftest", f"--python={sys.executable}", *options], capture_output=True, text=True, **more)


def of(daemon):
    return f"--socket={daemon.socket}", f"--config={daemon.config}"


def test_an_alert_is_followed_to_its_sink(daemon, place):
    done = selftest(*of(daemon))
    assert done.returncode == 0, done.stdout + done.stderr
    first, siem, pager = done.stdout.splitlines()
    assert first.startswith("daemon: observed, alert ") and siem.startswith("siem: acknowledged after ")
    assert pager == "pager: is not to have an alert like this"
    number = first.split()[3]
    records = [json.loads(line) for line in (place / "siem.jsonl").read_text().splitlines()]
    record = next(record for record in records if record.get("id") == number)
    model = record["load"]["artifact"]["path"]
    assert model.startswith("/tmp/modelwatch-selftest-") and record["load"]["call"] == "posix.mkdir"
    assert not (daemon.directory / model).parent.exists(), "it leaves something behind"


def test_a_sink_that_does_not_answer_is_told(daemon, place):
    daemon.configure(f"spool: {{path: {place}/spool.db}}", "sinks: [{name: siem, type: syslog, address: tcp://127.0.0.1:9}]")
    daemon.signal(signal.SIGHUP)
    done = selftest(*of(daemon), "--timeout=5")
    assert (done.returncode, "siem: no acknowledgement yet" in done.stderr) == (1, True), done.stdout + done.stderr


def test_without_a_daemon_or_a_sink_it_says_so(daemon, place, tmp_path):
    done = selftest(f"--socket={tmp_path}/none")
    assert done.returncode == 1 and "no modelwatch daemon is running" in done.stderr
    empty = tmp_path / "empty.yaml"
    empty.write_text("mode: observe\n")
    empty.chmod(0o600)
    done = selftest(f"--socket={daemon.socket}", f"--config={empty}")
    assert done.returncode == 125 and "no sink is configured" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "3601", ""])
def test_seconds_that_make_no_sense(seconds):
    assert selftest(f"--timeout={seconds}").returncode == 125


def test_an_interpreter_that_is_none(daemon):
    done = selftest(*of(daemon), "--python=/bin/true")
    assert done.returncode == 125 and "did not load the model" in done.stderr
    done = selftest(*of(daemon), "--python=/nowhere")
    assert done.returncode == 125
