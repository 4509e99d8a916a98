"""Sinks that send over Forward, HTTP and Kafka, against a Forward server of Fluent's, librdkafka's mock
cluster, and a receiver of HTTP that misbehaves in every way."""

import base64
import itertools
import json
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.parse

import pytest

from receivers import (Server, certificates, drive, drive_program, end_line, free_port, killed_now_and_then,
                       until, whole)
from sinks_net.http_stub import Stub

HERE = pathlib.Path(__file__).parent / "sinks_net"
HAS_FLUENT = (HERE / "node_modules/@fluent-org/logger").is_dir()
needs_fluent = pytest.mark.skipif(not HAS_FLUENT, reason="no @fluent-org/logger: tests/setup.sh")
needs_kcat = pytest.mark.skipif(not shutil.which("kcat"), reason="there is no kcat")
HOSTILE = 'two\nlines \x1b[31mred "quoted" \\ \u202e \U0001f98a \x7f ' + "A" * 300
SECRET = "s3cr3t-0f-the-test"


def alerts(count, start=0, **more):
    return [{"schema": "modelwatch.alert/1", "id": f"0197c5f0-0000-7000-8000-{i:012d}",
             "time": "2026-11-23T16:55:46.015960535Z", "severity": "critical", "rule": "exec",
             "title": HOSTILE, "version": "0.1.0", "number": i, "real": 0.5, "none": None,
             "deep": {"list": [True, False, -1, 2 ** 40]}, **more}
            for i in range(start, start + count)]


def ids(records):
    return [record["id"] for record in records]


def as_given(record):
    """Without what the format adds."""
    return {k: v for k, v in record.items() if k not in ("@timestamp", "uid", "sequence")}


def first_of_each(names):
    return list(dict.fromkeys(names))


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return str(path)


class Program:
    """A receiver that is a program, started and killed."""

    def __init__(self, command, port, out):
        self.command, self.port, self.out, self.process = command, port, pathlib.Path(out), None

    def start(self):
        end_line(self.out)
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(20)
        self.process.stdout.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


# Forward


class Fluent(Program):
    def __init__(self, folder, **keys):
        port = free_port()
        out = f"{folder}/fluent"
        given = {"port": port, "out": out, **keys}
        super().__init__(["node", str(HERE / "forward_server.js"), json.dumps(given)], port, out)

    def entries(self):
        return whole(self.out)

    def ids(self):
        return ids([entry["record"] for entry in self.entries()])

    def sink(self, **keys):
        return {"type": "forward", "address": f"127.0.0.1:{self.port}", **keys}


@needs_fluent
@pytest.mark.parametrize("compress", ["false", "true"])
def test_forward_server_gets_all_of_each_record(compress, drive, tmp_path):
    records = alerts(1500)
    with Fluent(tmp_path) as server:
        ran = drive.run(records, **server.sink(compress=compress, tag="test.tag"))
        entries = server.entries()
    assert ran.code == 0 and not ran.trouble
    assert ran.done == ids(records)
    assert [as_given(entry["record"]) for entry in entries] == records
    assert {entry["tag"] for entry in entries} == {"test.tag"}
    assert {tuple(entry["time"]) for entry in entries} == {(1795452946, 15960535)}
    assert {entry.get("compressed") for entry in entries} == {"gzip" if compress == "true" else None}


@needs_fluent
def test_forward_with_key_user_and_tls(drive, certificates, secret, tmp_path):
    files = {"key": certificates.path("server.key"), "cert": certificates.path("server.pem")}
    users = {"monitor": SECRET}
    with Fluent(tmp_path, sharedKey=SECRET, users=users, **files) as server:
        sink = server.sink(shared_key_file=secret, user="monitor", password_file=secret,
                           tls=certificates.tls())
        ran = drive.run(alerts(10), **sink)
        assert ran.code == 0 and not ran.trouble
        assert server.ids() == ids(alerts(10))
        other = drive.run(alerts(1), ["-d", "1"], **sink | {"tls": certificates.tls("other-ca")})
        assert other.code == 1 and other.trouble.startswith("tls: ")


@needs_fluent
@pytest.mark.parametrize("wrong", ["key", "user", "password", "none", "name"])
def test_forward_says_why_it_is_not_let_in(wrong, drive, secret, tmp_path):
    """What is not acknowledged waits: a wrong key loses nothing."""
    bad = tmp_path / "bad"
    bad.write_text("another-secret")
    bad.chmod(0o600)
    with Fluent(tmp_path, sharedKey=SECRET, users={"monitor": SECRET}) as server:
        keys = {"shared_key_file": str(bad) if wrong == "key" else secret,
                "user": "stranger" if wrong == "user" else "monitor",
                "password_file": str(bad) if wrong == "password" else secret}
        if wrong == "name":
            keys["hostname"] = "receiver"
        ran = drive.run(alerts(3), ["-d", "1", "-r", "200"],
                        **server.sink(timeout="500ms", **({} if wrong == "none" else keys)))
        assert server.ids() == []
    assert ran.code == 1 and not ran.done and not ran.refused
    assert "auth: " in ran.trouble
    assert SECRET not in ran.trouble and "another-secret" not in ran.trouble
    assert ("hostname" in ran.trouble) == (wrong == "name")


