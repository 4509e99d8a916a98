"""The policy from outside: its layers, what rules ask about, bad input, and `modelwatch policy`."""
import datetime
import hashlib
import json
import os
import pickle
import re
import resource
import shutil
import subprocess
import sys
import textwrap

import pytest

from conftest import PROGRAM, ROOT, run

PYTHON = sys.executable
CASES = ROOT / "tests" / "policy" / "default.yaml"

LOAD = """
import pickle, sys
try:
    with open(sys.argv[1], "rb") as file:
        print("loaded", pickle.load(file))
except Exception as error:
    print(type(error).__name__)
"""


class Call:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def model(path, *effects):
    path.write_bytes(pickle.dumps([Call(*effect) for effect in effects]))
    return path


@pytest.fixture
def evil(tmp_path):
    """A model that touches a file, and that file."""
    directory = tmp_path / "models"
    directory.mkdir()
    return model(directory / "evil.pkl", (os.system, f"touch {tmp_path}/effect"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory with nothing in it."""
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return directory


def policy(path, *rules, top=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"version: 1\n{top}rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules))
    return path


def load(artifact, tmp_path, *options, mode="deny", **kwargs):
    alerts = tmp_path / "alerts.jsonl"
    alerts.unlink(missing_ok=True)
    return run([PYTHON, "-c", LOAD, str(artifact)], alerts, mode=mode, options=options, **kwargs)


def ask(*args, **kwargs):
    return subprocess.run([PROGRAM, "policy", *map(str, args)], capture_output=True, text=True,
                          timeout=120, **kwargs)


ALLOW = "verdict: allow, reason: a test, owner: tests"


def passes(tmp_path):
    """Whether the model had its effect since the last time."""
    there = (tmp_path / "effect").exists()
    (tmp_path / "effect").unlink(missing_ok=True)
    return there


# What rules ask about, in real loads. The first of each pair matches the model, the second does not.

def fields_of(evil, tmp_path):
    sha256 = hashlib.sha256(evil.read_bytes()).hexdigest()
    other = "0" * 64
    return {
        "call": ("posix.system", "posix.popen"),
        "module": ("posix", "nt"),
        "entry": ("pickle.load", "torch.load"),
        "origin": ("file", "bytes"),
        "artifact": (f'"{evil.parent}/*.pkl"', f'"{evil.parent}/*.pt"'),
        "sha256": (sha256, other),
        "stream_sha256": (sha256, other),
        "argv": (f'"sh -c touch {tmp_path}/effect"', '"sh -c touch"'),
        "executable": ("/bin/sh", "/bin/bash"),
        "executable_owner": ("root", "1"),
        "op": ("os.system", "os.exec"),
        "global": ("posix.system", "posix"),
        "cause": ("call", "import"),
        "uid": (str(os.getuid()), "4242"),
        "group": (f"[{', '.join(map(str, os.getgroups() or [0]))}]", "4242"),
        "labels": ('"team=v*"', '"team=x"'),
        "job": ('"slurm:7*"', '"pbs:77"'),
    }


@pytest.mark.parametrize("field", ["call", "module", "entry", "origin", "artifact", "sha256",
                                   "stream_sha256", "argv", "executable", "executable_owner", "op",
                                   "global", "cause", "uid", "group", "labels", "job"])
def test_a_rule_asks_about(field, evil, tmp_path, home):
    if field == "group" and not os.getgroups():
        pytest.skip("this process has no supplementary groups; tests/unit/test_policy_file.c has")
    environment = {**os.environ, "SLURM_JOB_ID": "77"}
    for value, matches in zip(fields_of(evil, tmp_path)[field], (True, False)):
        rules = policy(tmp_path / "p.yaml", f"name: it, effect: exec, {field}: {value}, {ALLOW}")
        done = load(evil, tmp_path, f"--policy={rules}", "--label=team=vision", env=environment)
        assert passes(tmp_path) == matches
        assert bool(done.alerts) != matches
        if done.alerts:
            assert done.alerts[0]["policy"]["rule"] == "load-exec"
            assert done.alerts[0]["labels"] == {"team": "vision"}


def test_a_directory_of_the_artifact(tmp_path, home):
    directory = tmp_path / "models"
    directory.mkdir()
    inside, outside = directory / "out", tmp_path / "out"
    rules = policy(tmp_path / "p.yaml",
                   f'name: it, effect: write, path: "{{artifact_dir}}/**", {ALLOW}')
    for name, target, allowed in (("in", inside, True), ("out", outside, False),
                                  ("dots", f"{directory}/../out", False),
                                  ("link", f"{directory}/link/out", False)):
        if name == "link":
            (directory / "link").symlink_to(tmp_path)
        artifact = model(directory / f"{name}.pkl", (open, str(target), "w"))
        done = load(artifact, tmp_path, f"--policy={rules}")
        assert not done.alerts == allowed, name
        assert not outside.exists()
    assert inside.exists()


def test_a_link_in_the_way_is_followed(tmp_path, home):
    """What a path says is not where it leads."""
    scratch, target = tmp_path / "scratch", tmp_path / "target"
    scratch.mkdir()
    (scratch / "link").symlink_to(target)
    (scratch / "up").symlink_to(tmp_path)
    rules = policy(tmp_path / "p.yaml",
                   f'name: it, effect: write, path: "{scratch}/**", {ALLOW}')
    for path in (scratch / "link", scratch / "up" / "target", f"{scratch}/../target",
                 f"{scratch}/./../scratch/../target", f"/proc/self/root{target}",
                 f"{scratch}/{'./' * 600}../target"):
        done = load(model(tmp_path / "m.pkl", (open, str(path), "w")), tmp_path,
                    f"--policy={rules}")
        assert done.alerts and not target.exists(), path
    done = load(model(tmp_path / "m.pkl", (open, f"{scratch}/../scratch/good", "w")), tmp_path,
                f"--policy={rules}")
    assert not done.alerts and (scratch / "good").exists()


def test_a_directory_descriptor_is_no_way_out(tmp_path, home):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    rules = policy(tmp_path / "p.yaml", f'name: it, effect: write, path: "{scratch}/**", {ALLOW}',
                   f"name: partial, effect: code, {ALLOW}")
    code = textwrap.dedent(f"""
        import functools, os, pickle, sys
        directory = os.open(sys.argv[1], os.O_RDONLY)
        class Call:
            def __init__(self, function, *args):
                self.call = functools.partial(function, dir_fd=directory), args
            def __reduce__(self):
                return self.call
        for call in (Call(os.open, "effect", os.O_CREAT | os.O_WRONLY), Call(os.mkdir, "made")):
            try:
                pickle.loads(pickle.dumps(call))
            except Exception as error:
                print(type(error).__name__)
    """)
    for directory, allowed in ((tmp_path, False), (scratch, True)):
        done = run([PYTHON, "-c", code, str(directory)], tmp_path / "a",
                   options=[f"--policy={rules}"], cwd=scratch)
        assert (directory / "effect").exists() == (directory / "made").exists() == allowed, done.stderr


def test_a_later_stream_of_a_file_finds_what_was_prepared(tmp_path, home):
    """Formats are made of several streams: what the first one does to the environment in memory decides
    what a module that the second one imports starts."""
    artifact, effect = tmp_path / "m.pkl", tmp_path / "effect"
    code = textwrap.dedent(f"""
        import pickle, sys
        for i in range(2):
            with open({str(artifact)!r}, "rb") as file:
                file.seek(ENDS[i])
                try:
                    pickle.load(file)
                except Exception as error:
                    print(type(error).__name__)
    """)
    first = (b"\x80\x04\x8c\x02os\x8c\x0denviron._data\x93" +
             f"cos\nfsencode\n(VBROWSER\ntRcos\nfsencode\n(Vtouch {effect} %s\ntRs.".encode())
    artifact.write_bytes(first + b"cantigravity\ngeohash\n.")
    done = run([PYTHON, "-c", f"ENDS = [0, {len(first)}]\n{code}"], tmp_path / "a")
    assert done.stdout == "UnsafeLoadError\n", done.stderr
    assert not effect.exists()
    assert (done.alerts[0]["rule"], done.alerts[0]["cause"]) == ("load-exec", "import")


def test_a_pinned_program_keeps_its_environment(tmp_path, home):
    """uname of an import is known; with a library that the stream has put before it, it is not."""
    library, artifact = tmp_path / "library", tmp_path / "models" / "m.pkl"
    library.mkdir()
    artifact.parent.mkdir()
    (library / "probes.py").write_text("import os, subprocess\n"
                                       "machine = subprocess.run(['uname', '-p'], env=dict(os.environ), stdout=-3)\n")
    fetch = b"cprobes\nmachine\n."
    prepare = b"\x80\x04\x8c\x02os\x8c\x0denviron._data\x93C%c%bC%c%bs"
    environment = {**os.environ, "PYTHONPATH": str(library)}
    for name, allowed in ((b"LC_ALL", True), (b"LD_PRELOAD", False), (b"PATH", False), (b"COMPILER_PATH", False)):
        artifact.write_bytes(prepare % (len(name), name, 2, b"/x") + fetch)
        done = load(artifact, tmp_path, env=environment)
        assert done.stdout.startswith("loaded") == allowed, (name, done.stderr)
        assert not done.alerts == allowed and (allowed or done.alerts[0]["rule"] == "load-exec")


def test_a_package_looks_for_a_library_after_a_call(tmp_path, home):
    """ctypes.util asks ldconfig, gcc with a temporary file, and ld."""
    library, artifact = tmp_path / "library", tmp_path / "models" / "m.pkl"
    library.mkdir()
    artifact.parent.mkdir()
    (library / "looks.py").write_text("import ctypes.util\nfound = ctypes.util.find_library('there-is-none')\n")
    artifact.write_bytes(b"coperator\nadd\n(I1\nI2\ntR0clooks\nfound\n.")
    done = load(artifact, tmp_path, env={**os.environ, "PYTHONPATH": str(library)})
    assert done.stdout == "loaded None\n" and not done.alerts, done.stderr


# Layers

def in_site(site, command, **kwargs):
    """Runs a command that sees `site` as /etc/modelwatch, in a mount namespace of its own."""
    etc = site.parent / "etc"
    if not etc.exists():
        shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True,
                        ignore=lambda d, names: [n for n in names if n in ("shadow", "gshadow",
                                                                            "ssl", "alternatives")])
    shutil.rmtree(etc / "modelwatch", ignore_errors=True)
    shutil.copytree(site, etc / "modelwatch")
    flags = "-m" if os.getuid() == 0 else "-rm"
    return subprocess.run(["unshare", flags, "sh", "-ec", 'mount --bind "$0" /etc; exec "$@"',
                           str(etc), *command], capture_output=True, text=True, timeout=120, **kwargs)


@pytest.fixture
def site(tmp_path):
    flags = "-m" if os.getuid() == 0 else "-rm"
    if subprocess.run(["unshare", flags, "true"], capture_output=True).returncode:
        pytest.skip("no right to make mount namespaces; tests/unit/test_policy_file.c has the order")
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


def order_of(shown):
    return re.findall(r"^  - (?:\{)?name: ([\w.-]+)", shown, re.M)


def test_the_order_of_layers(tmp_path, home, site):
    policy(site / "policy.yaml", "name: site, verdict: deny", "name: first, final: true, verdict: deny")
    policy(site / "policy.d" / "10-a.yaml", "name: ten, verdict: deny",
           "name: second, final: true, verdict: deny")
    policy(site / "policy.d" / "20-b.yaml", "name: twenty, verdict: deny", top="mode: alert\n")
    (site / "policy.d" / "README").write_text("no policy")
    policy(home / ".config" / "modelwatch" / "policy.yaml", "name: user, verdict: deny",
           top="mode: observe\nlabels: {a: b}\n")
    mine = policy(tmp_path / "p.yaml", "name: mine, verdict: deny")
    done = in_site(site, [PROGRAM, "policy", "show", f"--policy={mine}"])
    assert done.returncode == 0, done.stderr
    assert order_of(done.stdout)[:8] == ["first", "second", "mine", "user", "twenty", "ten", "site",
                                         "session-message"]
    assert "# /etc/modelwatch/policy.d/10-a.yaml:4, severity by the table, final\n" in done.stdout
    assert f"# {mine}:3, severity by the table\n" in done.stdout
    assert "\nmode: observe\n" in done.stdout and '"a": "b"' in done.stdout


def test_the_site_has_the_last_word(tmp_path, home, site, evil):
    allow = policy(tmp_path / "p.yaml", f"name: mine, effect: exec, {ALLOW}")
    command = [PROGRAM, "run", f"--policy={allow}", "--", PYTHON, "-c", LOAD, str(evil)]
    policy(site / "policy.yaml", "name: site, effect: exec, verdict: deny")
    done = in_site(site, command)
    assert passes(tmp_path), done.stderr
    policy(site / "policy.yaml", "name: site, effect: exec, final: true, verdict: deny")
    done = in_site(site, command)
    assert not passes(tmp_path)
    assert "rule site" in done.stderr


def test_a_mode_of_the_site_is_a_default(tmp_path, home, site, evil):
    policy(site / "policy.yaml", top="mode: observe\n")
    job = [PYTHON, "-c", LOAD, str(evil)]
    in_site(site, [PROGRAM, "run", "--", *job])
    assert passes(tmp_path)
    in_site(site, [PROGRAM, "run", "--mode=deny", "--", *job])
    assert not passes(tmp_path)


def test_what_everybody_can_write_is_no_policy(tmp_path, home):
    mine = policy(home / ".config" / "modelwatch" / "policy.yaml", f"name: mine, effect: exec, {ALLOW}")
    mine.chmod(0o666)
    done = subprocess.run([PROGRAM, "run", "--", "true"], capture_output=True, text=True)
    assert done.returncode == 125
    assert done.stderr == f"modelwatch: {mine}: everybody can write it\n"


# Expiry

def test_an_expired_rule_denies_and_says_so(tmp_path, home, evil):
    policy(home / ".config" / "modelwatch" / "policy.yaml",
           f"name: old, effect: exec, expires: 2020-01-31, {ALLOW}")
    done = load(evil, tmp_path)
    assert not passes(tmp_path)
    assert done.alerts[0]["policy"] == {**done.alerts[0]["policy"], "rule": "load-exec", "expired": "old"}
    assert "rule old would have decided, but it has expired" in done.stderr
    assert "expired since 2020-02-01" in ask("show").stdout


def test_a_rule_expires_while_the_job_runs(tmp_path, home, evil):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
    rules = policy(tmp_path / "p.yaml",
                   f'name: soon, effect: exec, expires: "{soon:%Y-%m-%dT%H:%M:%SZ}", {ALLOW}')
    code = textwrap.dedent(f"""
        import os, pickle, time
        def load():
            try:
                pickle.load(open({str(evil)!r}, "rb"))
            except Exception as error:
                return type(error).__name__
        print(load())
        time.sleep(max(0, {soon.timestamp()} - time.time()) + 1.1)
        print(load())
    """)
    done = run([PYTHON, "-c", code], tmp_path / "a", options=[f"--policy={rules}"])
    assert done.stdout == "None\nUnsafeLoadError\n", done.stderr
    assert [alert["policy"]["expired"] for alert in done.alerts if not alert["update"]] == ["soon"]


def test_an_expiry_in_the_past_is_an_error_where_it_is_named(tmp_path, home):
    rules = policy(tmp_path / "p.yaml", f"name: old, expires: 2020-01-31, {ALLOW}")
    done = subprocess.run([PROGRAM, "run", f"--policy={rules}", "--", "touch", tmp_path / "ran"],
                          capture_output=True, text=True)
    assert done.returncode == 125 and not (tmp_path / "ran").exists()
    assert f"{rules}:3:26: expires: 2020-01-31 is in the past" in done.stderr


# Bad input

@pytest.mark.parametrize("text, where, what", [
    ("version: 1\nrules: [{name: a, colour: red}]\n", "2:19", "unknown field 'colour'"),
    ("version: 1\nrules: [{name: a, path: '[x'}]\n", "2:25", "bad pattern"),
    ("version: 1\nrules: [{name: a, verdict: deny}, {name: a, verdict: deny}]\n", "2:35", "already"),
    ("version: 1\nrules: [{name: load-exec, verdict: deny}]\n", "2:9", "built-in policy:"),
    ("version: 1\nsecrets: [[a]]\n", "2:11", "single value"),
    ("version: 1\nmode: off\n", "2:7", "mode 'off'"),
    ("version: 1\nrules: [{name: a, verdict: allow, reason: r}]\n", "2:9", "needs an owner"),
    ("version: 1\nrules: [&a {name: a, verdict: deny}, *a]\n", "2:38", "aliases"),
    ("\x00", "1:1", "YAML"),
])
def test_an_error_starts_nothing(text, where, what, tmp_path, home):
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    for command in (["run", f"--policy={bad}", "--", "touch", f"{tmp_path}/ran"],
                    ["policy", "check", bad], ["policy", "show", f"--policy={bad}"]):
        done = subprocess.run([PROGRAM, *map(str, command)], capture_output=True, text=True)
        assert done.returncode == 125
        assert f"{bad}:{where}: " in done.stderr and what in done.stderr
    assert not (tmp_path / "ran").exists()


def small(command):
    """Runs a command with 600 MiB of address space."""
    limit = 600 << 20
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))


def test_huge_policies_take_bounded_memory(tmp_path, home):
    many = tmp_path / "many.yaml"
    many.write_text("version: 1\nrules:\n" + "".join(
        f"- {{name: r{i}, effect: exec, argv: program-{i} ***, verdict: deny}}\n" for i in range(99900)))
    done = small([PROGRAM, "run", f"--policy={many}", "--", "true"])
    assert (done.returncode, done.stderr) == (0, "")
    with many.open("a") as file:
        file.write("".join(f"- {{name: s{i}, verdict: deny}}\n" for i in range(200)))
    done = small([PROGRAM, "run", f"--policy={many}", "--", "true"])
    assert done.returncode == 125 and "more than 100000 rules" in done.stderr
    anchors = tmp_path / "anchors.yaml"
    anchors.write_text("version: 1\nlabels:\n  a: &a0 x\n" + "".join(
        f"  k{i}: &a{i + 1} {'y' * 40}\n" for i in range(180000)) + "  b: *a0\n")
    assert anchors.stat().st_size > 10 << 20
    done = small([PROGRAM, "run", f"--policy={anchors}", "--", "true"])
    assert done.returncode == 125 and "aliases" in done.stderr
    broad = tmp_path / "broad.yaml"
    broad.write_text("version: 1\nsecrets: ['/*/*/*/*/*/*/*', '/proc/*/task/*/fd/*']\n")
    done = small([PROGRAM, "run", f"--policy={broad}", "--", "true"])
    assert (done.returncode, done.stderr) == (0, "")
    nested = tmp_path / "nested.yaml"
    nested.write_text("version: 1\nrules: " + "[" * 5000000)
    done = small([PROGRAM, "run", f"--policy={nested}", "--", "true"])
    assert done.returncode == 125 and re.search(r":2:\d+: ", done.stderr)


# modelwatch policy

def test_the_built_in_policy_decides_as_its_table_says():
    done = ask("test", CASES)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d+ cases, 0 failed\n", done.stdout)


def test_every_built_in_rule_is_in_the_table():
    rules = re.findall(r"^  - (?:\{)?name: ([\w-]+)", (ROOT / "core/default-policy.yaml").read_text(), re.M)
    table = CASES.read_text()
    assert [r for r in rules if not re.search(rf"rule: {r}\b", table)] == []


# Every rule that allows: an honest program that needs it, and an attack that tries to hide behind it.
ALLOWED = {
    "session-message": ("multiprocess", "session_pipe"),
    "library-environment": ("cold_torch", "read_environment"),
    "import-bytecode": ("cold_bytecode", "bytecode_anywhere"),
    "import-extension": ("cold_ctypes", "import_extension_below_entry"),
    "import-code": ("import_chain", "import_planted"),
    "import-probe": ("machine_facts_at_import", "forged_import_frames"),
    "import-loopback-probe": ("machine_facts_at_import", "listen_tcp"),
    "import-name-service": ("native_kernels", "unix_socket"),
    "import-scratch": ("machine_facts_at_import", "open_write"),
    "loader": ("network_file", "loader_hook"),
    "library-code-pages": ("native_kernels", "mmap_executable"),
    "library-opens-library": ("native_kernels", "ctypes_cdll"),
    "library-scratch": ("native_kernels", "sqlite"),
    "library-probe": ("native_kernels", "ctypes_system"),
    "shared-memory-tracker": ("shared_memory_elsewhere", "tracker_with_a_path"),
    "call-rebuilds-code": ("stored_functions", "cloudpickle_function"),
    "call-null-device": ("quiet_output", "os_open"),
    "call-semaphore": ("lock_in_setstate", "semaphore_by_open"),
    "call-semaphore-name": ("lock_in_setstate", "semaphore_of_others"),
    "call-setstate-scratch": ("mkdtemp_in_setstate", "setstate_of_another"),
}


def blocks():
    """The built-in rules as they are written, by name."""
    rules = (ROOT / "core/default-policy.yaml").read_text().split("\nrules:\n")[1]
    found = re.findall(r"^(  - (?:\{)?name: ([\w-]+)(?:.*\n)(?:    .*\n)*)", rules, re.M)
    return {name: text for text, name in found}


def test_every_rule_that_allows_has_both_sides():
    assert {name for name, text in blocks().items() if "verdict: allow" in text} == set(ALLOWED)
    for honest, attack in ALLOWED.values():
        assert (ROOT / "tests" / "attacks" / f"{attack}.toml").exists(), attack
        assert (ROOT / "tests" / "honest" / f"{honest}.py").exists(), honest


NEEDS = {"library-environment": "torch", "call-null-device": "dill", "call-rebuilds-code": "dill"}


def path_with_modprobe(directory):
    """PATH with the program that makes the devices of NVIDIA cards, which counts when it is root's."""
    if os.getuid():
        pytest.skip("only root can put the program there; the table of cases has the rule")
    directory.mkdir()
    shutil.copy("/bin/true", directory / "nvidia-modprobe")
    return f"{directory}:{os.environ['PATH']}"


@pytest.mark.parametrize("rule", ALLOWED)
def test_an_honest_program_needs_it(rule, tmp_path, home):
    """With a copy of the rule that only alerts, the copy does. (What it starts may have effects too.)"""
    honest = ROOT / "tests" / "honest" / f"{ALLOWED[rule][0]}.py"
    if rule in NEEDS:
        pytest.importorskip(NEEDS[rule])
    copy = tmp_path / "copy.yaml"
    copy.write_text("version: 1\nrules:\n" + blocks()[rule].replace(f"name: {rule}", "name: copy")
                    .replace("verdict: allow", "verdict: alert"))
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if rule == "library-probe":
        environment["PATH"] = path_with_modprobe(tmp_path / "bin")
    done = run([PYTHON, str(honest)], tmp_path / "a", options=[f"--policy={copy}"], env=environment)
    assert "copy" in {alert["rule"] for alert in done.alerts}, done.stderr


def test_a_case_that_fails_is_told(tmp_path, home):
    cases = tmp_path / "cases.yaml"
    cases.write_text("version: 1\ncases:\n"
                     "  - {name: wrong, effect: exec, expect: allow}\n"
                     "  - {name: right, effect: exec, expect: deny}\n")
    done = ask("test", cases)
    assert done.returncode == 1
    assert done.stdout == (f"{cases}:3: wrong: expected allow, but it is deny by rule load-exec "
                           f"(built-in policy:{line_of('load-exec')})\n2 cases, 1 failed\n")
    for text, what in (("cases: x\n", "table of cases"), ("version: 1\ncases: [{effect: fly, expect: deny}]\n",
                       "wrong effect"), ("version: 1\ncases: [{effect: exec}]\n", "no expect"),
                       ("version: 1\ncases: [{effect: exec, colour: x, expect: deny}]\n", "unknown field colour"),
                       ("version: 1\ncases: [*a]\n", "aliases"), ("[" * 1000, "too deeply"),
                       ("version: 1\ncases: []\n---\ncases: []\n", ":3:1: there is a second document")):
        cases.write_text(text)
        done = ask("test", cases)
        assert done.returncode == 125 and what in done.stderr, done.stderr


def line_of(rule):
    lines = (ROOT / "core/default-policy.yaml").read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if f"name: {rule}" in line)


def test_check_finds_shadows_and_rules_that_never_match(tmp_path, home):
    rules = policy(tmp_path / "p.yaml",
                   f'name: wide, effect: write, path: "/srv/**", {ALLOW}',
                   'name: narrow, effect: write, path: "/srv/a/*", cause: call, verdict: deny',
                   'name: other, effect: write, path: "/opt/a/*", verdict: deny',
                   'name: beside, effect: [write, read], path: "/srv/a", verdict: deny',
                   'name: ports, effect: connect, port: 80-90, verdict: deny',
                   'name: port, effect: connect, port: 85, address: 10.0.0.0/8, verdict: deny',
                   'name: never, effect: write, argv: "x", verdict: deny',
                   'name: both, unix: /run/x, port: 1, verdict: deny')
    done = ask("check", rules)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{rules}:4:5: rule 'narrow' is shadowed by 'wide' ({rules}:3)",
        f"{rules}:8:5: rule 'port' is shadowed by 'ports' ({rules}:7)",
        f"{rules}:9:5: rule 'never' never matches: no effect has all the fields that it asks for",
        f"{rules}:10:5: rule 'both' never matches: no socket has an address and a path"]
    final = policy(tmp_path / "f.yaml", "name: a, effect: exec, final: true, verdict: deny")
    assert ask("check", final).returncode == 125
    assert ask("check", "--site", final).returncode == 0
    old = policy(tmp_path / "o.yaml", f"name: a, expires: 2020-01-01, {ALLOW}")
    done = ask("check", "--site", old)
    assert done.returncode == 1 and "it has expired" in done.stdout


