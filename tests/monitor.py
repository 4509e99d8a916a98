"""A monitor of the tests' own: what tells a courier of records, as docs/protocol.md says."""
import json
import mmap
import os
import pathlib
import signal
import socket
import struct
import uuid

from conftest import PROGRAM

COURIER = pathlib.Path(PROGRAM).resolve().parent / "modelwatch-courier"
HEAD = struct.Struct("=QQQQ")  # turn, start, end, lost
ROOM = 32 << 20


class Monitor:
    """Starts a courier with this configuration. `buffer`: so much of what it says waits until it is read."""

    def __init__(self, sinks, spool, buffer=None):
        self.socket, theirs = socket.socketpair()
        if buffer:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        fd = os.memfd_create("modelwatch-courier", os.MFD_CLOEXEC)
        os.ftruncate(fd, HEAD.size + ROOM)
        self.memory = mmap.mmap(fd, HEAD.size + ROOM)
        self.pid = os.posix_spawn(COURIER, [str(COURIER)], os.environ, file_actions=[
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), (os.POSIX_SPAWN_DUP2, fd, 3)])
        theirs.close()
        os.close(fd)
        self.socket.settimeout(60)
        self.answers = self.socket.makefile("r")
        self.end = self.sent = self.taken = 0
        self.say({"schema": "modelwatch.courier/1", "daemon": False, "source": str(uuid.uuid4()), "first": 1, "at": 0,
                  "turn": 0, "config": {"sinks": sinks, "spool": spool}})

    def say(self, message):
        self.socket.sendall((json.dumps(message) + "\n").encode())

    def put(self, lines):
        """Bytes, which fit as long as all before them are taken."""
        for line in lines:
            at = self.end % ROOM
            part = line[:ROOM - at]
            self.memory[HEAD.size + at:HEAD.size + at + len(part)] = part
            self.memory[HEAD.size:HEAD.size + len(line) - len(part)] = line[len(part):]
            self.end += len(line)
        self.sent += len(lines)
        HEAD.pack_into(self.memory, 0, 0, 0, self.end, 0)
        self.socket.sendall(b"\n")

    def wait(self):
        """Until all is on disk."""
        while self.taken < self.sent:
            self.taken = max(self.taken, json.loads(self.answers.readline()).get("taken", 0))

    def tell(self, records, batch=100):
        for i in range(0, len(records), batch):
            self.put([json.dumps(record).encode() + b"\n" for record in records[i:i + batch]])
            self.wait()

    def close(self):
        """Returns the courier's exit status."""
        self.socket.shutdown(socket.SHUT_WR)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = None
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.answers.close()
        self.socket.close()
        self.memory.close()

    def wait_for_view(self, holds):
        """What it says of itself, once that holds."""
        while True:
            message = json.loads(self.answers.readline())
            self.taken = max(self.taken, message.get("taken", 0))
            if "view" in message and holds(message["view"]):
                return message["view"]

    def cpu(self):
        """Seconds of it that the courier has used."""
        words = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
