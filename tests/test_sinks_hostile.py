"""Receivers that want to do harm, and networks between: whatever they say, when they say it or cut the connection,
a record counts as sent when it was acknowledged, no call takes longer than twice `timeout`, and no secret is given
to who is not the receiver."""

import contextlib
import gzip
import os
import select
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from receivers import (RSYSLOGD, Rsyslog, Server, certificates, drive, drive_program, until)
from sinks_net.http_stub import Stub
from test_sinks_net import HAS_FLUENT, SECRET, Fluent, alerts, context_of, ids, kafka_is_built, secret
from test_sinks_wire import Relp

needs_root = pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")


# Networks that cut


class Cutting:
    """In front of a receiver: of each connection, in turn, the one side or the other hears nothing any more after
    so many bytes, and both are reset. What comes after those in the list goes through, byte by byte if asked."""

    def __init__(self, port, cuts, bit_by_bit=False):
        self.port, self.cuts, self.bit_by_bit = port, list(cuts), bit_by_bit
        self.lock = threading.Lock()

    def __call__(self, near):
        with self.lock:
            cut = self.cuts.pop(0) if self.cuts else (None, 0)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.create_connection(("127.0.0.1", self.port)) as far:
            self.carry(near, far, cut)

    def carry(self, near, far, cut):
        """Who has closed, or hears nothing any more, may still have something to hear, or to say."""
        count, talking = {near: 0, far: 0}, {near: far, far: near}
        limit = {near: cut[1] if cut[0] == "from us" else None, far: cut[1] if cut[0] == "to us" else None}
        while talking:
            for source in select.select(list(talking), [], [])[0]:
                if limit[source] is not None and count[source] >= limit[source]:
                    for end in (near, far):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                data = source.recv(65536 if limit[source] is None else limit[source] - count[source])
                count[source] += len(data)
                to = talking[source] if data else talking.pop(source)
                with contextlib.suppress(OSError):
                    self.hand_over(data, to, self.bit_by_bit and source is far)

    @staticmethod
    def hand_over(data, to, bit_by_bit):
        if not data:
            return to.shutdown(socket.SHUT_WR)
        for piece in [data[i:i + 1] for i in range(len(data))] if bit_by_bit else [data]:
            to.sendall(piece)


@contextlib.contextmanager
def rsyslog(kind, folder, certificates):
    with Rsyslog(folder / "r", kind, certificates) as server:
        sink = {"type": "relp" if "relp" in kind else "syslog"}
        yield server.port, sink | ({"tls": certificates.tls()} if "tls" in kind else {}), server.ids


@contextlib.contextmanager
def fluent(kind, folder, certificates):
    with Fluent(folder, sharedKey=SECRET, key=certificates.path("server.key"),
                cert=certificates.path("server.pem")) as server:
        key = folder / "key"
        key.write_text(SECRET)
        key.chmod(0o600)
        yield server.port, {"type": "forward", "shared_key_file": str(key), "tls": certificates.tls()}, server.ids


@contextlib.contextmanager
def http(kind, folder, certificates):
    body, *tls = kind.split("-")
    with Stub(body, context=context_of(certificates) if tls else None) as stub:
        yield (stub.port, {"type": "http", "body": body} | ({"tls": certificates.tls()} if tls else {}),
               lambda: ids(stub.taken))


RECEIVERS = {"tcp": rsyslog, "tls": rsyslog, "relp": rsyslog, "relp-tls": rsyslog, "forward": fluent,
             "webhook": http, "hec": http, "elastic-tls": http, "otlp": http}


@pytest.fixture(params=RECEIVERS)
def receiver(request, tmp_path, certificates):
    kind = request.param
    if RECEIVERS[kind] is rsyslog and not os.path.exists(RSYSLOGD):
        pytest.skip("there is no rsyslogd")
    if RECEIVERS[kind] is fluent and not HAS_FLUENT:
        pytest.skip("no @fluent-org/logger: tests/setup.sh")
    with RECEIVERS[kind](kind, tmp_path, certificates) as (port, sink, received):
        yield kind, port, sink, received


def at(port, sink):
    if sink["type"] == "http":
        return {"url": f"http{'s' if 'tls' in sink else ''}://127.0.0.1:{port}"}
    return {"address": f"127.0.0.1:{port}"}


STEPS = [(way, count) for count in (0, 1, 5, 20, 80, 200, 500, 1500, 2500, 4000, 20000) for way in ("from us", "to us")]


