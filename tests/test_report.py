"""modelwatch report and modelwatch why: alerts of real loads, and lines that somebody hostile wrote."""
import copy
import html.parser
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import uuid

import pytest
from conftest import PROGRAM, run

BIDI = "\u202e\u2066\u200f\u061c\ufeff"
BREAKOUT = "</script><script>document.title='owned'</script><!--<script>"

POISON = """
import os, sys, torch
class Evil:
    def __init__(self, f, *a): self.f, self.a = f, a
    def __reduce__(self): return self.f, self.a
torch.save({"w": torch.ones(3), "x": Evil(os.system, f"touch {sys.argv[2]}")}, sys.argv[1])
"""
LOAD = """
import sys, torch
for path in sys.argv[1:]:
    try:
        torch.load(path, weights_only=False)
    except Exception as e:
        print(type(e).__name__)
"""


def modelwatch(*args, **kwargs):
    kwargs.setdefault("timeout", 300)
    kwargs.setdefault("text", True)
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, **kwargs)


def model_of(*args, **kwargs):
    done = modelwatch("report", "--json", *args, **kwargs)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The alerts of one poisoned checkpoint, loaded in observe and twice in deny."""
    place = tmp_path_factory.mktemp("real")
    subprocess.run([sys.executable, "-c", POISON, place / "poison.pt", place / "marker"], check=True)
    (place / "load.py").write_text(LOAD)
    command = [sys.executable, "load.py", "poison.pt"]
    seen = run(command, place / "alerts", mode="observe", options=["--quiet"], cwd=place)
    assert seen.returncode == 0 and (place / "marker").exists(), seen.stderr
    both = run([*command, "poison.pt"], place / "alerts", options=["--quiet"], cwd=place)
    assert both.stdout == "UnsafeLoadError\nUnsafeLoadError\n", both.stderr
    return place / "alerts", list({a["id"]: a for a in both.alerts}.values())


@pytest.fixture(scope="module")
def alert(real):
    """One whole alert to make others of."""
    return next(a for a in real[1] if a["outcome"] == "prevented")


def made(alert, **changes):
    """A copy with an ID of its own; keys are paths: load__call="x"."""
    new = copy.deepcopy(alert)
    new["id"] = f"01a2{uuid.uuid4().hex[4:8]}-0000-7000-8000-{uuid.uuid4().hex[:12]}"
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = new
        for name in parents:
            at = at[name]
        at[last] = value
    return new


def write(path, *lines):
    with open(path, "wb") as file:
        for line in lines:
            if isinstance(line, dict):
                line = json.dumps(line)
            file.write((line.encode() if isinstance(line, str) else line) + b"\n")
    return path


# What the report says of real loads

def test_groups_of_real_alerts(real):
    path, alerts = real
    model = model_of(path)
    assert model["schema"] == "modelwatch.report/1"
    assert model["totals"]["count"] == len(alerts)
    assert model["totals"]["prevented"] == 2
    first = model["groups"][0]
    assert (first["rule"], first["call"], first["severity"]) == ("load-exec", "posix.system", "critical")
    assert first["counts"] == {"count": 3, "prevented": 2, "killed_after_effect": 0, "observed": 1,
                               "deny_would_stop": 1}
    assert first["model"]["path"].endswith("/poison.pt")
    assert first["target"].startswith("sh -c 'touch ")
    assert first["first"] < first["last"]
    assert first["python_stack"] and first["native_stack"]
    assert sum(g["counts"]["count"] for g in model["groups"]) == len(alerts)


def test_terminal(real):
    done = modelwatch("report", real[0])
    assert done.returncode == 0
    assert "CRITICAL  3 alerts: 1 not prevented (mode deny would have stopped 1), 2 prevented" in done.stdout
    assert "posix.system at byte " in done.stdout
    assert "\033" not in done.stdout


def test_timeline_and_processes_of_real_alerts(real):
    path, alerts = real
    model = model_of(path)
    times = [moment["time"] for moment in model["timeline"]]
    assert times == sorted(a["time"] for a in alerts)
    nodes = model["processes"]
    keys = [(n["pid"], n["start_time"]) for n in nodes]
    assert len(keys) == len(set(keys))
    assert all(n["parent"] is None or n["parent"] < i for i, n in enumerate(nodes))
    for a in alerts:
        [node] = [n for n in nodes if n["pid"] == a["process"]["pid"] and n["groups"]]
        above = nodes[node["parent"]]
        assert above["pid"] == a["process"]["ancestors"][0]["pid"]
    # The program that a shell became is the same process.
    assert any(len(n["commands"]) > 1 for n in nodes)


def test_time_window(real):
    path, alerts = real
    times = sorted(a["time"] for a in alerts)
    model = model_of(f"--since={times[1]}", f"--until={times[-2]}", path)
    assert model["totals"]["count"] == len(alerts) - 2
    assert model["input"]["outside"] >= 2  # updates too
    assert model_of("--since=2h", path)["totals"]["count"] == len(alerts)
    assert model_of("--until=2h", path)["totals"]["count"] == 0
    assert modelwatch("report", "--until=2h", path).stdout.startswith("no alerts\n")


def test_standard_input_and_the_same_file_twice(real):
    path, alerts = real
    model = model_of("-", path, input=path.read_text())
    assert model["totals"]["count"] == len(alerts)
    assert model["input"]["repeated"] == len(path.read_text().splitlines())


def test_journal_when_no_file_is_named(real, tmp_path):
    environment = {**os.environ, "XDG_STATE_HOME": "relative", "HOME": str(tmp_path)}
    journal = tmp_path / ".local/state/modelwatch/alerts.jsonl"
    missing = modelwatch("report", env=environment)
    assert missing.returncode == 1 and str(journal) in missing.stderr
    journal.parent.mkdir(parents=True)
    shutil.copy(real[0], journal)
    assert model_of(env=environment)["totals"]["count"] == len(real[1])
    environment["XDG_STATE_HOME"] = str(tmp_path / ".local/state")
    environment["HOME"] = "/nonexistent"
    assert model_of(env=environment)["totals"]["count"] == len(real[1])
    told = modelwatch("why", real[1][0]["id"], env=environment)
    assert told.returncode == 0


# Counting

def test_updates_replace_what_was_counted(alert, tmp_path):
    first = made(alert, outcome="observed", load__artifact__sha256=None)
    later = {**copy.deepcopy(first), "update": 1, "outcome": "killed_after_effect"}
    later["load"]["artifact"]["sha256"] = "ab" * 32
    for lines in ([first, later], [later, first], [first, later, first, later]):
        model = model_of(write(tmp_path / "a", *lines))
        [group] = model["groups"]
        assert group["counts"] == {"count": 1, "prevented": 0, "killed_after_effect": 1,
                                   "observed": 0, "deny_would_stop": 0}
        assert group["model"]["sha256"] == "ab" * 32
        assert [m["outcome"] for m in model["timeline"]] == ["killed_after_effect"]


def test_an_update_can_be_more_severe(alert, tmp_path):
    first = made(alert, outcome="prevented", severity="high", rule="a")
    other = made(alert, outcome="prevented", severity="high", rule="b")
    later = {**copy.deepcopy(first), "update": 1, "outcome": "killed_after_effect", "severity": "critical"}
    for lines in ([other, first, later], [later, first, other]):
        model = model_of(write(tmp_path / "a", *lines))
        assert [(group["rule"], group["severity"]) for group in model["groups"]] == [("a", "critical"), ("b", "high")]
        totals = {one["severity"]: one["count"] for one in model["by_severity"]}
        assert (totals["critical"], totals["high"]) == (1, 1)


def test_what_becomes_more_severe_gets_a_group(alert, tmp_path):
    """The groups are full of others that are no less severe than it was."""
    many = [made(alert, severity="high", rule=f"r{i}") for i in range(513)]
    later = {**copy.deepcopy(many[-1]), "update": 1, "severity": "critical"}
    model = model_of(write(tmp_path / "a", *many, later))
    assert (model["groups"][0]["rule"], model["groups"][0]["severity"]) == ("r512", "critical")
    assert model["totals"]["count"] == 513
    assert sum(one["count"] for one in model["in_no_group"]) == 1


@pytest.mark.parametrize("field, value, groups", [
    ("rule", "other", 2), ("load__call", "os.other", 2), ("load__artifact__path", "/other", 2),
    ("load__artifact__stream_sha256", "00" * 32, 2), ("user__uid", 12345, 2),
    ("effect__detail__argv", ["sh", "-c", "other"], 2), ("process__pid", 4, 1),
    ("job", {"kind": "slurm", "id": "7", "step": "0", "rank": 1, "trust": "cgroup"}, 2),
    ("load__id", "0" * 16, 1), ("host__name", "elsewhere", 1), ("effect__detail__op", "x", 1)])
def test_what_makes_a_group(alert, tmp_path, field, value, groups):
    model = model_of(write(tmp_path / "a", made(alert), made(alert, **{field: value})))
    assert len(model["groups"]) == groups


def test_job_rank_does_not_split_a_group(alert, tmp_path):
    job = {"kind": "slurm", "id": "7", "step": "0", "trust": "cgroup"}
    lines = [made(alert, job={**job, "rank": rank}) for rank in range(20)]
    [group] = model_of(write(tmp_path / "a", *lines))["groups"]
    assert group["counts"]["count"] == 20 and group["job"]["id"] == "7"


def test_timeline_keeps_the_first_and_the_last(alert, tmp_path):
    stamps = [f"2026-01-01T00:00:{i:02}.000000000Z" for i in range(60)]
    lines = [made(alert, time=stamps[i * 7 % 60]) for i in range(60)]
    model = model_of(write(tmp_path / "a", *lines))
    assert [m["time"] for m in model["timeline"]] == stamps[:4] + stamps[-4:]
    assert [m["more_after"] for m in model["timeline"]] == [0, 0, 0, 52, 0, 0, 0, 0]
    [group] = model["groups"]
    assert (group["first"], group["last"]) == (stamps[0], stamps[-1])


def test_order(alert, tmp_path):
    lines = [made(alert, severity="low", rule="d"), made(alert, severity="critical", rule="b"),
             made(alert, severity="critical", outcome="observed", rule="a"),
             made(alert, severity="high", rule="c"), made(alert, severity="high", rule="c")]
    model = model_of(write(tmp_path / "a", *lines))
    assert [g["rule"] for g in model["groups"]] == ["a", "b", "c", "d"]


def test_deny_would_not_have_stopped_what_is_only_observed(alert, tmp_path):
    lines = [made(alert, outcome="observed", requested=r) for r in ("observe", "alert", "deny", "kill")]
    [group] = model_of(write(tmp_path / "a", *lines))["groups"]
    assert group["counts"]["observed"] == 4 and group["counts"]["deny_would_stop"] == 2


def test_losses(alert, tmp_path):
    loss = {"schema": "modelwatch.loss/1", "id": alert["id"], "time": alert["time"], "lost": 3,
            "reason": "No space left on device", "version": "0"}
    path = write(tmp_path / "a", made(alert), loss, {**loss, "lost": 4})
    assert model_of(path)["losses"]["lost"] == 7
    assert "7 alerts lost, never written: No space left on device" in modelwatch("report", path).stdout


# Lines that are no good

def test_unreadable_lines_are_counted(alert, tmp_path):
    good = made(alert)
    bad = [b"{", b"nonsense", b"[" * 100000, b'{"a":' * 5000, b"\xff\xfe{}", b"[" + b"0," * 1000000 + b"0]",
           b"x" * (9 << 20), json.dumps(good)[:500].encode(), b"[]", b"null", b'"s"', b"{}",
           b'{"schema":"x/1"}', b'{"schema":"modelwatch.alert/1"}', b"\0", b"1e999",
           *(json.dumps(made(alert, **{k: v})).encode() for k, v in [
               ("id", "x"), ("id", None), ("id", "Z" * 36), ("time", "yesterday"),
               ("time", "2026-02-30T00:00:00Z"), ("time", "9999-01-01T00:00:00Z"), ("severity", "worst"),
               ("outcome", "undone"), ("requested", 3), ("rule", None), ("update", -1),
               ("update", 1 << 40), ("effect", []), ("effect__class", "x")])]
    path = write(tmp_path / "a", good, "", *bad, {"schema": "modelwatch.inventory/1"}, made(alert))
    model = model_of(path)
    assert model["totals"]["count"] == 2
    assert model["input"]["unreadable"] == len(bad)
    assert model["input"]["other"] == 1
    assert model["input"]["files"][0]["first_unreadable"] == 2
    shown = modelwatch("report", path)
    assert shown.returncode == 0
    assert f"{path}: {len(bad)} unreadable lines, the first is line 2" in shown.stdout


def test_fields_of_any_kind(alert, tmp_path):
    """What is not needed may be missing, null, or of another kind."""
    needed = {"schema", "id", "time", "rule", "severity", "outcome", "requested", "update", "effect"}
    lines = []
    for name in alert.keys() - needed:
        for value in (None, 1, "x", [], {}, [1], [[]], [{}], {"id": {}}, True, -5, 1e300):
            lines.append(made(alert, **{name: value}))
    for part in ("load", "process", "effect", "user", "host"):
        for name in alert[part].keys() - {"class"}:
            for value in (None, -1, "x", [], {}, [None], [{"pid": {}}]):
                lines.append(made(alert, **{f"{part}__{name}": value}))
    bare = {k: v for k, v in alert.items() if k in needed}
    path = write(tmp_path / "a", *lines, {**bare, "effect": {"class": "exec"}})
    page = tmp_path / "page.html"
    model = model_of(path, f"--html={page}")
    assert model["totals"]["count"] >= len(lines)
    assert model["input"]["unreadable"] == 0
    assert modelwatch("report", path).returncode == 0
    for line in lines[::3]:
        told = modelwatch("why", line["id"], "--alerts=-", input=json.dumps(line))
        assert told.returncode == 0, told.stderr


def test_no_file_and_no_record(real, tmp_path):
    for path in (tmp_path / "missing", tmp_path, write(tmp_path / "text", "hello", "there")):
        done = modelwatch("report", path, real[0])
        assert done.returncode == 1
        assert str(path) in done.stderr
        assert "CRITICAL" in done.stdout, "the other file is still read"
    assert modelwatch("report", write(tmp_path / "empty")).returncode == 0


@pytest.mark.parametrize("args", [
    ["--nonsense"], ["--since"], ["--since=x"], ["--since=-1h"], ["--since=3y"], ["--since="],
    ["--since=99999999999999999999d"], ["--since=1h", "--until=2h"], ["--html="], ["--json=x"],
    ["--since=2026-13-01T00:00:00Z"], ["--since=2026-01-01"], ["--html=/nonexistent/x"],
    ["--html=/dev/full"]])
def test_report_usage_errors(args, real):
    done = modelwatch("report", *args, real[0])
    assert done.returncode == 125
    assert done.stderr.startswith("modelwatch: ")


def test_page_is_not_written_over_its_input(real, tmp_path):
    path = shutil.copy(real[0], tmp_path / "a")
    (tmp_path / "link").symlink_to(path)
    assert modelwatch("report", f"--html={tmp_path}/link", path).returncode == 125
    assert path.read_text() == real[0].read_text()


def test_full_disk():
    with open("/dev/full", "w") as full:
        for args in (["report", "--help"], ["report", "/dev/null"], ["why", "--help"]):
            assert subprocess.run([PROGRAM, *args], stdout=full).returncode == 125


@pytest.mark.parametrize("command", ["report", "why"])
def test_help(command):
    done = modelwatch(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: modelwatch {command} ")
    assert modelwatch(command, "-h").stdout == done.stdout
    assert f"  {command} " in modelwatch("--help").stdout


# Hostile text

def hostile(alert, port=9):
    """Alerts with every kind of text that wants to be more than text."""
    texts = [BREAKOUT, f"<img src=http://127.0.0.1:{port}/i onerror=\"document.title='owned'\">",
             f"<iframe src=http://127.0.0.1:{port}/f></iframe>", "@MODEL@ @SCRIPT@ %s %n {{x}} ${x}",
             "\033]0;owned\a\033[2J\033[31m", BIDI + "gpj.exe", "a\0b", "\r\n\x0b\x0c\x85\u2028\u2029",
             "\U000e0041\U0010ffff", "'; touch /tmp/owned; '", "x" * (1 << 20), "\u202e" * 100000,
             "<" * 5000, "javascript:alert(1)"]
    for i, text in enumerate(texts):
        new = made(alert, rule=f"r{i} {text[:4000]}", title=f"{text} tried to: prevented")
        new["load"].update(call=text, args=text)
        text = text[:4096]  # so that the line stays below the 8 MiB that are read
        new["load"].update(entry=text, opcode=text)
        new["load"]["artifact"].update(path=f"/{text}", member=text, stream_sha256=text, sha256=text)
        new["load"]["artifact"]["model"] = {"hub": text, "repo": text, "revision": text}
        new["effect"]["detail"].update(argv=[text, text], op=text)
        new["process"].update(argv=[text], exe=text, cwd=text, pid=1000 + i,
                              ancestors=[{"pid": 7, "comm": text, "exe": text, "argv0": text}])
        new["user"]["name"] = new["host"]["name"] = text
        new["job"] = {"kind": text, "id": text, "step": None, "rank": None, "trust": text}
        new["python_stack"] = [{"function": text, "file": text, "line": 1, "inside": True}] * 100
        new["native_stack"] = [{"symbol": text, "object": text, "offset": 1}] * 3
        for name in ("cause", "verdict", "mode", "sensor", "version"):
            new[name] = text
        yield new


def is_tame(text):
    controls = {*map(chr, range(32)), *map(chr, range(127, 160)), *BIDI, "\u2028", "\u2029"} - {"\n"}
    return not controls & set(text)


def test_hostile_text_on_the_terminal(alert, tmp_path):
    lines = list(hostile(alert))
    path = write(tmp_path / "a", *lines)
    shown = modelwatch("report", path, text=False)
    text = shown.stdout.decode()
    assert shown.returncode == 0
    assert "14 alerts in 14 groups" in text
    assert is_tame(text)
    assert max(map(len, text.splitlines())) < 4000
    for line in lines:
        told = modelwatch("why", line["id"], f"--alerts={path}", text=False)
        assert told.returncode == 0
        assert is_tame(told.stdout.decode())
        assert max(map(len, told.stdout.splitlines())) < 4000
    strings = modelwatch("report", "--json", path).stdout
    assert is_tame(strings.replace("\\\\", "")) and "\\u00" not in strings.replace("\\\\", "")


# The page, in a browser

class Page(html.parser.HTMLParser):
    """Counts elements, and keeps the text that is shown."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.ids, self.attributes, self.inside = [], {}, [], []
        self.text = self.title = ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]
        if tag not in ("meta", "br", "link", "img", "input"):
            self.inside.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if self.inside and self.inside[-1][0] == "title":
            self.title += data
        if {tag for tag, _ in self.inside} & {"script", "style", "noscript"}:
            return
        self.text += data
        for _, name in self.inside:
            if name:
                self.ids[name] = self.ids.get(name, "") + data


def browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium on this machine")


def dom_of(page, tmp_path):
    """The page as the browser has it when its script has run, and what the browser complained of."""
    done = subprocess.run(
        [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--user-data-dir={tmp_path}/profile", "--enable-logging=stderr", "--dump-dom", page.as_uri()],
        capture_output=True, timeout=120)
    errors = done.stderr.decode(errors="replace")
    assert done.returncode == 0, errors
    complaints = [line for line in errors.splitlines() if "CONSOLE" in line]
    return Page(done.stdout.decode()), complaints


def page_of(path, tmp_path):
    page = tmp_path / "page.html"
    done = modelwatch("report", f"--html={page}", path)
    assert done.returncode == 0, done.stderr
    return page


def test_page_of_real_alerts(real, tmp_path):
    page = page_of(real[0], tmp_path)
    assert os.stat(page).st_mode & 0o777 == 0o600
    dom, complaints = dom_of(page, tmp_path)
    assert not complaints
    groups = model_of(real[0])["groups"]
    assert dom.tags.count("details") == len(groups)
    assert ("main", "hidden", "") not in dom.attributes
    assert "posix.system" in dom.ids["group-0"] and "1 not prevented" in dom.ids["group-0"]
    assert "os_system" in dom.ids["group-0"] and "load.py:" in dom.ids["group-0"]
    assert "exec sh -c 'touch" in dom.ids["timeline"]
    assert dom.ids["timeline"].count("not prevented") == len([a for a in real[1] if a["outcome"] == "observed"])
    assert "modelwatch" in dom.ids["processes"] and "load.py poison.pt" in dom.ids["processes"]
    for a in real[1]:
        assert str(a["process"]["pid"]) in dom.ids["processes"]


def test_page_allows_itself_nothing(real, tmp_path):
    source = page_of(real[0], tmp_path).read_text()
    policy = Page(source).attributes
    [policy] = [value for tag, name, value in policy if name == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    script = source.rsplit("<script>", 1)[1]
    for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch(", "import("):
        assert way not in script
    assert "@" not in source.split("<style>")[0]


def test_hostile_text_stays_text_in_the_page(alert, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        path = write(tmp_path / "a", *hostile(alert, listener.getsockname()[1]))
        page = page_of(path, tmp_path)
        source = page.read_bytes()
        assert source.isascii() or is_tame(source.decode().replace("\t", ""))
        assert source.count(b"</script>") == 2 and b"<!--<" not in source
        dom, complaints = dom_of(page, tmp_path)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert not complaints
    assert not {"img", "iframe", "object", "embed", "link", "base", "form"} & set(dom.tags)
    assert dom.tags.count("script") == 2
    assert dom.title == "modelwatch report"
    assert BREAKOUT in dom.text and "<img src=" in dom.text
    assert is_tame(dom.text.replace("\t", ""))
    links = {value for tag, name, value in dom.attributes if name in ("href", "src")}
    assert all(link.startswith("#") for link in links)
    assert not [a for a in dom.attributes if a[1].startswith("on") or a[1] == "style"]
    assert not [a for a in dom.attributes if "owned" in str(a[2])]
    assert len(source) < 4 << 20


def test_page_is_for_everybody(real, tmp_path):
    dom, _ = dom_of(page_of(real[0], tmp_path), tmp_path)
    ids = {value for _, name, value in dom.attributes if name == "id"}
    labels = {value for _, name, value in dom.attributes if name == "aria-labelledby"}
    assert labels and labels <= ids
    assert ("html", "lang", "en") in dom.attributes
    assert dom.tags.count("summary") == dom.tags.count("details")
    targets = {value[1:] for tag, name, value in dom.attributes if tag == "a" and name == "href"}
    assert targets <= ids


# Sizes

def limited(megabytes):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def test_more_groups_than_are_kept(alert, tmp_path):
    """A flood of one severity hides nothing that is worse, and is counted."""
    frames = [{"symbol": "s" * 500, "object": "o" * 500, "offset": 1}] * 64
    python = [{"function": "f" * 500, "file": "p" * 500, "line": 1, "inside": True}] * 48
    big = [made(alert, severity="high", rule=f"big{i}", native_stack=frames, python_stack=python,
                process__argv=["a" * 4000] * 64) for i in range(700)]
    lines = [made(alert, severity="low", rule=f"low{i}") for i in range(600)] + big
    lines += [made(alert, severity="critical", outcome="observed", rule="worst")]
    lines += [made(alert, severity="info", rule="least")]
    model = model_of(write(tmp_path / "a", *lines), preexec_fn=limited(400))
    assert len(model["groups"]) == 512
    assert model["groups"][0]["rule"] == "worst"
    assert model["totals"]["count"] == len(lines)
    rest = {r["severity"]: r["count"] for r in model["in_no_group"]}
    assert rest == {"high": 189, "low": 600, "info": 1}
    shown = modelwatch("report", tmp_path / "a").stdout
    assert "too many groups: 189 of severity high are only counted" in shown
    assert "and 412 more groups" in shown


def test_many_lines(alert, tmp_path):
    small = {k: alert[k] for k in ("schema", "id", "update", "time", "rule", "severity", "effect",
                                   "requested", "outcome", "user")}
    text = json.dumps(small)
    path = tmp_path / "a"
    with open(path, "w") as file:
        for i in range(200000):
            file.write(text.replace(alert["id"], f"01a20000-{i >> 16:04x}-7000-8000-{i:012x}") + "\n")
            file.write("not a record\n")
    began = time.monotonic()
    model = model_of(path, preexec_fn=limited(200))
    assert time.monotonic() - began < 60
    assert model["totals"]["count"] == 200000
    assert model["input"]["unreadable"] == 200000
    assert len(model["groups"]) == 1


def test_process_tree_of_hostile_alerts(alert, tmp_path):
    """Chains, loops and used-up process IDs make a tree all the same."""
    def process(pid, *above, start="2026-01-01T00:00:00.00Z"):
        return {**alert["process"], "pid": pid, "start_time": start, "ancestors":
                [{"pid": p, "comm": f"c{p}", "exe": None, "argv0": None} for p in above]}
    lines = [made(alert, rule="loop", process=process(5, 6, 5, 6, 5)),
             made(alert, rule="loop", process=process(6, 5, 6)),
             *(made(alert, rule=f"chain{i}", process=process(100 + i, 99 + i)) for i in range(300)),
             made(alert, rule="again", process=process(9, start="2026-01-01T00:00:00.00Z")),
             made(alert, rule="again", process=process(9, start="2026-01-01T00:00:00.01Z")),
             made(alert, rule="again", process=process(9, start="2026-03-01T00:00:00.00Z"))]
    nodes = model_of(write(tmp_path / "a", *lines))["processes"]
    assert all(n["parent"] is None or n["parent"] < i for i, n in enumerate(nodes))
    assert len([n for n in nodes if n["pid"] == 9]) == 2


# why

def test_why_of_a_prevented_alert(real, alert):
    done = modelwatch("why", alert["id"], f"--alerts={real[0]}")
    assert done.returncode == 0
    story = done.stdout
    assert f"Alert {alert['id']}: PREVENTED" in story
    assert "Yes: it did not happen." in story
    assert f"byte {alert['load']['offset']} of poison/data.pkl" in story
    assert "posix.system('touch " in story
    assert "Rule load-exec asked for deny; the mode was deny" in story
    assert "load.py:5" in story and "entry      torch.load" in story
    assert "weights_only=True" in story and "safetensors" in story
    assert alert["load"]["artifact"]["sha256"] in story
    assert "exposed" not in story


def test_why_of_an_observed_alert(real):
    seen = next(a for a in real[1] if a["outcome"] == "observed")
    done = modelwatch("why", seen["id"], f"--alerts={real[0]}")
    assert "NOT PREVENTED" in done.stdout
    assert "Mode deny would have stopped it." in done.stdout
    assert "exposed" in done.stdout
    assert "Other alerts of the same load" in done.stdout
    assert "it did not happen" not in done.stdout


def test_why_claims_no_more_than_the_outcome(alert, tmp_path):
    late = made(alert, outcome="killed_after_effect", verdict="kill", mode="kill")
    seen = made(alert, outcome="observed", requested="observe", severity="low")
    path = write(tmp_path / "a", late, seen)
    story = modelwatch("why", late["id"], f"--alerts={path}").stdout
    assert "may have happened before" in story and "Yes" not in story
    assert "exposed" in story
    story = modelwatch("why", seen["id"], f"--alerts={path}").stdout
    assert "Mode deny would have" not in story and "exposed" not in story


@pytest.mark.parametrize("path, word", [
    ("/home/me/.ssh/id_rsa", "authorized_keys"), ("/home/me/.cache/huggingface/token", "huggingface.co"),
    ("/home/me/.netrc", "wandb"), ("/proc/7/environ", "job's environment"), ("/etc/shadow", "users"),
    ("/srv/key", "that the file holds")])
def test_why_names_the_secret_to_replace(alert, tmp_path, path, word):
    effect = {"class": "read", "detail": {"op": "open", "path": path, "path2": None}}
    seen = made(alert, effect=effect, outcome="observed", verdict="observe", mode="observe")
    stopped = made(alert, effect=effect)
    file = write(tmp_path / "a", seen, stopped)
    story = modelwatch("why", seen["id"], f"--alerts={file}").stdout
    assert word in story.split("The secret file was opened")[1].split("  - ")[0]
    assert "The secret file" not in modelwatch("why", stopped["id"], f"--alerts={file}").stdout


@pytest.mark.parametrize("entry, member, word", [
    ("torch.load", "x/data.pkl", "weights_only=True"), ("torch.package", None, "weights_only=True"),
    ("numpy.load", None, "allow_pickle=False"), ("joblib.load", None, "skops"),
    ("pandas.read_pickle", None, "read_parquet"), ("pickle.loads", None, "pickletools"),
    ("dill.load", None, "no safe mode"), (None, None, "safetensors"),
    ("pickle.load", "x/data.pkl", "weights_only=True"), ("my.loader", None, "safetensors")])
def test_why_names_a_safer_way(alert, tmp_path, entry, member, word):
    new = made(alert, load__entry=entry, load__artifact__member=member)
    story = modelwatch("why", new["id"], f"--alerts={write(tmp_path / 'a', new)}").stdout
    part = story.split("without running the file's code\n")[1].split("\n\n")[0]
    assert word in part


def test_why_finds_by_prefix(alert, tmp_path):
    one, two = made(alert), made(alert)
    one["id"] = "01a20974-25c5-78a7-bc1b-661314a34a5c"
    two["id"] = "01a20974-25c5-78a7-bc1b-761314a34a5c"
    path = write(tmp_path / "a", one, two, {**one, "update": 1, "title": "the update"}, one)
    other = write(tmp_path / "b", {**one, "update": 2, "title": "the second update"})
    ask = f"--alerts={path}"
    assert modelwatch("why", one["id"], ask).returncode == 0
    unique = modelwatch("why", ask, "01A20974-25C5-78A7-bc1b-6")
    assert unique.returncode == 0 and "  the update." in unique.stdout
    both = modelwatch("why", one["id"], ask, f"--alerts={other}")
    assert "  the second update." in both.stdout
    ambiguous = modelwatch("why", "01a20974", ask)
    assert ambiguous.returncode == 1 and ambiguous.stdout == ""
    assert one["id"] in ambiguous.stderr and two["id"] in ambiguous.stderr
    unknown = modelwatch("why", "ffff", ask)
    assert unknown.returncode == 1 and "no alert ffff" in unknown.stderr
    missing = modelwatch("why", one["id"], f"--alerts={tmp_path}/missing")
    assert missing.returncode == 1 and "missing" in missing.stderr
    piped = modelwatch("why", one["id"], "--alerts=-", input=json.dumps(one))
    assert piped.returncode == 0


@pytest.mark.parametrize("args", [[], ["x!"], [""], ["a" * 37], ["a", "b"], ["--alerts"], ["--x", "a"]])
def test_why_usage_errors(args):
    done = modelwatch("why", *args)
    assert done.returncode == 125
    assert done.stderr.startswith("modelwatch: ")


def test_no_text_of_the_alert_stands_in_a_command(alert, tmp_path):
    new = made(alert, load__artifact__path="/tmp/$(touch owned); x.pt", load__entry="pickle.load")
    story = modelwatch("why", new["id"], f"--alerts={write(tmp_path / 'a', new)}").stdout
    advice = story.split("without running the file's code\n")[1].split("Whom to tell")[0]
    assert "touch owned" not in advice