@needs_fluent
def test_forward_loses_nothing_when_the_receiver_is_killed(drive, secret, tmp_path):
    records = alerts(10000)
    with Fluent(tmp_path, sharedKey=SECRET) as server:
        with killed_now_and_then(server, 20, 0.1) as kills:
            ran = drive.run(records, ["-b", "16", "-p", "3", "-d", "100"],
                            **server.sink(shared_key_file=secret, timeout="2s"))
        received = server.ids()
    assert ran.code == 0, ran.trouble
    assert kills[0] >= 10 and ran.trouble
    assert ran.done == ids(records)
    assert first_of_each(received) == ids(records)
    print(f"forward: {kills[0]} kills, {len(received) - len(records)} duplicates")


@needs_fluent
def test_forward_takes_a_new_key_on_sighup(drive, secret, tmp_path):
    pathlib.Path(secret).write_text("of yesterday")
    with Fluent(tmp_path, sharedKey=SECRET) as server:
        process = drive.start(alerts(3), **server.sink(shared_key_file=secret, timeout="1s"))
        assert process.stderr.readline().startswith("auth: ")
        pathlib.Path(secret).write_text(SECRET)
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0 and out.count("done ") == 3 and server.ids() == ids(alerts(3))


def text(word):
    data = word if isinstance(word, bytes) else word.encode()
    return bytes([0xd9, len(data)]) + data


HELO = b"\x92" + text("HELO") + b"\x82" + text("nonce") + text("n" * 16) + text("auth") + text("")


def forward(drive, handle, secret=None, options=("-d", "1"), **keys):
    if secret:
        keys["shared_key_file"] = secret
    with Server(handle) as server:
        started = time.monotonic()
        ran = drive.run(alerts(3), options, type="forward", address=f"127.0.0.1:{server.port}",
                        **{"timeout": "300ms", **keys})
        return ran, server, time.monotonic() - started


def test_forward_is_not_fooled_by_its_own_proof(drive, secret):
    """A receiver that does not have the key sends back what it was sent."""
    def reflect(channel):
        channel.sendall(HELO)
        ping = channel.recv(4096)
        digest = re.search(rb"[0-9a-f]{128}", ping)[0]
        name = re.search(rb"modelwatch\.\w+", ping)[0]
        channel.sendall(b"\x95" + text("PONG") + b"\xc3" + text("") + text(name) + text(digest))
        channel.recv(4096)

    ran, _, _ = forward(drive, reflect, secret)
    assert ran.code == 1 and not ran.done
    assert "auth: " in ran.trouble and "our name" in ran.trouble


NONSENSE = [
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc1", b"\x91" * 4000,
    b"\x92" + text("HELO") + b"\x80", b"\x92" + text("HELO") + b"\xc0", b"HTTP/1.1 400 Bad\r\n\r\n",
    HELO + b"\x95" + text("PONG") + b"\xc3" + text("") + text("x") + text("0" * 128),
    HELO + b"\x95" + text("PONG") + b"\xc2" + text("\x1b[31m\nno") + text("") + text(""),
    HELO + b"\x81" + text("ack") + text("x"), b"", b"\xc5\xff\xff" + b"x" * 20000]


def test_forward_takes_no_nonsense(drive, secret):
    left = list(NONSENSE)

    def handle(channel):
        channel.sendall(left.pop(0) if left else b"\xc1")
        while channel.recv(4096):
            pass

    ran, server, took = forward(drive, handle, secret, options=("-d", "4"))
    assert server.connections > len(NONSENSE) and took < 6
    assert ran.code == 1 and not ran.done and not ran.refused
    assert ran.trouble.count("\n") >= len(NONSENSE)
    assert "\x1b" not in ran.trouble
    reasons = [line.split(":")[0] for line in ran.trouble.splitlines()[:len(NONSENSE)]]
    assert reasons == ["timeout"] * 3 + ["protocol"] * 5 + ["auth"] * 2 + ["protocol", "timeout", "protocol"]


@pytest.mark.parametrize("says", [b"\x81" + text("ack") + text("another"), b"\x93\x01\x02\x03", HELO])
def test_forward_believes_no_other_acknowledgement(says, drive):
    def handle(channel):
        channel.recv(65536)
        channel.sendall(says)
        channel.recv(4096)

    ran, server, _ = forward(drive, handle)
    assert ran.code == 1 and not ran.done and ran.trouble
    assert server.connections > 1  # what is not understood is not gone on with