def test_connections_that_are_reset_at_every_step(receiver, drive):
    kind, port, sink, received = receiver
    records = alerts(12)
    proxy = Cutting(port, STEPS)
    with Server(proxy) as server:
        ran = drive.run(records, ["-b", "4", "-r", "5", "-d", "30"], timeout="2s", **sink, **at(server.port, sink))
        assert not [e for e in server.errors if not isinstance(e, OSError)]
    assert ran.code == 0 and ran.done == ids(records) and not ran.refused, ran.trouble
    if kind not in ("tcp", "tls"):  # which have no acknowledgements
        assert set(received()) == set(ids(records)) and ran.trouble.count("\n") > 4
    assert set(received()) <= set(ids(records))


def test_answers_that_come_byte_by_byte(receiver, drive):
    kind, port, sink, received = receiver
    records = alerts(12)
    with Server(Cutting(port, [], bit_by_bit=True)) as server:
        ran = drive.run(records, ["-b", "4"], timeout="5s", **sink, **at(server.port, sink))
        assert ran.code == 0 and ran.done == ids(records) and not ran.trouble
        until(lambda: received() == ids(records))  # some of it may still be between the two


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("kind", ["syslog", "forward"])
def test_receiver_that_has_something_to_say_at_the_end_is_not_cut_off(kind, tls, drive, certificates):
    """Without acknowledgements there is no other word of it: one that writes to a connection that is closed, as with
    the tickets of TLS 1.3, may lose what it has not read."""
    heard = []

    def handle(channel):
        while data := channel.recv(65536):
            heard.append(data)
        time.sleep(0.1)
        for _ in range(3):  # the first to a connection that is closed has it reset
            channel.sendall(b"x")
        heard.append(b"")

    with Server(handle, context_of(certificates) if tls else None) as server:
        ran = drive.run(alerts(3), ["-b", "1"], type=kind, address=f"127.0.0.1:{server.port}",
                        **({"ack": "false"} if kind == "forward" else {}), **({"tls": certificates.tls()} if tls else {}))
        assert ran.code == 0 and ran.done == ids(alerts(3)) and not ran.trouble
        until(lambda: heard[-1:] == [b""] or server.errors)
        assert not server.errors and server.connections == 1


# Names that are not the receiver's


SINKS = {"syslog": {"type": "syslog"}, "relp": {"type": "relp"}, "forward": {"type": "forward"},
         "http": {"type": "http"}, "kafka": {"type": "kafka", "topic": "t"}}


def towards(kind, port, host="localhost"):
    if kind == "http":
        return {"url": f"https://{host}:{port}"}
    return {"brokers" if kind == "kafka" else "address": f"{host}:{port}"}


class Listening:
    """Whether anything was said to it after the handshake."""

    def __init__(self):
        self.heard = b""

    def __call__(self, channel):
        channel.settimeout(1)
        self.heard += channel.recv(65536)


def old_tls(certificates):
    context = context_of(certificates)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


def weak_ciphers(certificates):
    context = context_of(certificates)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:eNULL:@SECLEVEL=0")
    return context


