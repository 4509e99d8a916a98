"""Sinks that write to files, sockets and the journal, against a real rsyslog and a real journald, and
against receivers that misbehave."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from receivers import (HAS_JOURNALD, JOURNALD, RSYSLOGD, Rsyslog, Server, certificates, drive, drive_program, killed_now_and_then,
                       until)

needs_rsyslog = pytest.mark.skipif(not os.path.exists(RSYSLOGD), reason="there is no rsyslogd")
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root: it mounts")

HOSTILE = ('two\nlines and \x1b[31mred\x1b[0m "quoted" back\\slash [x] 5 <34>1 \u202egnidaer \U0001f98a'
           ' \x7f\x85 ]] ' + "A" * 300)


def alerts(count, start=0, **more):
    return [{"schema": "modelwatch.alert/1", "id": f"0197c5f0-0000-7000-8000-{i:012d}",
             "time": "2026-11-23T16:55:46.015960535Z", "severity": "critical", "rule": "exec",
             "title": f"alert {i}", "class": "exec", "version": "0.1.0", **more}
            for i in range(start, start + count)]


def ids(records):
    return [record["id"] for record in records]


def split(text):
    """Its lines: not what Python and Unicode take for one."""
    return text.removesuffix("\n").split("\n")


def first_of_each(names):
    return list(dict.fromkeys(names))


@pytest.fixture(params=["tcp", "tls", "relp", "relp-tls"])
def kind(request):
    return request.param


def sink_of(server, certificates, **keys):
    """The configuration of a sink that sends to a rsyslog."""
    sink = {"type": server.kind.split("-")[0].replace("tcp", "syslog").replace("tls", "syslog"),
            "address": f"127.0.0.1:{server.port}", **keys}
    if "tls" in server.kind:
        sink.setdefault("tls", certificates.tls())
    return sink


@needs_rsyslog
def test_rsyslog_gets_all_in_order(kind, drive, certificates, tmp_path):
    records = alerts(300, title=HOSTILE)
    with Rsyslog(tmp_path / "r", kind, certificates) as server:
        ran = drive.run(records, **sink_of(server, certificates))
        until(lambda: len(server.ids()) >= 300)
        received = server.received()
    assert ran.code == 0 and not ran.trouble
    assert ran.done == ids(records)
    assert [name for name, _ in received] == ids(records)
    for _, text in received:
        assert json.loads(text)["title"].startswith("two")


@needs_rsyslog
@pytest.mark.parametrize("kind, how", [("relp", signal.SIGKILL), ("relp", signal.SIGTERM),
                                       ("relp-tls", signal.SIGKILL)])
def test_relp_loses_nothing_when_the_receiver_dies(kind, how, drive, certificates, tmp_path):
    records = alerts(2000)
    with Rsyslog(tmp_path / "r", kind, certificates) as server:
        with killed_now_and_then(server, 8, 0.15, how) as kills:
            ran = drive.run(records, ["-b", "16", "-p", "3", "-d", "100"], **sink_of(server, certificates))
        received = server.ids()
    assert ran.code == 0, ran.trouble
    assert kills[0] >= 2 and ran.trouble
    assert ran.done == ids(records)
    assert first_of_each(received) == ids(records)
    print(f"{kind}: {kills[0]} kills, {len(received) - len(records)} duplicates")


@needs_rsyslog
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_syslog_goes_on_when_the_receiver_dies(kind, drive, certificates, tmp_path):
    """There is no acknowledgement: what the receiver's machine had and its program had not read is lost."""
    records = alerts(2000)
    with Rsyslog(tmp_path / "r", kind, certificates) as server:
        with killed_now_and_then(server, 8, 0.15) as kills:
            ran = drive.run(records, ["-b", "16", "-p", "3", "-d", "100"], **sink_of(server, certificates))
        last = alerts(16, start=3000)
        assert drive.run(last, **sink_of(server, certificates)).done == ids(last)
        until(lambda: set(ids(last)) <= set(server.ids()))
        received = server.ids()
    assert ran.code == 0 and ran.done == ids(records) and kills[0] >= 2
    assert set(received) <= set(ids(records + last))
    order = first_of_each(received)
    assert order == sorted(order)
    lost = len(records) - len(set(received) & set(ids(records)))
    assert lost <= 16 * kills[0]  # what was on its way
    print(f"{kind}: {kills[0]} kills, {lost} lost, {len(received) - len(set(received))} duplicates")