def test_forward_does_not_wait_longer_for_one_that_trickles(drive, secret):
    def handle(channel):
        for byte in b"\xc4\xff" + b"x" * 200:
            channel.sendall(bytes([byte]))
            time.sleep(0.05)

    ran, _, took = forward(drive, handle, secret, options=("-d", "1"), timeout="400ms")
    assert ran.code == 1 and not ran.done
    assert took < 4


def test_forward_stops_at_once(drive):
    def handle(channel):
        channel.recv(65536)
        time.sleep(3)

    with Server(handle) as server:
        process = drive.start(alerts(1), type="forward", address=f"127.0.0.1:{server.port}")
        until(lambda: server.connections)
        time.sleep(0.2)
        started = time.monotonic()
        process.terminate()
        out, _ = process.communicate(timeout=20)
        assert time.monotonic() - started < 1 and process.returncode == 1 and out == ""


def test_forward_chunks_fit(drive):
    """Fluent Bit's buffer bounds what one message may be."""
    sizes = []

    def handle(channel):
        buffer = b""
        while True:
            data = channel.recv(65536)
            if not data:
                return
            buffer += data
            found = re.search(rb"\xa5chunk[\xd9](.)", buffer)
            if found and len(buffer) >= found.end() + found[1][0]:
                sizes.append(len(buffer))
                chunk = buffer[found.end():found.end() + found[1][0]]
                buffer = b""
                channel.sendall(b"\x81" + text("ack") + text(chunk))

    with Server(handle) as server:
        records = alerts(600, title="B" * 4000)
        ran = drive.run(records, type="forward", address=f"127.0.0.1:{server.port}")
    assert ran.code == 0 and ran.done == ids(records)
    assert len(sizes) >= 3 and max(sizes) < 1001000


# HTTP

BODIES = ["webhook", "hec", "elastic", "otlp"]


@pytest.fixture(params=BODIES)
def body(request):
    return request.param


def post(drive, stub, records, options=(), **keys):
    return drive.run(records, options, type="http", url=stub.url, body=stub.kind, timeout="1s", **keys)


@pytest.mark.parametrize("compress", ["false", "true"])
def test_http_gets_all_of_each_record(body, compress, drive):
    records = alerts(400)
    with Stub(body) as stub:
        ran = post(drive, stub, records, compress=compress)
    assert ran.code == 0 and not ran.trouble
    assert ran.done == ids(records)
    assert [as_given(record) for record in stub.taken] == records
    assert stub.connections == 1
    paths = {"webhook": "/", "hec": "/services/collector/event", "elastic": "/_bulk", "otlp": "/v1/logs"}
    assert {path for path, _ in stub.requests} == {paths[body]}
    headers = stub.requests[0][1]
    assert headers["User-Agent"].startswith("modelwatch/")
    assert headers["Content-Type"] == ("application/x-ndjson" if body == "elastic" else "application/json")
    if body == "webhook":
        assert len({h["Idempotency-Key"] for _, h in stub.requests}) == 400
    else:
        assert len(stub.requests) == 2


def test_http_says_what_each_receiver_wants(drive):
    with Stub("hec") as stub:
        post(drive, stub, alerts(1), index="main")
        event = json.loads(stub.bodies[0])
        assert event["time"] == 1795452946.016 and event["index"] == "main" and event["host"] == "testhost"
        assert event["sourcetype"] == "modelwatch:native" and event["source"] == "modelwatch"
    with Stub("elastic") as stub:
        post(drive, stub, alerts(1))
        action, document = map(json.loads, stub.bodies[0].splitlines())
        assert action["create"]["_index"] == "logs-modelwatch.alerts-default"
        assert document["@timestamp"] == "2026-11-23T16:55:46.015960535Z"
    with Stub("otlp") as stub:
        post(drive, stub, alerts(1))
        resource = json.loads(stub.bodies[0])["resourceLogs"][0]
        log = resource["scopeLogs"][0]["logRecords"][0]
        assert log["timeUnixNano"] == "1795452946015960535" and log["severityNumber"] == 21
        assert log["severityText"] == "critical" and log["eventName"] == "modelwatch.alert"
        names = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}
        assert names == {"service.name": "modelwatch", "service.version": "0.1.0", "host.name": "testhost"}


FAULTS = {"429": 429, "500": 500, "502": 502, "503": 503, "401": 401, "403": 403, "404": 404, "405": 405,
          "half": {"do": "half"}, "close": {"do": "close"}, "garbage": {"do": "garbage"},
          "hang": {"do": "hang"}, "trickle": {"do": "trickle"}, "endless": {"do": "endless"},
          "headers": {"do": "headers"},
          "302": {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}}