STRANGERS = {
    "nobody": (lambda c: context_of(c), {}),
    "of another authority": (lambda c: context_of(c), {"ca": "other-ca"}),
    "of another name": (lambda c: context_of(c, "elsewhere"), {}),
    "expired": (lambda c: context_of(c, "expired"), {}),
    "of a client": (lambda c: context_of(c, "client"), {}),
    "unknown to the system": (lambda c: context_of(c), None),
    "of old TLS": (old_tls, {}),
    "without a certificate": (weak_ciphers, {}),
    "without TLS": (lambda c: None, {}),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("kind", SINKS)
def test_who_is_not_the_receiver_hears_nothing(kind, stranger, drive, certificates, secret, request):
    if kind == "kafka":
        request.getfixturevalue("kafka_is_built")
    context, tls = STRANGERS[stranger]
    listening, secrets = Listening(), {"http": {"token_file": secret}, "forward": {}}.get(kind, {})
    with Server(listening, context(certificates)) as server:
        ran = drive.run(alerts(1), ["-d", "0"], timeout="1s", **SINKS[kind], **secrets,
                        **towards(kind, server.port), tls=certificates.tls(**tls) if tls is not None else {"on": "true"})
        assert server.connections
    if stranger == "nobody":  # else than the receiver: it hears a record, or the beginning of one
        assert listening.heard
        return
    assert ran.code == 1 and not ran.done and not ran.refused
    if stranger != "without TLS":
        assert not listening.heard
    assert b"exec" not in listening.heard and SECRET.encode() not in listening.heard
    others = {"kafka": "timeout: ", "http": "tls: "}.get(kind, "closed: " if stranger == "without TLS" else "tls: ")
    assert ran.trouble.startswith(("tls: ", others)), ran.trouble


@needs_root
@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.parametrize("ours", [True, False])
def test_with_an_authority_of_ours_that_of_the_system_does_not_count(ours, kind, drive, certificates, tmp_path, request):
    if kind == "kafka":
        request.getfixturevalue("kafka_is_built")
    system = tmp_path / "certs"
    system.mkdir()
    shutil.copy(certificates.path("ca.pem"), system / "site.pem")
    shutil.copy(certificates.path("ca.pem"), system / "ca-certificates.crt")
    subprocess.run(["openssl", "rehash", system], check=True, capture_output=True)
    script = f"mount --bind {system} /etc/ssl/certs && exec \"$@\""
    listening = Listening()
    with Server(listening, context_of(certificates)) as server:
        tls = certificates.tls(ca="other-ca") if ours else {"on": "true"}
        with drive.start(alerts(1), ["-d", "0"], ["unshare", "--mount", "sh", "-c", script, "sh"],
                         timeout="1s", **SINKS[kind], **towards(kind, server.port), tls=tls) as process:
            process.communicate(timeout=20)
    assert bool(listening.heard) == (not ours)


# Receivers that do not end


BOMB = gzip.compress(bytes(200 << 20), 9)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def for_ever(channel, piece, pause=0.0):
    while True:
        channel.sendall(piece)
        time.sleep(pause)


HEAD = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "bomb": lambda c: c.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
    "bomb on the way": lambda c: c.sendall(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk(BOMB) + b"0\r\n\r\n"),
    "bombs in bombs": lambda c: c.sendall(HEAD + b"Transfer-Encoding: gzip, gzip, gzip, gzip, chunked\r\n\r\n"
                                          + chunk(gzip.compress(gzip.compress(gzip.compress(BOMB)))) + b"0\r\n\r\n"),
    "chunks": lambda c: (c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"), for_ever(c, chunk(b" " * 8000))),
    "small chunks": lambda c: (c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"), for_ever(c, chunk(b" "), 0.01)),
    "a chunk's words": lambda c: (c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"), for_ever(c, b"x" * 65536)),
    "trailers": lambda c: (c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"), for_ever(c, b"X-More: " + b"x" * 900 + b"\r\n")),
    "a header": lambda c: (c.sendall(HEAD + b"X-More: "), for_ever(c, b"x" * 65536)),
    "header by header": lambda c: (c.sendall(HEAD), for_ever(c, b"X: y\r\n", 0.01)),
    "a status line": lambda c: for_ever(c, b"HTTP/1.1 200 " + b"x" * 65536),
    "continuations": lambda c: for_ever(c, b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": lambda c: for_ever(c, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 0.01),
    "HTTP/0.9": lambda c: c.sendall(b'{"text":"Success","code":0}'),
    "a length that is none": lambda c: c.sendall(HEAD + b"Content-Length: -1\r\n\r\n" + b'{"code":0}'),
    "less than its length": lambda c: c.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + b'{"code":0}'),
    "half a chunk": lambda c: c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n" + b'{"code":0}'),
    "a NUL": lambda c: c.sendall(b"HTTP/1.1 200\0OK\r\nContent-Length: 10\r\nX\0: y\r\n\r\n" + b'{"code":0}'),
    "an upgrade": lambda c: c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + b'{"code":0}'),
    "nesting": lambda c: c.sendall(HEAD + b"Content-Length: 900000\r\n\r\n" + b'{"a":' * 180000),
    "many members": lambda c: c.sendall(HEAD + b"Content-Length: 900002\r\n\r\n{" + b",".join(b'"%06d":1' % i for i in range(90000)).ljust(900000) + b"}"),
    "a file": lambda c: c.sendall(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
    "a gopher": lambda c: c.sendall(b"HTTP/1.1 308 Permanent\r\nLocation: gopher://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n"),
    "a refresh": lambda c: c.sendall(HEAD + b"Refresh: 0; url=http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_http_answers_that_are_none(answer, drive):
    """Splunk's, which has to say that it has taken a record."""
    def handle(channel):
        channel.recv(1 << 20)
        ANSWERS[answer](channel)

    with Server(handle) as server:
        began = time.monotonic()
        ran = drive.run(alerts(1), ["-d", "0", "-m"], type="http", body="hec", timeout="500ms",
                        url=f"http://127.0.0.1:{server.port}")
        took, trouble = time.monotonic() - began, ran.trouble
    assert ran.code == 1 and not ran.done and not ran.refused
    assert trouble.count("\n") == 1 and trouble.startswith(("protocol: ", "closed: ", "timeout: ", "refused: ")), trouble
    assert took < 2 and ran.peak < 64 << 20


@pytest.mark.parametrize("later", [0, 0.05])
def test_an_answer_that_nobody_asked_for_is_none(later, drive):
    """Two answers to the first record are not one to the second."""
    requests = []

    def handle(channel):
        good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        while True:
            data = channel.recv(1 << 20)
            if not data:
                return
            requests.append(data)
            if len(requests) == 1:
                channel.sendall(good)
                time.sleep(later)
                channel.sendall(good)
            else:
                channel.sendall(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n")

    with Server(handle) as server:
        ran = drive.run(alerts(2), ["-b", "1", "-p", "200", "-d", "1", "-r", "300"], type="http",
                        url=f"http://127.0.0.1:{server.port}", timeout="1s")
    assert ran.done == ids(alerts(1)) and ran.code == 1


@pytest.mark.parametrize("tls", [False, True])
def test_syslog_receiver_that_talks_for_ever(tls, drive, certificates):
    def handle(channel):
        for_ever(channel, b"x" * 65536)

    with Server(handle, context_of(certificates) if tls else None) as server:
        began = time.monotonic()
        ran = drive.run(alerts(1), ["-d", "0"], type="syslog", address=f"127.0.0.1:{server.port}",
                        timeout="1s", **({"tls": certificates.tls()} if tls else {}))
        took = time.monotonic() - began
    assert took < 4 and ran.code == (0 if ran.done else 1)


def kafka_text(text):
    return struct.pack(">h", len(text)) + text


KEYS = [(0, 0, 7), (3, 0, 1), (18, 0, 3), (22, 0, 1)]
VERSIONS = b"\0\0" + bytes([len(KEYS) + 1]) + b"".join(struct.pack(">hhhB", *key, 0) for key in KEYS) + b"\0\0\0\0\0"


def cluster(host):
    """The word of a broker: that all there is is at `host`."""
    brokers = struct.pack(">ii", 1, 1) + kafka_text(host) + struct.pack(">ih", 9, -1)
    partition = struct.pack(">ihiiii", 1, 0, 0, 1, 0, 0)
    return brokers + struct.pack(">iih", 1, 1, 0) + kafka_text(b"t") + b"\0" + partition


BROKERS = {
    "names": lambda key: {18: VERSIONS, 3: cluster(b"\x1b[31mevil\n"), 22: struct.pack(">ihqh", 0, 0, 1, 0)}.get(key),
    "counts": lambda key: {18: VERSIONS, 3: b"\x7f\xff\xff\xff" * 4}.get(key),
    "less than nothing": lambda key: {18: VERSIONS, 3: b"\x80\0\0\0" * 4}.get(key),
    "nonsense": lambda key: bytes(range(256)),
    "nothing": lambda key: b"",
}


@pytest.mark.parametrize("what", BROKERS)
def test_kafka_brokers_that_are_none(what, drive, kafka_is_built):
    asked = []

    def handle(channel):
        while True:
            head = channel.recv(12, socket.MSG_WAITALL)
            if len(head) < 12:
                return
            size, key, _, number = struct.unpack(">ihhi", head)
            channel.recv(size - 8, socket.MSG_WAITALL)
            asked.append(key)
            answer = BROKERS[what](key)
            if answer is not None:
                channel.sendall(struct.pack(">ii", len(answer) + 4, number) + answer)

    with Server(handle) as server:
        ran = drive.run(alerts(2), ["-d", "0", "-m"], type="kafka", topic="t", brokers=f"127.0.0.1:{server.port}",
                        timeout="3s" if what == "names" else "700ms")  # a name is looked up
        trouble = ran.trouble
    assert ran.code == 1 and not ran.done and not ran.refused and asked and ran.peak < 64 << 20
    assert trouble.startswith("timeout: kafka: ") and "\x1b" not in trouble and trouble.count("\n") == 1
    assert (what == "names") == ("\\x1b[31mevil\\n" in trouble), trouble


def test_relp_has_one_limit_for_all_of_an_exchange(drive, certificates):
    """Handshake, session and records, each just in time."""
    opening = b"200 OK\nrelp_version=0\ncommands=syslog"

    def late(plain):
        time.sleep(1.2)
        with context_of(certificates).wrap_socket(plain, server_side=True) as channel:
            for number, command, _ in Relp(None).frames(channel):
                if command == "open":
                    time.sleep(1.2)
                    channel.sendall(b"%d rsp %d %s\n" % (number, len(opening), opening))

    with Server(late) as server:
        began = time.monotonic()
        ran = drive.run(alerts(1), ["-d", "0"], type="relp", address=f"127.0.0.1:{server.port}", timeout="1500ms",
                        tls=certificates.tls())
        took = time.monotonic() - began
    assert ran.code == 1 and not ran.done and ran.trouble.startswith("timeout: ")
    assert 2.4 < took < 3.6