def test_check_names_what_keeps_the_kernel_from_refusing(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\nrules:\n"
                     "  - {name: by-file, effect: exec, artifact: ['/srv/**'], verdict: allow, reason: r, owner: o}\n"
                     "  - {name: quiet, effect: send, verdict: alert}\n")
    done = ask("check", "--for=daemon", rules)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert "exec by a call of the stream: not refused: the kernel cannot tell what rule 'by-file' lets happen" in lines
    assert "send by a call of the stream: not refused, by rule 'quiet'" in lines
    assert "write by a call of the stream: refused in the kernel" in lines
    assert not ask("check", "--for=run", rules).stdout
    assert ask("check", "--for=nobody", rules).returncode == 125


def test_what_show_prints_is_a_policy(tmp_path, home):
    shown = tmp_path / "shown.yaml"
    text = ask("show").stdout
    # Its rules are the built-in ones, whose names are taken.
    shown.write_text(re.sub(r"name: ([\w-]+)", r"name: my-\1", text))
    assert ask("show", f"--policy={shown}").returncode == 0
    assert ask("test", f"--policy={shown}", CASES).stdout.count("by rule my-") > 50


def test_explain_names_the_rule_and_the_next(tmp_path, home, evil):
    rules = policy(tmp_path / "p.yaml", "name: mine, effect: exec, call: posix.system, verdict: deny, "
                                        "reason: not here, owner: ann")
    done = load(evil, tmp_path, f"--policy={rules}")
    alert = done.alerts[0]
    expected = [f"alert {alert['id']}: {alert['title']}", "  then      deny by rule mine",
                f"  now       deny by rule mine ({rules}:3), severity critical by the table", "            because: not here",
                "            owner: ann",
                f"  next      deny by rule load-exec (built-in policy:{line_of('load-exec')}), "
                "severity critical by the table", "  next      deny by rule none, severity critical by the table"]
    for what in ([tmp_path / "alerts.jsonl"], [alert["id"], f"--alerts={tmp_path}/alerts.jsonl"],
                 [alert["id"]]):
        done = ask("explain", f"--policy={rules}", *what)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == expected
    strange = tmp_path / "strange.jsonl"
    strange.write_text("".join(json.dumps({**alert, "id": id, "cause": cause}) + "\n" for id, cause in (
        ("f" + alert["id"][1:], "fly"), (alert["id"], alert["cause"]))))
    done = ask("explain", f"--policy={rules}", strange)
    assert done.returncode == 1 and "has a wrong cause" in done.stderr
    assert done.stdout.splitlines() == expected
    assert ask("explain", "0123-ffff").returncode == 1
    assert ask("explain", tmp_path / "none").returncode == 125


@pytest.mark.parametrize("args", [[], ["fly"], ["show", "x"], ["show", "--x"], ["check"], ["test"],
                                  ["explain"], ["explain", "a", "b"]])
def test_wrong_words_are_told(args):
    done = ask(*args)
    assert done.returncode == 125 and done.stderr