@pytest.mark.parametrize("fault", FAULTS)
def test_http_goes_on_after(fault, body, drive):
    records = alerts(20)
    with Stub(body, script=[FAULTS[fault]]) as stub:
        ran = post(drive, stub, records)
    assert ran.code == 0 and ran.done == ids(records) and not ran.refused
    assert set(ids(stub.taken)) == set(ids(records))
    if fault == "endless" and body != "webhook":  # fewer may have a shorter answer
        assert len(stub.requests) == 3 and not ran.trouble
        return
    assert ran.trouble.count("\n") == 1
    assert ran.trouble.split(":")[0] == {"401": "auth", "403": "auth", "429": "busy", "500": "busy", "502": "busy",
                      "503": "busy", "404": "refused", "405": "refused", "302": "protocol",
                      "hang": "timeout", "trickle": "timeout", "half": "closed", "close": "closed",
                      }.get(fault, "protocol")


@pytest.mark.parametrize("kind,status", [(kind, 413) for kind in BODIES] + [("hec", 400)] + [
    (kind, status) for kind in ("webhook", "otlp") for status in (400, 422)])
def test_http_refuses_the_one_record_that_is_never_taken(status, kind, drive):
    def judge(stub, request, data):
        bad = b'"number":37' in data.replace(b"\\", b"")
        return {"status": status, "body": {"text": "Invalid data format", "code": 6}} if bad else 200

    records = alerts(100)
    with Stub(kind, default=judge) as stub:
        ran = post(drive, stub, records)
    assert ran.code == 0
    assert ran.refused == [records[37]["id"]]
    assert ran.done == ids(records[:37] + records[38:])
    assert [r["number"] for r in stub.taken] == [n for n in range(100) if n != 37]
    if kind != "webhook":
        assert len(stub.requests) < 30


def test_http_halves_what_is_too_large(body, drive):
    def judge(stub, request, data):
        return 413 if len(data) > 20000 else 200

    records = alerts(200)
    with Stub(body, default=judge) as stub:
        ran = post(drive, stub, records)
    assert ran.code == 0 and ran.done == ids(records) and not ran.refused
    assert ids(stub.taken) == ids(records)


def test_http_409_is_no_acknowledgement(body, drive):
    """A receiver that is still at a request with the same Idempotency-Key may fail at it."""
    with Stub(body, script=[409]) as stub:
        ran = post(drive, stub, alerts(2))
    assert ran.done == ids(alerts(2)) == ids(stub.taken)
    assert ran.trouble.startswith("busy: ") and len(stub.requests) == (3 if body == "webhook" else 2)


def test_webhook_that_answers_409_for_ever_holds_no_other(drive):
    """After 30 times `timeout`, with nothing said in between by another record."""
    def judge(stub, request, data):
        return 409 if b'"number":1,' in data else 200

    with Stub("webhook", default=judge) as stub:
        started = time.monotonic()
        ran = drive.run(alerts(4), ["-r", "50"], type="http", url=stub.url, timeout="50ms")
        took = time.monotonic() - started
    assert ran.refused == ids(alerts(1, start=1)) and len(ran.done) == 3
    assert 1.5 <= took < 5


@pytest.mark.parametrize("answer", [b"<html>Please log in</html>", b"", b"{}", b'{"code":"0"}', b'{"code":9}'])
def test_hec_that_does_not_say_is_asked_again(answer, drive):
    with Stub("hec", script=[{"status": 200, "body": answer}]) as stub:
        ran = post(drive, stub, alerts(2))
    assert ran.done == ids(alerts(2)) and ran.trouble.startswith("protocol: ")
    assert len(stub.requests) == 2


@pytest.mark.parametrize("status", [400, 409, 422])
def test_elastic_that_refuses_a_request_has_nothing_against_its_documents(status, drive):
    says = {"error": {"type": "illegal_argument_exception", "reason": "unrecognized parameter: [pipelne]"}}
    with Stub("elastic", script=[{"status": status, "body": says}]) as stub:
        ran = post(drive, stub, alerts(3))
    assert ran.done == ids(alerts(3)) and not ran.refused and "pipelne" in ran.trouble
    assert len(stub.requests) == 2


def test_elastic_whose_index_is_not_right_loses_nothing(drive):
    """The first may be put right; the second never is."""
    says = [("validation_exception", "maximum normal shards open"), ("document_parsing_exception", "failed to parse")]
    answer = {"status": 200, "body": {"items": [
        {"create": {"status": 400, "error": {"type": kind, "reason": why}}} for kind, why in says]}}
    with Stub("elastic", script=[answer]) as stub:
        ran = post(drive, stub, alerts(2))
        assert ran.done == ids(alerts(2)) and not ran.refused and "shards" in ran.trouble
        stub.script = [{"status": 200, "body": {"items": answer["body"]["items"][1:]}}]
        assert post(drive, stub, alerts(1)).refused == ids(alerts(1))