@needs_rsyslog
def test_rsyslog_reads_a_datagram(drive, tmp_path):
    records = alerts(50, title=HOSTILE)
    with Rsyslog(tmp_path / "r", "unix") as server:
        ran = drive.run(records, type="syslog", address=f"unix:{server.socket}")
        until(lambda: len(server.ids()) >= 50)
        assert server.ids() == ids(records) == ran.done
        server.stop()
        server.start()
        assert drive.run(alerts(1), type="syslog", address=f"unix-dgram:{server.socket}").code == 0


HEADER = re.compile(rb"<(\d+)>1 2026-11-23T16:55:46\.015960Z testhost (\S+) \d+ alert "
                    rb'\[modelwatch@32473 id="([^"]+)" uid="[-0-9a-f]+" sequence="(\d+)" severity="critical"\] \{')


def test_a_message_is_what_the_standard_says(drive, tmp_path):
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        with drive.start(alerts(2), type="syslog", address=f"unix:{path}", facility="local3",
                         app_name="model watch") as process:
            first, second = receiver.recv(65536), receiver.recv(65536)
            assert process.wait(20) == 0
    match = HEADER.match(first)
    assert match, first
    assert match.group(1, 2, 4) == (str(19 * 8 + 2).encode(), b"model_watch", b"1")
    assert b"\n" not in first and json.loads(first[match.end() - 1:])["id"] == match.group(3).decode()
    assert HEADER.match(second).group(4) == b"2"


def test_what_no_datagram_holds_is_refused(drive, tmp_path):
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        records = alerts(1) + alerts(1, 1, native_stack=["frame" * 240] * 250) + alerts(1, 2)
        with drive.start(records, type="syslog", address=f"unix:{path}", max_bytes="off") as process:
            got = [receiver.recv(1 << 21) for _ in range(2)]
            out, err = process.communicate(timeout=20)
    assert out.split() == ["done", ids(records)[0], "refused", ids(records)[1], "done", ids(records)[2]]
    assert "refused: " in err and all(HEADER.match(datagram) for datagram in got)


@needs_rsyslog
@pytest.mark.parametrize("kind", ["tls", "relp-tls"])
@pytest.mark.parametrize("wrong", ["authority", "name", "expired", "no certificate of ours",
                                   "a stranger's", "plain"])
def test_tls_refuses(kind, wrong, drive, certificates, tmp_path):
    ours = {"authority": certificates.tls(ca="other-ca"), "name": certificates.tls(server_name="other.example.org"),
            "a stranger's": certificates.tls(cert="stranger"), "plain": None}.get(wrong, certificates.tls())
    server = {"expired": "expired"}.get(wrong, "server")
    clients = "node.example.org" if wrong in ("no certificate of ours", "a stranger's") else None
    with Rsyslog(tmp_path / "r", kind, certificates, server=server, clients=clients) as server:
        sink = sink_of(server, certificates, tls=ours, timeout="2s")
        if wrong == "plain":
            del sink["tls"]
        ran = drive.run(alerts(3), ["-d", "1", "-r", "200"], **sink)
        if wrong == "plain" and kind == "tls":  # it speaks first: nothing says that it is TLS
            assert server.ids() == []
            return
        assert ran.code == 1 and ran.done == [] and server.ids() == []
    if wrong != "plain":
        assert re.search(r"^(tls|closed|connect): ", ran.trouble), ran.trouble


@needs_rsyslog
@pytest.mark.parametrize("kind", ["tls", "relp-tls"])
@pytest.mark.parametrize("address, name", [("127.0.0.1", None), ("localhost", None),
                                           ("127.0.0.1", "siem.example.org")])
