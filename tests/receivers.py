"""Receivers that the tests of sinks start: a real rsyslog, certificates, and servers that misbehave."""

import contextlib
import fcntl
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from conftest import PROGRAM, ROOT

# Nobody else's: a rsyslog that is installed is not asked what it runs with.
RSYSLOGD = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
DATA = re.compile(r'id="([^"]*)"[^]]*\] ?(.*)')


def parse(line):
    """A line that death has cut is none."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def whole(path):
    """What its lines of JSON say."""
    return [record for record in map(parse, path.read_text(errors="replace").split("\n")) if record]


def end_line(path):
    """Of one that was killed while it wrote: whoever goes on begins a line of his own."""
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                file.write(b"\n")


def until(what, seconds=20):
    """Waits until what() is true, and returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def free_port():
    """None of those that the kernel gives to whoever connects: one whose server is down stays free."""
    most = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(min(10000, most - 1000), most)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port


def is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Certificates:
    """An authority and what it has signed; another that nobody knows."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        for ca in ("ca", "other-ca"):
            self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                         f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
        self.sign("server", "DNS:localhost,IP:127.0.0.1,DNS:siem.example.org")
        self.sign("elsewhere", "DNS:elsewhere.example.org")
        self.sign("expired", "DNS:localhost,IP:127.0.0.1", days=-1)
        self.sign("client", "DNS:node.example.org", use="clientAuth")
        self.sign("stranger", "DNS:node.example.org", ca="other-ca", use="clientAuth")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True)

    def sign(self, name, names, ca="ca", use="serverAuth", days=30):
        (self.folder / "ext").write_text(f"subjectAltName={names}\nextendedKeyUsage={use}\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                     f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                     "-CAcreateserial", "-days", str(days), "-extfile", "ext", "-out", f"{name}.pem")

    def path(self, name):
        return str(self.folder / name)

    def tls(self, ca="ca", **keys):
        """The `tls` of a sink's configuration."""
        table = {"ca": self.path(f"{ca}.pem")}
        if "cert" in keys:
            name = keys.pop("cert")
            table |= {"cert": self.path(f"{name}.pem"), "key": self.path(f"{name}.key")}
        return table | keys