def test_elastic_says_of_each(drive):
    """409 is there already, 400 is dead, 429 is sent again with all after it."""
    def once(stub, request, data):
        statuses = [201, 409, 400, 201, 429, 201]
        return {"status": 200, "body": {"errors": True, "items": [
            {"create": {"status": s, "error": {"type": "t", "reason": f"because of {s}"}}} for s in statuses]}}

    records = alerts(6)
    with Stub("elastic", script=[once]) as stub:
        ran = post(drive, stub, records)
    assert ran.refused == [records[2]["id"]]
    assert ran.done == ids(records[:2] + records[3:])
    assert "because of 400" in ran.trouble
    assert ids(stub.taken) == ids(records[4:])


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b'{"items":[]}', b'{"items":[{"create":{"status":201}}]}',
                                    b'{"items":[{},{}]}', b'{"items":[1,2]}', b"\xff", b"[" * 5000,
                                    b'{"items":[{"create":{"status":"201"}},{"create":{"status":201}}]}'])
def test_elastic_that_does_not_say_is_asked_again(answer, drive):
    with Stub("elastic", script=[{"status": 200, "body": answer}]) as stub:
        ran = post(drive, stub, alerts(2))
    assert ran.done == ids(alerts(2)) and ran.trouble.startswith("protocol: ")
    assert len(stub.requests) == 2


def test_otlp_collector_that_throws_some_away(drive):
    def judge(stub, request, data):
        if b'number\\":5,' not in data:
            return 200
        return {"status": 200, "body": {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "no"}}}

    records = alerts(8)
    with Stub("otlp", default=judge) as stub:
        ran = post(drive, stub, records)
    assert ran.refused == [records[5]["id"]] and len(ran.done) == 7


@pytest.mark.parametrize("code", [7, 10, 14])
def test_hec_that_is_not_set_up_loses_nothing(code, drive):
    with Stub("hec", script=[{"status": 400, "body": {"text": "Incorrect index", "code": code}}]) as stub:
        ran = post(drive, stub, alerts(3))
    assert ran.done == ids(alerts(3)) and not ran.refused and "Incorrect index" in ran.trouble


def indexer(delay):
    """Splunk with indexer acknowledgement: answers about acks only after `delay` s."""
    since = {}

    def answer(stub, request, data):
        assert request.headers["X-Splunk-Request-Channel"]
        if request.path == "/services/collector/event":
            number = len(since)
            since[number] = time.monotonic()
            return {"status": 200, "body": stub.good(data) | {"ackId": number}}
        assert request.path == "/services/collector/ack"
        return {"status": 200, "body": {"acks": {
            str(n): time.monotonic() - since[n] > delay for n in json.loads(data)["acks"]}}}

    return answer


@pytest.mark.parametrize("delay", [0, 0.3, 3])
def test_hec_waits_for_the_indexer(delay, drive):
    """Also over several tries, without sending it all again."""
    records = alerts(5)
    with Stub("hec", default=indexer(delay)) as stub:
        started = time.monotonic()
        ran = post(drive, stub, records, indexer_ack="true", compress="true")
        took = time.monotonic() - started
    assert ran.code == 0 and ran.done == ids(records) and took > delay
    assert ids(stub.taken) == ids(records)
    assert ("timeout: " in ran.trouble) == (delay == 3)


def test_hec_without_the_acknowledgement_it_was_to_give(drive):
    with Stub("hec") as stub:
        ran = post(drive, stub, alerts(1), ["-d", "1", "-r", "300"], indexer_ack="true")
    assert ran.code == 1 and not ran.done and "not enabled" in ran.trouble


def test_http_redirection_is_not_followed_with_the_token(body, drive, secret):
    with Stub(body) as elsewhere:
        to = {"status": 307, "headers": {"Location": elsewhere.url + "/"}}
        with Stub(body, default=to) as stub:
            ran = post(drive, stub, alerts(1), ["-d", "1", "-r", "300"], token_file=secret)
        assert elsewhere.requests == []
    assert ran.code == 1 and not ran.done and not ran.refused
    assert ran.trouble.startswith("protocol: ") and "not followed" in ran.trouble
    assert stub.requests[0][1]["Authorization"].endswith(SECRET)


def test_http_takes_a_new_token_on_sighup(body, drive, secret):
    def judge(stub, request, data):
        return 200 if request.headers["Authorization"].endswith(SECRET) else 401

    pathlib.Path(secret).write_text("of yesterday")
    with Stub(body, default=judge) as stub:
        process = drive.start(alerts(3), type="http", body=body, url=stub.url, token_file=secret)
        assert process.stderr.readline().startswith("auth: ")
        pathlib.Path(secret).write_text(SECRET)
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and out.count("done ") == 3 and ids(stub.taken) == ids(alerts(3))


def as_go(data):
    return re.sub(rb"[&<>]", lambda found: b"\\u%04x" % found[0][0], data)


WAYS = {"as_it_is": lambda data: data, "as_php": lambda data: data.replace(b"/", b"\\/"), "as_go": as_go,
        "all_escaped": lambda data: re.sub(rb"(?<=[a-z0-9])[a-zA-Z0-9/&]", lambda found: b"\\u%04x" % found[0][0], data),
        "decoded": lambda data: urllib.parse.unquote_plus(data.decode()).encode()}


