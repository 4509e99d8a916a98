"""A receiver of HTTP that answers as it is told, and writes down what it took before it says so.

    http_stub.py PORT OUT KIND      one that can be killed: webhook, hec, elastic or otlp
"""

import gzip
import http.server
import json
import pathlib
import socket
import sys
import threading
import time


def documents(kind, body):
    """The records of a request, as pairs of a name (or None) and the record."""
    if kind == "webhook":
        return [(None, json.loads(body))]
    if kind == "hec":
        texts, decoder, at = body.decode(), json.JSONDecoder(), 0
        events = []
        while at < len(texts):
            event, at = decoder.raw_decode(texts, at)
            events.append((event["fields"]["uid"], event["event"]))
        return events
    if kind == "elastic":
        lines = body.decode().split("\n")
        assert lines.pop() == ""
        return [(json.loads(lines[i])["create"]["_id"], json.loads(lines[i + 1]))
                for i in range(0, len(lines), 2)]
    logs = json.loads(body)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    return [(log["attributes"][0]["value"]["stringValue"], json.loads(log["body"]["stringValue"]))
            for log in logs]


class Stub:
    """`script` is what to do with the requests in turn, then `default`: a status, or a dict of
    status, headers, body, or `do`: half, hang, close, garbage, endless. A function is asked."""

    def __init__(self, kind="webhook", script=(), default=200, out=None, port=0, context=None):
        self.kind, self.script, self.default = kind, list(script), default
        self.out = open(out, "a") if out else None
        self.requests, self.taken, self.bodies = [], [], []
        self.uids, self.connections, self.lock, self.over = set(), 0, threading.Lock(), threading.Event()
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def setup(self):
                super().setup()
                stub.connections += 1

            def do_POST(self):
                stub.serve(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def take(self, body):
        """Keeps the records and says what became of each, as Elastic does."""
        statuses = []
        for uid, record in documents(self.kind, body):
            statuses.append(409 if uid is not None and uid in self.uids else 201)
            self.uids.add(uid)
            self.taken.append(record)
            if self.out:
                self.out.write(json.dumps({name: record.get(name) for name in ("id", "update", "sequence")}) + "\n")
        if self.out:
            self.out.flush()
        return statuses

    def good(self, body):
        with self.lock:
            statuses = self.take(body)
        if self.kind == "elastic":
            return {"took": 1, "errors": 409 in statuses, "items": [
                {"create": {"_index": "x", "status": status}} for status in statuses]}
        return {"text": "Success", "code": 0} if self.kind == "hec" else {}

    def serve(self, request):
        raw = request.rfile.read(int(request.headers["Content-Length"]))
        body = gzip.decompress(raw) if request.headers["Content-Encoding"] == "gzip" else raw
        with self.lock:
            self.requests.append((request.path, dict(request.headers)))
            self.bodies.append(body)
            what = self.script.pop(0) if self.script else self.default
        if callable(what):
            what = what(self, request, body)
        if isinstance(what, int):
            what = {"status": what}
        do = what.get("do")
        if do:
            getattr(self, "do_" + do)(request, body)
            request.close_connection = True
            return
        answer = what.get("body")
        if answer is None:
            answer = self.good(body) if what["status"] < 300 else {}
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        request.send_response(what["status"])
        for name, value in what.get("headers", {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def do_half(self, request, body):
        """It has taken all of it, and half of the answer gets out."""
        data = json.dumps(self.good(body)).encode() + b" " * 100
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[:len(data) // 2])

    def do_hang(self, request, _):
        self.over.wait(60)

    def do_close(self, request, _):
        request.connection.shutdown(socket.SHUT_RDWR)

    def do_garbage(self, request, _):
        request.wfile.write(b"\x16\x03\x01 what is this\r\n\r\n")

    def do_endless(self, request, _):
        request.send_response(200)
        request.end_headers()
        while not self.over.is_set():
            request.wfile.write(b"x" * 65536)

    def do_headers(self, request, _):
        request.send_response(200)
        while not self.over.is_set():
            request.wfile.write(b"X-More: " + b"x" * 8000 + b"\r\n")

    def do_trickle(self, request, _):
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        while not self.over.is_set():
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.05)


if __name__ == "__main__":
    with Stub(sys.argv[3], port=int(sys.argv[1]), out=pathlib.Path(sys.argv[2])) as served:
        print("ready", flush=True)
        threading.Event().wait()