class Rsyslog:
    """An rsyslogd of the test's own. What it gets is in a file before it acknowledges it."""

    def __init__(self, folder, kind, certificates=None, server="server", clients=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.port, self.kind = free_port(), kind
        self.out = self.folder / "received"
        self.socket = self.folder / "log"
        self.config = self.folder / "rsyslog.conf"
        self.config.write_text(self.text(certificates, server, clients))
        self.process = None

    def text(self, certificates, server, clients):
        files = {"ca": "ca.pem", "cert": f"{server}.pem", "key": f"{server}.key"}
        path = {k: certificates.path(v) for k, v in files.items()} if certificates else {}
        lines = [f'global(workDirectory="{self.folder}")',
                 'template(name="whole" type="string" string="%structured-data% %msg%\\n")']
        given = {
            "tcp": 'module(load="imptcp")\ninput(type="imptcp" address="127.0.0.1" port="{port}" '
                   'ruleset="r" supportOctetCountedFraming="on")',
            "tls": 'module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" '
                   'StreamDriver.AuthMode="{auth}"{peers})\n'
                   'input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="r")',
            "relp": 'module(load="imrelp" ruleset="r")\n'
                    'input(type="imrelp" address="127.0.0.1" port="{port}")',
            "relp-tls": 'module(load="imrelp" tls.tlslib="openssl" ruleset="r")\n'
                        'input(type="imrelp" address="127.0.0.1" port="{port}" tls="on" '
                        'tls.caCert="{ca}" tls.myCert="{cert}" tls.myPrivKey="{key}"{relp_auth})',
            "unix": 'module(load="imuxsock" SysSock.Use="off")\n'
                    'input(type="imuxsock" Socket="{socket}" ruleset="r" UseSpecialParser="off" '
                    'ParseHostname="on")',
        }[self.kind]
        if self.kind == "tls":
            lines.append('global(DefaultNetstreamDriver="ossl" '
                         'DefaultNetstreamDriverCAFile="{ca}" DefaultNetstreamDriverCertFile="{cert}" '
                         'DefaultNetstreamDriverKeyFile="{key}")'.format(**path))
        peers = f' PermittedPeer=["{clients}"]' if clients else ""
        relp_auth = f' tls.authMode="name" tls.permittedPeer=["{clients}"]' if clients else ""
        lines.append(given.format(port=self.port, socket=self.socket, peers=peers,
                                  auth="x509/name" if clients else "anon", relp_auth=relp_auth,
                                  **path))
        lines.append(f'ruleset(name="r" queue.type="Direct") {{ action(type="omfile" '
                     f'file="{self.out}" template="whole") }}')
        return "\n".join(lines) + "\n"

    def __enter__(self):
        self.start()
        return self

    def start(self):
        end_line(self.out)
        pid_file = self.folder / "pid"
        pid_file.unlink(missing_ok=True)
        with open(self.folder / "log.txt", "a") as log:
            self.process = subprocess.Popen(
                [RSYSLOGD, "-n", "-f", str(self.config), "-i", str(pid_file)],
                stdout=log, stderr=log)
        try:
            until(lambda: self.socket.exists() if self.kind == "unix" else is_open(self.port))
        except AssertionError:
            raise AssertionError((self.folder / "log.txt").read_text()) from None

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(20)
        self.socket.unlink(missing_ok=True)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def received(self):
        """Pairs of the id, from the structured data, and the text. What death has cut may have none."""
        if not self.out.exists():
            return []
        with open(self.out, encoding="utf-8", errors="replace") as file:
            return [found.groups() for found in map(DATA.search, file.read().split("\n")[:-1]) if found]

    def ids(self):
        return [pair[0] for pair in self.received()]


JOURNALD = next((p for p in ("/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-journald")
                 if os.path.exists(p)), None)
HAS_JOURNALD = bool(os.getuid() == 0 and JOURNALD and shutil.which("unshare") and shutil.which("journalctl"))


class Journald:
    """A journald of the test's own, which only what is started with `before` finds."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", sys.executable, str(ROOT / "tests/sinks/journald.py"),
             JOURNALD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        self.before = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"]

    def tell(self, word):
        self.holder.stdin.write(word + "\n")
        self.holder.stdin.flush()
        assert self.holder.stdout.readline() == "done\n"

    def start(self):
        self.tell("start")

    def stop(self, _=None):
        self.tell("kill")

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(20)
        self.holder.stdout.close()

    def messages(self, name="modelwatch"):
        done = subprocess.run([*self.before, "journalctl", "-D", "/run/log/journal", "-o", "cat", "--all", "--no-pager",
                               f"SYSLOG_IDENTIFIER={name}"], capture_output=True, text=True, check=True)
        return done.stdout.split("\n")[:-1]


class Server:
    """A listener on the loopback whose connections are handled by a function, one at a time."""

    def __init__(self, handle, context=None, backlog=16):
        self.handle, self.context = handle, context
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self.listener.getsockname()[1]
        self.over = False
        self.connections, self.errors = 0, []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        self.listener.settimeout(0.1)
        while not self.over:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                continue
            self.connections += 1
            connection.settimeout(20)
            try:
                with self.context.wrap_socket(connection, server_side=True) if self.context \
                        else connection as channel:
                    self.handle(channel)
            except OSError as error:
                self.errors.append(error)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join(5)
        self.listener.close()


class Drive:
    """Runs tests/sinks/drive.c: records through one sink."""

    def __init__(self, program, folder):
        self.program, self.folder = str(program), pathlib.Path(folder)
        self.number = 0

    def records(self, records):
        self.number += 1
        path = self.folder / f"records-{self.number}"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return str(path)

    def config(self, **keys):
        path = self.folder / f"config-{self.number}"
        path.write_text(json.dumps({"sinks": {"test": {"format": "native", **keys}}}))
        return str(path)

    def start(self, records, options=(), before=(), stdout=subprocess.PIPE, **keys):
        records = self.records(records)
        return subprocess.Popen([*before, self.program, *options, self.config(**keys), records],
                                stdout=stdout, stderr=subprocess.PIPE, text=True)

    def run(self, records, options=(), **keys):
        """Returns how it ended, the ids that were done, those that were refused, and the trouble."""
        with self.start(records, options, **keys) as process:
            out, err = process.communicate(timeout=120)
        return Outcome(process.returncode, out, err)


class Outcome:
    def __init__(self, code, out, err):
        self.code, self.trouble = code, err
        ends = [line.split(" ", 1) for line in out.splitlines() if line.startswith(("done ", "refused "))]
        self.done = [name for how, name in ends if how == "done"]
        self.refused = [name for how, name in ends if how == "refused"]
        self.peak = sum(int(line[5:]) for line in out.splitlines() if line.startswith("peak ")) * 1024


@pytest.fixture(scope="session")
def drive_program():
    build = pathlib.Path(PROGRAM).parent
    build.mkdir(exist_ok=True)
    with open(build / "sinks.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the processes of pytest are several
        subprocess.run(["make", "-s", f"O={build}", "sink-programs"], cwd=ROOT, check=True, timeout=600)
    return build / "sinks" / "drive"


@pytest.fixture
def drive(drive_program, tmp_path):
    return Drive(drive_program, tmp_path)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls") / "certificates")


@contextlib.contextmanager
def killed_now_and_then(server, times, between, how=signal.SIGKILL):
    """Restarts a server again and again while the body runs."""
    over, count = threading.Event(), [0]

    def go():
        while count[0] < times and not over.wait(between):
            server.stop(how)
            count[0] += 1
            server.start()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield count
    finally:
        over.set()
        thread.join()