@pytest.mark.parametrize("way", WAYS)
def test_http_secrets_are_in_no_message(way, body, drive, secret):
    """A receiver that answers with all that it was sent, written as languages write it."""
    def echo(stub, request, data):
        said = f"{request.path} {request.headers['Authorization']} {SECRET} {request.headers['X-Api-Key']}"
        if turned:
            said = " ".join(reversed(said.split(" ")))
        return {"status": 403, "body": WAYS[way](json.dumps({"text": said, "error": {"reason": said}}).encode())}

    for keys, turned in itertools.product(
            ({"token_file": secret}, {"user": "me", "password_file": secret}), (False, True)):
        with Stub(body, script=[echo]) as stub:
            ran = drive.run(alerts(1), type="http", body=body, timeout="1s",
                            url=stub.url + "/hook/T0PATH/s3gment-x?key=Qu3ry%2FK3y%26&more=M0r3Qu3ry",
                            headers={"X-Api-Key": "H3ad3r-K3y"}, **keys)
        assert ran.code == 0 and ran.trouble.startswith("auth: ") and "***" in ran.trouble
        for shown in (SECRET, "T0PATH", "s3gment-x", "Qu3ry", "K3y", "M0r3", base64.b64encode(f"me:{SECRET}".encode()).decode()):
            assert shown not in ran.trouble
        given = stub.requests[0][1]["Authorization"]
        assert given.endswith(SECRET) or given == "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()


@pytest.mark.parametrize("url", ["http://127.0.0.1:80@example.org/", "https://me:pass@example.org/",
                                 "https://example.org/#x", "file:///etc/passwd", "gopher://127.0.0.1/",
                                 "https://", "https://exa mple.org", "http://example.org/"])
def test_http_urls_that_are_none(url, drive, secret):
    ran = drive.run(alerts(1), type="http", url=url, token_file=secret)
    assert ran.code == 2 and "pass@" not in ran.trouble


def test_http_headers(drive):
    with Stub() as stub:
        ran = post(drive, stub, alerts(1), headers={"X-Team": "ml", "X-Empty": ""})
        assert ran.code == 0
        assert stub.requests[0][1]["X-Team"] == "ml" and stub.requests[0][1]["X-Empty"] == ""
        for headers in ({"X": "a\r\nInjected: b"}, {"A b": "c"}, {"Authorization": "x"}, {"Host": "x"}):
            ran = post(drive, stub, alerts(1), headers=headers)
            assert ran.code == 2 and "headers" in ran.trouble


def test_http_stops_at_once(drive):
    with Stub(default={"do": "hang"}) as stub:
        process = drive.start(alerts(1), type="http", url=stub.url)
        until(lambda: stub.requests)
        started = time.monotonic()
        process.terminate()
        process.communicate(timeout=20)
        assert time.monotonic() - started < 1 and process.returncode == 1


def context_of(certificates, name="server", clients=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.path(f"{name}.pem"), certificates.path(f"{name}.key"))
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.path("ca.pem"))
    return context


@pytest.mark.parametrize("name,tls,good", [
    ("server", {}, True), ("server", {"ca": "other-ca"}, False), ("elsewhere", {}, False),
    ("elsewhere", {"server_name": "elsewhere.example.org"}, True), ("expired", {}, False)])
def test_https(name, tls, good, drive, certificates):
    with Stub(context=context_of(certificates, name)) as stub:
        ran = drive.run(alerts(2), ["-d", "2", "-r", "300"], type="http", timeout="1s",
                        url=f"https://127.0.0.1:{stub.port}", tls=certificates.tls(**tls))
    assert (ran.code == 0 and len(stub.taken) == 2) == good
    assert good or (ran.trouble.startswith("tls: ") and stub.requests == [])


def test_https_with_a_certificate_of_ours(drive, certificates):
    with Stub(context=context_of(certificates, clients=True)) as stub:
        url = f"https://localhost:{stub.port}"
        assert drive.run(alerts(1), type="http", url=url, tls=certificates.tls(cert="client")).code == 0
        assert drive.run(alerts(1), ["-d", "1"], type="http", url=url, timeout="1s",
                         tls=certificates.tls()).code == 1


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy", "https_proxy"])
def test_proxy_sees_nothing_in_clear(variable, drive, certificates, secret, monkeypatch):
    """Not even of a receiver on this machine, whose token goes in clear."""
    seen = []

    def proxy(channel):
        seen.append(channel.recv(65536))
        channel.sendall(b"HTTP/1.1 502 no\r\n\r\n")

    with Server(proxy) as server, Stub() as stub:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{server.port}")
        ran = drive.run(alerts(1), type="http", url=stub.url, token_file=secret)
        assert ran.code == 0 and len(stub.taken) == 1 and seen == []
        if variable == "https_proxy":
            ran = drive.run(alerts(1), ["-d", "1", "-r", "300"], type="http", url="https://siem.example.org/",
                            token_file=secret, timeout="1s")
            assert ran.code == 1
            assert seen and seen[0].startswith(b"CONNECT siem.example.org:443") and SECRET.encode() not in seen[0]


