"""Secrets stay out: planted in arguments, addresses, paths, names and stacks, found in no output."""
import base64
import json
import random
import string
import subprocess
import sys

import pytest

from conftest import PROGRAM, run

LETTERS = string.ascii_letters + string.digits


def noise(length, alphabet=LETTERS, seed=0):
    """Different for every secret, the same in every run; put together here so that nothing in this
    repository looks like a secret to those who scan for them."""
    return "".join(random.Random(seed * 1000 + length).choices(alphabet, k=length))


HEX = "0123456789abcdef"
# kind of place in a command line -> (text around the secret, the secret)
SECRETS = [
    ("https://{}@example.org/x", "user:" + noise(16, seed=1)),
    ("https://example.org/x?token={}", noise(32, seed=2)),
    ("https://example.org/x?a=1&X-Amz-Signature={}", noise(64, HEX, 3)),
    ("postgres://app:{}@db/x", noise(18, seed=4)),
    ("AWS_SECRET_ACCESS_KEY={}", noise(40, seed=5)),
    ("{}", "AKIA" + noise(16, string.ascii_uppercase + "234567", 6)),
    ("{}", "ghp_" + noise(36, seed=7)),
    ("{}", "github_pat_" + noise(22, seed=8) + "_" + noise(59, seed=9)),
    ("{}", "glpat-" + noise(20, seed=10)),
    ("{}", "hf_" + noise(34, seed=11)),
    ("WANDB_API_KEY={}", noise(40, HEX, 12)),
    ("{}", "sk-ant-api03-" + noise(80, seed=13)),
    ("{}", "sk-" + noise(48, seed=14)),
    ("{}", "xoxb-" + noise(12, string.digits, 15) + "-" + noise(24, seed=16)),
    ("https://hooks.slack.com/services/{}", "T" + noise(8, seed=17) + "/B" + noise(8, seed=18) + "/" + noise(24, seed=19)),
    ("{}", "sk_live_" + noise(24, seed=20)),
    ("{}", "AIza" + noise(35, seed=21)),
    ("{}", "ya29." + noise(60, seed=22)),
    ("{}", "npm_" + noise(36, seed=23)),
    ("{}", "pypi-AgEIcHlwaS5vcmc" + noise(70, seed=24)),
    ("{}", "SG." + noise(22, seed=25) + "." + noise(43, seed=26)),
    ("{}", ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (
        b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1234567890","name":"x"}', b"0123456789abcdef" * 2))),
    ("Authorization: Bearer {}", noise(40, seed=27)),
    ("Authorization: Basic {}", base64.b64encode(b"user:" + noise(12, seed=28).encode()).decode()),
    ("password={}", noise(14, seed=29)),
    ("api_key: {}", noise(32, seed=30)),
    ("--token={}", noise(24, seed=31)),
    ("PGPASSWORD={}", noise(12, seed=32)),
    ("-----BEGIN " + "PRIVATE KEY-----\n{}\n-----END " + "PRIVATE KEY-----", noise(64, seed=33)),
    ("Cookie: session={}", noise(32, seed=34)),
    ("client_secret={}", noise(40, seed=35)),
]

LOAD = """
import pickle, sys
class Act:
    def __reduce__(self):
        import os, shutil, subprocess
        return eval(sys.argv[1])
stream = pickle.dumps(Act(), 4)
sys.argv[1:] = []
pickle.loads(stream)
"""
PLACES = {
    "argument": "(subprocess.run, (['true', {0!r}],))",
    "shell": "(os.system, ({0!r},))",
    "path": "(os.mkdir, ('/tmp/' + {0!r}.replace('/', '%'),))",
    "after an option": "(subprocess.run, (['curl', '-H', {0!r}],))",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_planted(place, tmp_path):
    leaks = []
    for number, (around, secret) in enumerate(SECRETS):
        if "os.mkdir" in place and "://" in around:
            continue  # an address is none without its slashes
        act = place.format(around.format(secret))
        result = run([sys.executable, "-c", LOAD, act], tmp_path / f"alerts{number}",
                     options=["--format=text"])
        text = (tmp_path / f"alerts{number}").read_text() + result.stderr
        needle = secret.replace("/", "%") if "os.mkdir" in place else secret
        if needle in text or noise_of(needle) in text:
            leaks.append((around, [l for l in text.splitlines() if noise_of(needle) in l][:1]))
        assert result.alerts, around
    assert not leaks


STACK = """
import os, pickle, sys
class Act:
    def __reduce__(self):
        return os.system, ("true " + sys.argv[1],)
pickle.loads(pickle.dumps(Act()))
"""


def outputs(alerts, tmp_path):
    """All that modelwatch says of the alerts of a file, by what says it."""
    page = tmp_path / "page.html"
    ids = {json.loads(line)["id"] for line in alerts.read_text().splitlines()}
    commands = [["report", f"--html={page}", alerts], ["report", "--json", alerts],
                ["policy", "explain", alerts]]
    for alert in ids:
        commands += [["why", f"--alerts={alerts}", alert], ["policy", "explain", f"--alerts={alerts}", alert],
                     ["policy", "allow", "--reason=r", "--owner=o", f"--alerts={alerts}", alert]]
    said = {"alerts": alerts.read_text()}
    for command in commands:
        done = subprocess.run([PROGRAM, *map(str, command)], capture_output=True, text=True, timeout=60)
        said[" ".join(map(str, command))] = done.stdout + done.stderr
    said["page"] = page.read_text()
    return said


def test_planted_in_stacks_and_looked_for_in_every_output(tmp_path):
    """In the paths of the job's own files, in its arguments and in the call."""
    leaks = []
    for number, (around, secret) in enumerate(SECRETS):
        text = around.format(secret)
        if "://" in text or "\n" in text:
            continue  # no name of a directory
        needle = noise_of(secret.replace("/", "%"))
        directory = tmp_path / str(number) / text.replace("/", "%")
        directory.mkdir(parents=True)
        (directory / "job.py").write_text(STACK)
        alerts, learnt = tmp_path / f"alerts{number}", tmp_path / f"learnt{number}"
        done = run([sys.executable, str(directory / "job.py"), text], alerts, options=["--format=text"])
        subprocess.run([PROGRAM, "run", "--quiet", f"--learn={learnt}", "--", sys.executable,
                        directory / "job.py", text], capture_output=True, timeout=60)
        said = outputs(alerts, tmp_path)
        ours, *traceback = done.stderr.split("Traceback (most recent call last)")  # that is Python's own
        said["stderr"] = ours + traceback[-1].split("UnsafeLoadError: ")[-1]
        said["learnt"] = (learnt / "policy.yaml").read_text() + (learnt / "alerts.jsonl").read_text()
        assert done.alerts[0]["python_stack"] and len(said) >= 10, around
        leaks += [(around, where) for where, what in said.items() if needle in what]
    assert not leaks


def noise_of(secret):
    """The longest run of letters and digits: what gives it away."""
    return max(("".join(c if c in LETTERS else " " for c in secret)).split(), key=len)


def test_next_argument(tmp_path):
    secret = noise(20, seed=40)
    act = f"(subprocess.run, (['true', '--password', {secret!r}],))"
    result = run([sys.executable, "-c", LOAD, act], tmp_path / "alerts")
    assert result.alerts[0]["effect"]["detail"]["argv"][:2] == ["true", "--password"]
    assert secret not in result.alerts[0]["title"] + str(result.alerts[0]["effect"])


def test_names_in_the_stream(tmp_path):
    secret = "hf_" + noise(34, seed=41)
    stream = b"\x80\x04cposix\nsystem\n" + b"X" + len(secret).to_bytes(4, "little") + secret.encode()
    (tmp_path / "model.pkl").write_bytes(stream + b"\x85R.")
    load = "import pickle; pickle.load(open('model.pkl', 'rb'))"
    result = run([sys.executable, "-c", load], tmp_path / "alerts", cwd=tmp_path)
    text = (tmp_path / "alerts").read_text()
    assert result.alerts and secret not in text and "<redacted:" in text
    # The exception is the job's own, and redacted too.
    assert secret not in "".join(l for l in result.stderr.splitlines() if "UnsafeLoadError" in l)