def test_tls_both_ways(kind, address, name, drive, certificates, tmp_path):
    with Rsyslog(tmp_path / "r", kind, certificates, clients="node.example.org") as server:
        tls = certificates.tls(cert="client", **({"server_name": name} if name else {}))
        ran = drive.run(alerts(5), **sink_of(server, certificates, tls=tls) | {
            "address": f"{address}:{server.port}"})
        assert ran.code == 0 and not ran.trouble
        until(lambda: server.ids() == ids(alerts(5)))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_refusal_after_the_handshake_is_no_success(version, drive, certificates):
    """With TLS 1.3 the server looks at our certificate when we are long done."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.path("server.pem"), certificates.path("server.key"))
    context.load_verify_locations(certificates.path("ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    read = []
    with Server(lambda channel: read.append(channel.recv(100)), context) as server:
        ran = drive.run(alerts(1), ["-d", "1"], type="syslog", address=f"127.0.0.1:{server.port}",
                        tls=certificates.tls())
        assert ran.code == 1 and not ran.done and not read and server.errors
        assert "certificate required" in ran.trouble or "handshake failure" in ran.trouble, ran.trouble


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(drive, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.path("server.pem"), certificates.path("server.key"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Server(lambda channel: channel.recv(1), context) as server:
        ran = drive.run(alerts(1), ["-d", "1"], type="syslog", address=f"localhost:{server.port}",
                        tls=certificates.tls())
        assert ran.code == 1 and not ran.done and ran.trouble.startswith("tls: ")


HANGS = {
    "syslog": {"type": "syslog"},
    "relp": {"type": "relp"},
    "tls": {"type": "syslog", "tls": True},
}


@pytest.mark.parametrize("what", HANGS)
@pytest.mark.parametrize("accepts", [True, False])
def test_a_receiver_that_hangs(what, accepts, drive, certificates):
    """Its calls return within twice the time limit, and at once when told to stop."""
    sink = dict(HANGS[what])
    if "tls" in sink:
        sink["tls"] = certificates.tls()
    big = alerts(2000, title="x" * 5000)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        sink["address"] = f"127.0.0.1:{listener.getsockname()[1]}"
        if not accepts:  # the queue is full
            for _ in range(3):
                s = stack.enter_context(socket.socket())
                s.setblocking(False)
                s.connect_ex(listener.getsockname())
        start = time.monotonic()
        ran = drive.run(big, ["-d", "1"], timeout="700ms", max_bytes="off", **sink)
        assert time.monotonic() - start < 15  # and reading the records
        assert ran.code == 1 and ran.trouble.startswith("timeout: "), ran.trouble
        assert len(ran.done) < len(big)
        with drive.start(big, timeout="1h", max_bytes="off", **sink) as process:
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(2) == 1
            process.communicate()


@needs_root
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_a_resolver_that_hangs(drive, tmp_path):
    """Nobody answers for the name: the limit holds all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.77", 53))
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.77\noptions timeout:30 attempts:9\n")
        script = f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec \"$@\""
        start = time.monotonic()
        with drive.start(alerts(1), ["-d", "1"], ["unshare", "--mount", "sh", "-c", script, "sh"],
                         type="relp", address="siem.example.org:20514", timeout="500ms") as process:
            _, err = process.communicate(timeout=20)
        assert process.returncode == 1 and "timeout: siem.example.org:20514" in err, err
        assert time.monotonic() - start < 5
        assert silent.recv(512)  # it was asked


class Relp:
    """A server of RELP that is told what to say."""

    def __init__(self, answer, opening=b"200 OK\nrelp_version=0\ncommands=syslog"):
        self.answer, self.opening, self.seen = answer, opening, []

    def frames(self, channel):
        bytes_ = b""
        while True:
            match = re.match(rb"(\d+) (\w+) (\d+)( ?)", bytes_)
            size = match and match.end() + int(match.group(3)) + 1
            if match and b"\n" in bytes_ and len(bytes_) >= size:
                yield int(match.group(1)), match.group(2).decode(), bytes_[match.end():size - 1]
                bytes_ = bytes_[size:]
                continue
            more = channel.recv(65536)
            if not more:
                return
            bytes_ += more

    def __call__(self, channel):
        for number, command, data in self.frames(channel):
            if command == "open":
                channel.sendall(b"%d rsp %d %s\n" % (number, len(self.opening), self.opening))
            elif command == "syslog":
                self.seen.append(data)
                for piece in self.answer(number, len(self.seen)):
                    channel.sendall(piece)


def ok(number):
    return b"%d rsp 6 200 OK\n" % number