class HttpProgram(Program):
    def __init__(self, folder, kind):
        port = free_port()
        out = f"{folder}/taken"
        super().__init__([sys.executable, str(HERE / "http_stub.py"), str(port), out, kind], port, out)

    def records(self):
        """Their `id`, `update` and `sequence`."""
        return whole(self.out)

    def ids(self):
        return ids(self.records())


@pytest.mark.parametrize("kind", ["elastic", "hec"])
def test_http_loses_nothing_when_the_receiver_is_killed(kind, drive, tmp_path):
    records = alerts(10000)
    with HttpProgram(tmp_path, kind) as server:
        with killed_now_and_then(server, 20, 0.1) as kills:
            ran = drive.run(records, ["-b", "16", "-p", "5", "-d", "100"], type="http", body=kind,
                            url=f"http://127.0.0.1:{server.port}", timeout="2s")
        received = server.ids()
    assert ran.code == 0, ran.trouble
    assert kills[0] >= 10 and ran.trouble
    assert ran.done == ids(records) and first_of_each(received) == ids(records)
    print(f"{kind}: {kills[0]} kills, {len(received) - len(records)} duplicates")


# Kafka


class Kafka:
    """librdkafka's mock cluster, and kcat to look into it."""

    def __init__(self, program, brokers=3):
        self.count = brokers
        self.process = subprocess.Popen([program, str(brokers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.brokers = self.process.stdout.readline().strip()

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def stop(self, _=None):
        for broker in range(1, self.count + 1):
            self.tell("down", broker)

    def start(self):
        for broker in range(1, self.count + 1):
            self.tell("up", broker)

    def __enter__(self):
        self.tell("topic", "alerts", 4)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)

    def sink(self, **keys):
        return {"type": "kafka", "brokers": self.brokers, "topic": "alerts", **keys}

    def messages(self):
        got = subprocess.run(["kcat", "-C", "-b", self.brokers, "-t", "alerts", "-o", "beginning", "-e", "-q",
                              "-f", "%p\t%k\t%h\t%s\n"], capture_output=True, text=True, timeout=60, check=True)
        return [line.split("\t") for line in got.stdout.split("\n")[:-1]]


@pytest.fixture
def kafka_is_built(drive_program):
    program = drive_program.parent / "kafka_mock"
    if not program.exists():
        pytest.skip("built without librdkafka")
    return program


@pytest.fixture
def kafka(kafka_is_built):
    with Kafka(kafka_is_built) as cluster:
        yield cluster


@needs_kcat
def test_kafka_gets_all_of_each_record(kafka, drive):
    records = alerts(1500)
    ran = drive.run(records, **kafka.sink())
    assert ran.code == 0 and not ran.trouble and ran.done == ids(records)
    messages = kafka.messages()
    assert sorted(key for _, key, _, _ in messages) == ids(records)
    assert all(json.loads(value)["id"] == key for _, key, _, value in messages)
    assert all(header.startswith("uid=01a20955-") for _, _, header, _ in messages)


@needs_kcat
def test_kafka_keeps_the_updates_of_a_finding_in_order(kafka, drive):
    records = [record | {"id": f"finding-{i % 7}"} for i, record in enumerate(alerts(700))]
    assert drive.run(records, **kafka.sink()).code == 0
    places = {}
    for partition, key, _, value in kafka.messages():
        places.setdefault(key, []).append((partition, json.loads(value)["number"]))
    for key, where in places.items():
        assert len({partition for partition, _ in where}) == 1
        assert [number for _, number in where] == sorted(number for _, number in where)


@needs_kcat
def test_kafka_loses_nothing_when_brokers_go(kafka, drive):
    records = alerts(10000)
    with killed_now_and_then(kafka, 20, 0.15) as kills:
        ran = drive.run(records, ["-b", "50", "-p", "10", "-d", "100"],
                        **kafka.sink(timeout="5s", properties={"reconnect.backoff.max.ms": "200"}))
    messages = kafka.messages()
    assert ran.code == 0, ran.trouble
    assert kills[0] >= 5
    assert ran.done == ids(records)
    assert {key for _, key, _, _ in messages} == set(ids(records))
    print(f"kafka: {kills[0]} times down, {len(messages) - len(records)} duplicates")


@pytest.mark.parametrize("code,how", [(10, "refused"), (87, "refused"), (29, "auth"), (19, "ok")])
def test_kafka_answers(code, how, kafka, drive):
    """10 too large, 87 an invalid record; 29 no permission; 19 too few replicas, which librdkafka waits for."""
    kafka.tell("error", code, 1)
    records = alerts(3)
    ran = drive.run(records, ["-b", "1"], **kafka.sink(timeout="3s"))
    assert ran.code == 0
    assert ran.refused == (ids(records[:1]) if how == "refused" else [])
    assert ran.done == ids(records)[len(ran.refused):]
    assert ran.trouble.split(":")[0] == ("" if how == "ok" else how)


def test_kafka_record_that_is_too_large(kafka, drive):
    records = [*alerts(2), *alerts(1, start=2, title="C" * 4000), *alerts(1, start=3)]
    ran = drive.run(records, **kafka.sink(properties={"message.max.bytes": "3000"}))
    assert ran.refused == [records[2]["id"]] and len(ran.done) == 3


def test_kafka_that_is_not_there(drive):
    started = time.monotonic()
    ran = drive.run(alerts(2), ["-d", "1"], type="kafka", topic="t", timeout="500ms",
                    brokers=f"127.0.0.1:{free_port()}")
    assert ran.code == 1 and not ran.done
    assert ran.trouble.startswith("timeout: ") and "refused" in ran.trouble
    assert time.monotonic() - started < 5


def test_kafka_stops_at_once(kafka, drive):
    kafka.stop()
    process = drive.start(alerts(1), **kafka.sink())
    time.sleep(0.7)
    started = time.monotonic()
    process.terminate()
    process.communicate(timeout=20)
    assert time.monotonic() - started < 2 and process.returncode == 1


@pytest.mark.parametrize("keys", [
    {"properties": {"no.such": "x"}}, {"user": "me"}, {"tls": {"server_name": "x"}}])
def test_kafka_configurations_that_are_wrong(keys, drive):
    ran = drive.run(alerts(1), type="kafka", topic="t", brokers="127.0.0.1:1", **keys)
    assert ran.code == 2


TAKE_AWAY = {
    "acks": "1", "topic.acks": "0", "request.required.acks": "0", "topic.request.required.acks": "0",
    "enable.idempotence": "false", "enable.gapless.guarantee": "true", "transactional.id": "x",
    "message.timeout.ms": "1", "delivery.timeout.ms": "1", "topic.delivery.timeout.ms": "1",
    "delivery.report.only.error": "true", "bootstrap.servers": "127.0.0.1:2", "metadata.broker.list": "127.0.0.1:2",
    "security.protocol": "plaintext", "enable.ssl.certificate.verification": "false",
    "ssl.endpoint.identification.algorithm": "none", "ssl.ca.location": "/tmp/x", "ssl.ca.pem": "x",
    "ssl.key.location": "/tmp/x", "ssl.key.pem": "x", "ssl.key.password": "x", "ssl.keystore.password": "x",
    "ssl.engine.location": "/tmp/x.so", "plugin.library.paths": "/tmp/x", "sasl.kerberos.kinit.cmd": "true",
    "sasl.username": "x", "sasl.password": "x", "sasl.oauthbearer.client.secret": "x",
    "enable.sasl.oauthbearer.unsecure.jwt": "true"}


@pytest.mark.parametrize("name", TAKE_AWAY)
def test_kafka_properties_take_nothing_away(name, drive, kafka_is_built):
    ran = drive.run(alerts(1), type="kafka", topic="t", brokers="127.0.0.1:1", tls={"on": "true"},
                    properties={name: TAKE_AWAY[name]})
    assert ran.code == 2 and f"'{name}' cannot be set" in ran.trouble


@pytest.mark.parametrize("protocol,user,good", [
    ("ssl", False, True), ("SASL_SSL", True, True), ("sasl_plaintext", False, False), ("ssl", True, False),
    ("sasl_plaintext", True, False)])
def test_kafka_protocols_that_keep_what_tls_says(protocol, user, good, drive, secret, kafka_is_built):
    keys = {"user": "me", "password_file": secret} if user else {}
    ran = drive.run(alerts(1), ["-d", "1"], type="kafka", topic="t", brokers=f"127.0.0.1:{free_port()}", timeout="100ms",
                    tls={"on": "true"}, properties={"security.protocol": protocol}, **keys)
    assert ran.code == (1 if good else 2) and ("cannot be set" in ran.trouble) != good


def test_kafka_properties_of_the_site(drive, kafka_is_built):
    names = {"compression.type": "lz4", "socket.keepalive.enable": "true", "ssl.cipher.suites": "ECDHE+AESGCM",
             "reconnect.backoff.max.ms": "200", "topic.metadata.refresh.interval.ms": "60000", "client.id": "x"}
    ran = drive.run(alerts(1), ["-d", "1"], type="kafka", topic="t", brokers=f"127.0.0.1:{free_port()}",
                    timeout="100ms", tls={"on": "true"}, properties=names)
    assert ran.code == 1 and ran.trouble.startswith("timeout: ")