ANSWERS = {
    "in pieces": (lambda n, i: [bytes([b]) for b in ok(n)], "all"),
    "with words": (lambda n, i: [b"%d rsp 21 200 OK, thank you all\n" % n], "all"),
    "bare": (lambda n, i: [b"%d rsp 3 200\n" % n], "all"),
    "closing after three": (lambda n, i: [ok(n)] + ([b"0 serverclose 0\n"] if i % 3 == 0 else []), "all"),
    "refusing the second at first": (lambda n, i: [ok(n) if i != 2 else b"%d rsp 9 500 Error\n" % n], "all"),
    "of nobody's number": (lambda n, i: [ok(n + 1000)], "none"),
    "twice": (lambda n, i: [ok(n)] * 2, "some"),
    "no RELP": (lambda n, i: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "none"),
    "without end": (lambda n, i: [b"%d rsp 999999999 200 " % n + b"x" * 40000], "none"),
    "a wrong length": (lambda n, i: [b"%d rsp 2 200 OK\n" % n], "none"),
    "no code": (lambda n, i: [b"%d rsp 2 OK\n" % n], "none"),
    "nothing": (lambda n, i: [], "none"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_of_relp(name, drive):
    answer, expected = ANSWERS[name]
    handler = Relp(answer)
    records = alerts(40)
    with Server(handler) as server:
        ran = drive.run(records, ["-b", "8", "-d", "20" if expected == "all" else "1"], type="relp",
                        address=f"127.0.0.1:{server.port}", timeout="1s" if expected == "all" else "300ms")
    if expected == "all":
        assert ran.code == 0 and ran.done == ids(records), ran.trouble
        seen = {re.search(rb'id="([^"]+)', data).group(1).decode() for data in handler.seen}
        assert seen == set(ids(records))
    elif expected == "none":
        assert ran.code == 1 and ran.done == [], ran.trouble
        assert re.match(r"(protocol|timeout|closed|refused): ", ran.trouble), ran.trouble
    else:
        assert ran.done == ids(records)[:len(ran.done)]


@pytest.mark.parametrize("opening", [b"500 not you", b"200 OK\nrelp_version=0\ncommands=eventlog", b"hello"])
def test_a_relp_server_that_does_not_want_us(opening, drive):
    with Server(Relp(lambda n, i: [ok(n)], opening)) as server:
        ran = drive.run(alerts(1), ["-d", "1"], type="relp", address=f"127.0.0.1:{server.port}")
    assert ran.code == 1 and not ran.done and ran.trouble.startswith("refused: ")


def lines_of(*paths):
    return [json.loads(line) for path in paths for line in split(pathlib.Path(path).read_text())]


def rotated(path):
    """The files of a name, the oldest first."""
    return sorted(path.parent.glob(path.name + "*"), key=lambda p: -int(p.suffix[1:] or 0)
                  if p.suffix[1:].isdigit() else 0)


def test_a_file_is_rotated(drive, tmp_path):
    path, records = tmp_path / "alerts", alerts(200, title=HOSTILE)
    ran = drive.run(records, ["-b", "7"], type="file", path=str(path), rotate_bytes="16KiB", rotate_keep="3")
    assert ran.done == ids(records)
    files = rotated(path)
    assert [p.name for p in files] == ["alerts.3", "alerts.2", "alerts.1", "alerts"]
    assert all(p.stat().st_size <= 16384 for p in files)
    kept = ids(lines_of(*files))
    assert kept == ids(records)[-len(kept):] and len(kept) > 40
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_of_which_no_older_is_kept(drive, tmp_path):
    path, records = tmp_path / "alerts", alerts(100, title=HOSTILE)
    assert drive.run(records, type="file", path=str(path), rotate_bytes="16KiB", rotate_keep="0").code == 0
    assert [p.name for p in tmp_path.glob("alerts*")] == ["alerts"]
    kept = ids(lines_of(path))
    assert kept == ids(records)[-len(kept):]


@pytest.mark.parametrize("tells", [True, False])
def test_logrotate(tells, drive, tmp_path):
    """Renamed by somebody else: with SIGHUP or without, nothing goes to the old one any more."""
    path, records = tmp_path / "alerts", alerts(300)
    with drive.start(records, ["-b", "1", "-p", "5"], type="file", path=str(path)) as process:
        for number in range(3):
            until(lambda: path.exists() and path.stat().st_size > 3000)
            path.rename(f"{path}.{9 - number}")
            if tells:
                process.send_signal(signal.SIGHUP)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and not err
    assert ids(lines_of(*rotated(path))) == ids(records)


def test_several_write_and_rotate_one_file(drive, tmp_path):
    path = tmp_path / "alerts"
    parts = [alerts(400, start=1000 * i, title="x" * (50 * i)) for i in range(4)]
    running = [drive.start(part, ["-b", "3"], type="file", path=str(path), rotate_bytes="8KiB", rotate_keep="200")
               for part in parts]
    for process in running:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0 and not err
    kept = ids(lines_of(*rotated(path)))
    assert sorted(kept) == sorted(sum(map(ids, parts), []))
    for part in parts:
        assert [name for name in kept if name in set(ids(part))] == ids(part)


def test_a_line_that_death_has_cut_is_ended(drive, tmp_path):
    path = tmp_path / "alerts"
    path.write_text('{"schema": "modelwatch.al')
    assert drive.run(alerts(2), type="file", path=str(path)).code == 0
    first, *rest = split(path.read_text())
    assert first == '{"schema": "modelwatch.al' and [json.loads(line)["id"] for line in rest] == ids(alerts(2))


def test_killed_while_writing(drive, tmp_path):
    path = tmp_path / "alerts"
    records = alerts(1000, title="x" * 3000)
    done = []
    for _ in range(6):
        left = records[len(done):]
        with drive.start(left, ["-b", "5"], type="file", path=str(path)) as process:
            for line in process.stdout:
                done.append(line.split()[1])
                if len(done) % 50 == 0:
                    process.kill()
                    break
            done += [line.split()[1] for line in process.stdout if line.endswith("\n")]
            process.wait()
    kept = [json.loads(line)["id"] for line in split(path.read_text()) if line.endswith("}")]
    assert first_of_each(kept)[:len(done)] == ids(records)[:len(done)] == done


def test_somebody_holds_the_lock(drive, tmp_path):
    path = tmp_path / "alerts"
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ran = drive.run(alerts(1), ["-d", "1"], type="file", path=str(path), timeout="200ms")
        assert ran.code == 1 and not ran.done and ran.trouble.startswith("timeout: ")
        with drive.start(alerts(1), type="file", path=str(path), timeout="1h") as process:
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert process.wait(2) == 1
            process.communicate()
    assert drive.run(alerts(1), type="file", path=str(path)).code == 0


@pytest.mark.parametrize("what", ["fifo", "folder", "nowhere", "full"])
def test_what_cannot_be_a_file(what, drive, tmp_path):
    path = {"full": pathlib.Path("/dev/full"), "nowhere": tmp_path / "a" / "b"}.get(what, tmp_path / "x")
    if what == "fifo":
        os.mkfifo(path)
    if what == "folder":
        path.mkdir()
    ran = drive.run(alerts(1), ["-d", "1"], type="file", path=str(path))
    assert ran.code == 1 and not ran.done and ran.trouble.startswith("disk: ")


@needs_root
def test_a_full_disk(drive, tmp_path):
    """What did not fit is sent again when there is room, and what is cut short is ended."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=True)
    try:
        (disk / "ballast").write_bytes(bytes(40 << 10))
        records = alerts(100, title="x" * 300)
        with drive.start(records, ["-b", "9", "-d", "30"], type="file", path=str(disk / "alerts")) as process:
            assert "disk: " in process.stderr.readline()
            subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
            out, _ = process.communicate(timeout=40)
        assert process.returncode == 0
        kept = []
        for line in split((disk / "alerts").read_text()):
            with contextlib.suppress(json.JSONDecodeError):
                kept.append(json.loads(line)["id"])
        assert first_of_each(kept) == ids(records)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_file_is_on_the_disk_before_it_is_acknowledged(drive, tmp_path):
    path, trace = tmp_path / "alerts", tmp_path / "trace"
    with drive.start(alerts(3), ["-b", "1"], ["strace", "-o", str(trace), "-e", "trace=write,fdatasync,fsync"],
                     type="file", path=str(path)) as process:
        process.communicate(timeout=30)
    calls = re.findall(r'^(write|fdatasync)\((\d+)(?:, "(\w*)|)', trace.read_text(), re.M)
    steps = [name if fd != "1" else "done" for name, fd, _ in calls if fd != "2"]
    assert steps == ["write", "fdatasync", "done"] * 3


def test_standard_output(drive, tmp_path):
    records = alerts(300, title=HOSTILE)
    out = tmp_path / "out"
    with open(out, "w") as file, drive.start(records, stdout=file, type="stdout") as process:
        process.communicate(timeout=20)
    assert [json.loads(line)["id"] for line in split(out.read_text())
            if line.startswith("{")] == ids(records)


def test_nobody_reads_standard_output(drive):
    big = alerts(100, title="x" * 5000)
    with drive.start(big, ["-d", "1"], type="stdout", timeout="300ms") as process:
        assert process.wait(5) == 1  # the pipe is full
        assert process.stderr.readline().startswith("timeout: standard output")
        process.communicate()
    read, write = os.pipe()
    os.close(read)
    process = drive.start(big, ["-d", "1"], stdout=write, type="stdout")
    os.close(write)
    assert process.stderr.readline().startswith("closed: standard output")
    process.kill()
    process.communicate()


needs_journald = pytest.mark.skipif(not HAS_JOURNALD,
                                    reason="needs root, systemd-journald, journalctl and unshare")
# A journal of the test's own: what the machine has in /run and /var/log stays out of sight.
JOURNAL = f"""
set -e
mount -t tmpfs none /run
mount -t tmpfs none /etc/systemd
mkdir -p /run/systemd/journal
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nRateLimitBurst=0\\n' >/etc/systemd/journald.conf
start() {{ {JOURNALD} 2>/dev/null & pid=$!; while ! [ -S /run/systemd/journal/socket ]; do sleep 0.05; done; }}
read_journal() {{ journalctl -D /run/log/journal -o json --all --no-pager SYSLOG_IDENTIFIER="$1"; }}
"""


def in_a_journal(steps, *args):
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                           JOURNAL + steps, "sh", *map(str, args)], capture_output=True, text=True, timeout=60)
    return done.stdout, done.stderr


@needs_journald
def test_the_journal(drive):
    records = alerts(300, title=HOSTILE) + alerts(1, 300, severity="low", title="y" * 1_000_000)
    given = drive.records(records)
    config = drive.config(type="journald", app_name="wire")
    out, err = in_a_journal('start; "$@" >/dev/null; sleep 0.5; read_journal wire', drive.program, config, given)
    entries = [json.loads(line) for line in split(out)]
    assert [entry["MODELWATCH_ID"] for entry in entries] == ids(records), err
    assert [entry["PRIORITY"] for entry in entries] == ["2"] * 300 + ["5"]
    assert [int(entry["MODELWATCH_SEQUENCE"]) for entry in entries] == list(range(1, 302))
    for entry, record in zip(entries, records):
        text = entry["MESSAGE"]
        text = text if isinstance(text, str) else bytes(text).decode()
        assert json.loads(text)["id"] == record["id"]
        assert "CODE_FILE" not in entry


@needs_journald
def test_a_journal_that_comes_late(drive):
    """The library says nothing of one that is not there."""
    given, config = drive.records(alerts(5)), drive.config(type="journald")
    out, err = in_a_journal('"$@" >/run/done & driver=$!; sleep 1; test ! -s /run/done; start; wait $driver; '
                            'sleep 0.5; read_journal modelwatch', drive.program, "-r", "100", config, given)
    assert "connect: /run/systemd/journal/socket" in err
    assert [json.loads(line)["MODELWATCH_ID"] for line in split(out)] == ids(alerts(5))


@needs_journald
def test_a_journal_that_hangs(drive):
    given, config = drive.records(alerts(3000)), drive.config(type="journald", timeout="300ms")
    start = time.monotonic()
    out, err = in_a_journal('start; kill -STOP $pid; "$@" >/run/done || echo $?; wc -l </run/done; '
                            'kill -CONT $pid', drive.program, "-d", "1", config, given)
    assert time.monotonic() - start < 10
    code, done = out.split()
    assert code == "1" and int(done) < 3000 and "timeout: " in err
